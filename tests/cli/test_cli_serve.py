"""`genre-edge serve` as a process: HTTP, history, systemd, MQTT, signals and usage errors."""

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import TIMEOUT_S, Cli
from tests.helpers.bundles import TINY
from tests.helpers.live import ffmpeg_pids
from tests.helpers.mqtt import Mosquitto, MqttSubscriber, free_port, requires_mosquitto
from tests.helpers.serve_process import RAW, ServeProcess
from tests.helpers.station import eventually

OTHER_SIGNALS = (signal.SIGINT, signal.SIGHUP)
requires_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")


@pytest.fixture
def start() -> Iterator[Callable[..., ServeProcess]]:
    """Start processes that end with the test."""
    servers: list[ServeProcess] = []

    def run(*arguments: object, **options: str) -> ServeProcess:
        servers.append(ServeProcess(*arguments, **options))
        return servers[-1]

    yield run
    for server in servers:
        server.process.kill()
        server.process.wait()


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.3, 0.3, round(8000 * seconds))


@pytest.mark.parametrize("number", [signal.SIGTERM, *(pytest.param(n, marks=pytest.mark.slow) for n in OTHER_SIGNALS)])
def test_serve_until_signal(number: int, start: Callable[..., ServeProcess]) -> None:
    """Status, health, history and page are served until a signal ends the process."""
    server = start()
    server.feed(noise(3))
    eventually(lambda: server.get("api/v1/status")["position_s"] >= 2.9)
    status = server.get("api/v1/status")
    assert status["source"] == "-" and status["model"]["name"] == "tiny" and status["verdict"]["genres"]
    assert server.get("healthz") == {"listening": True, "paused": False}
    assert len(server.get("api/v1/history")["verdicts"]) >= 4
    with urllib.request.urlopen(server.url) as page:
        assert b"<html" in page.read()
    assert server.end(number) == (0, "") and server.lines == []


def test_serve_ends_with_pipe(start: Callable[..., ServeProcess], tmp_path: Path) -> None:
    """The process ends with its input, and the verdicts are in the history file."""
    server = start("--history", tmp_path / "h.db")
    server.feed(noise(2))
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert server.process.wait(TIMEOUT_S) == 0
    database = sqlite3.connect(tmp_path / "h.db")
    assert database.execute("SELECT count(*) FROM verdicts").fetchone()[0] >= 3
    database.close()


@pytest.mark.slow
def test_serve_signal_at_any_moment(tmp_path: Path) -> None:
    """A signal during start-up ends the process without error messages."""
    rng = random.Random(0)
    command = [sys.executable, "-m", "genre_edge", "serve", "-", "--port", "0", "--model", TINY, *RAW]
    for number in [signal.SIGTERM, signal.SIGINT] * 3:
        process = subprocess.Popen(
            [*command, "--history", tmp_path / "h.db"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        time.sleep(rng.uniform(0, 1))
        process.send_signal(number)
        messages = process.communicate(timeout=TIMEOUT_S)[1].decode()
        # Until it serves, a signal kills the process; before `main` runs, SIGINT raises Python's KeyboardInterrupt.
        is_before_main = (
            number == signal.SIGINT and "KeyboardInterrupt" in messages and "genre_edge/cli" not in messages
        )
        assert (process.returncode in (0, -number) and messages.count("\n") <= 1) or is_before_main, messages


@pytest.mark.slow
def test_serve_ends_with_open_event_stream(start: Callable[..., ServeProcess]) -> None:
    """A client of the event stream does not delay the end."""
    server = start()
    host, port = server.url.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert client.recv(15) == b"HTTP/1.1 200 OK"
        assert server.end() == (0, "")


# Usage errors


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--host", "0.0.0.0"), "other machines can connect to 0.0.0.0: set --token (GENRE_EDGE_TOKEN) or --insecure"),
        (("--token", "short"), "the token must be 16 to 256 letters, digits or signs"),
        (("--allow-host", "http://x"), "--allow-host must be a host name or an IP address without a port, got"),
        (("--mqtt", "http://u:s3cret@x"), "the MQTT broker URL must be mqtt://[USER:PASSWORD@]HOST[:PORT][/PREFIX]"),
        (("--raw", "s16le"), "--raw must be ENCODING:RATE:CHANNELS"),
        (("--model", "nothing"), "no model 'nothing'"),
        (("--vocabulary", "styles"), "the model tiny 1 has no styles"),
        (("--styles", "-1"), "Invalid value for '--styles'"),
        (("--port", "99999"), "Invalid value for '--port'"),
        (("--interval", "0"), "Invalid value for '--interval'"),
    ],
)
def test_serve_wrong_usage(arguments: tuple[str, ...], reason: str, invoke: Cli) -> None:
    """Wrong usage is one line on standard error, without passwords."""
    done = invoke("serve", "-", "--model", TINY, "--port", 0, *RAW, *arguments)
    assert done.returncode == 2 and reason in done.stderr
    assert "s3cret" not in done.stderr and done.stdout == ""
    if "Invalid value" not in reason:
        assert done.stderr.startswith("genre-edge: ") and done.stderr.count("\n") == 1


def test_serve_port_in_use(invoke: Cli) -> None:
    """A port in use is one error with exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        done = invoke("serve", "-", *RAW, "--port", port)
    assert (done.returncode, done.stderr) == (1, f"genre-edge: 127.0.0.1 port {port}: Address already in use\n")


def test_serve_without_extra(cli: Cli, tmp_path: Path) -> None:
    """Without the extra `station`, the error says what to install."""
    (tmp_path / "starlette.py").write_text("raise ImportError(name='starlette')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = cli("serve", "-", *RAW, env=os.environ | {"PYTHONPATH": path})
    assert (done.returncode, done.stderr) == (
        1,
        "genre-edge: serve needs starlette; run: pip install 'genre-edge[station]'\n",
    )


@pytest.mark.slow
def test_serve_token(start: Callable[..., ServeProcess]) -> None:
    """Clients of other machines must send the token."""
    server = start("--host", "0.0.0.0", GENRE_EDGE_TOKEN="correct-horse-battery")
    server.url = server.url.replace("0.0.0.0", "127.0.0.1")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        server.get("api/v1/status")
    assert server.get("api/v1/status", "correct-horse-battery")["source"] == "-"
    assert server.end() == (0, "")


@pytest.mark.slow
def test_serve_insecure(start: Callable[..., ServeProcess]) -> None:
    """With --insecure, other machines need no token."""
    server = start("--host", "0.0.0.0", "--insecure")
    server.url = server.url.replace("0.0.0.0", "127.0.0.1")
    assert server.get("api/v1/status")["source"] == "-"
    assert server.end() == (0, "")


@pytest.mark.slow
def test_serve_damaged_history(start: Callable[..., ServeProcess], tmp_path: Path) -> None:
    """A damaged history file does not stop the classification."""
    (tmp_path / "h.db").write_bytes(b"no database" * 1000)
    server = start("--history", tmp_path / "h.db")
    server.feed(noise(2))
    eventually(lambda: len(server.get("api/v1/history")["verdicts"]) >= 2)
    assert server.get("api/v1/status")["history"] == "failing"
    code, messages = server.end()
    assert code == 0 and re.fullmatch(r"genre-edge: \d+ verdicts were not saved\n", messages)
    assert server.lines == [
        f"genre-edge: history {tmp_path}/h.db: file is not a database; "
        "keeping the newest 1000 verdicts in memory and retrying\n"
    ]


# systemd


def receive(channel: socket.socket) -> str:
    return channel.recv(4096).decode()


@pytest.mark.slow
def test_systemd_notifications(start: Callable[..., ServeProcess], tmp_path: Path) -> None:
    """systemd receives READY, WATCHDOG and STOPPING."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(TIMEOUT_S)
        server = start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="1000000")
        server.feed(noise(2))
        messages = {receive(channel) for _ in range(4)}
        assert messages == {"READY=1", "WATCHDOG=1"}
        assert server.end() == (0, "")
        last = ""
        channel.settimeout(1)
        with contextlib.suppress(TimeoutError):
            while last != "STOPPING=1":
                last = receive(channel)
        assert last == "STOPPING=1"


@pytest.mark.slow
def test_systemd_watchdog_of_other_process(start: Callable[..., ServeProcess]) -> None:
    """A watchdog of another process (WATCHDOG_PID) is not notified."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        name = f"\0genre-edge-test-{os.getpid()}"
        channel.bind(name)
        channel.settimeout(TIMEOUT_S)
        server = start(NOTIFY_SOCKET="@" + name[1:], WATCHDOG_USEC="100000", WATCHDOG_PID="1")
        assert receive(channel) == "READY=1"
        channel.settimeout(1)  # ten periods of the watchdog
        with pytest.raises(TimeoutError):
            receive(channel)
        assert server.end() == (0, "")


@pytest.mark.slow
def test_systemd_socket_missing(start: Callable[..., ServeProcess], tmp_path: Path) -> None:
    """A missing notification socket does not disturb the service."""
    server = start(NOTIFY_SOCKET=str(tmp_path / "missing"))
    assert server.end() == (0, "")


# Live sources


@pytest.mark.slow
@requires_ffmpeg
def test_serve_lost_source(start: Callable[..., ServeProcess]) -> None:
    """A radio that stays unreachable ends the process with exit code 3; its password is not printed."""
    server = start("--tries", 2, source=f"http://user:s3cret@127.0.0.1:{free_port()}/live")
    assert server.process.stderr is not None
    messages = server.process.stderr.read().decode()
    assert server.process.wait(TIMEOUT_S) == 3
    assert messages.endswith("giving up after 2 failed attempts\n") and len(messages.splitlines()) == 2
    assert "s3cret" not in messages


@pytest.mark.slow
@requires_ffmpeg
def test_serve_ends_with_silent_radio(start: Callable[..., ServeProcess]) -> None:
    """The end leaves no ffmpeg process, even while a radio sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as radio:
        server = start(source=f"http://127.0.0.1:{radio.getsockname()[1]}/live")
        client, _ = radio.accept()
        (child,) = eventually(lambda: ffmpeg_pids(server.process.pid))
        assert server.get("api/v1/status")["listening"] is False
        assert server.end() == (0, "")
        client.close()
    eventually(lambda: not Path(f"/proc/{child}").exists())


@pytest.mark.slow
@requires_mosquitto
def test_serve_mqtt(start: Callable[..., ServeProcess], tmp_path: Path) -> None:
    """Verdicts and availability are published; the broker's password is not printed."""
    broker = Mosquitto(tmp_path)
    subscriber = MqttSubscriber(broker.port)
    server = start(GENRE_EDGE_MQTT=f"mqtt://ann:s3cret@127.0.0.1:{broker.port}/den")
    server.feed(noise(2))
    eventually(lambda: subscriber.topics.get("den/verdict"))
    eventually(lambda: subscriber.topics.get("den/availability") == "online")
    code, messages = server.end()
    eventually(lambda: subscriber.topics["den/availability"] == "offline")
    assert code == 0 and "s3cret" not in messages + "".join(server.lines)
    subscriber.close()
    broker.stop()
