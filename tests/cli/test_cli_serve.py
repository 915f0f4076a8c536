"""`genre-edge serve` as a process: it serves, tells systemd, and ends in good order whatever it is doing."""

import contextlib
import json
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
from typing import Any

import numpy as np
import pytest

from tests.conftest import Cli
from tests.helpers.bundles import TINY
from tests.helpers.mqtt import Ear, Mosquitto, free_port, real_mosquitto
from tests.helpers.station import eventually

RAW = ("--raw", "f32le:8000:1")
END_S = 10.0  # generous: the promise is 2 s on a machine that has nothing else to do
real_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")


class Served:
    """A process with the tiny model that hears what is written to its standard input."""

    def __init__(self, *arguments: object, source: str = "-", **environment: str) -> None:
        command = [sys.executable, "-m", "genre_edge", "serve", source, "--port", "0", "--model", TINY]
        command += ["--interval", "0.5", *(RAW if source == "-" else ()), *arguments]
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | environment
        )
        assert self.process.stderr is not None
        self.lines = []
        while not (line := self.process.stderr.readline().decode()).startswith("genre-edge: http"):
            assert line, "".join(self.lines)
            self.lines.append(line)
        self.url = line.split()[1]

    def feed(self, samples: np.ndarray) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(samples.astype("<f4").tobytes())
        self.process.stdin.flush()

    def get(self, path: str, token: str = "") -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with urllib.request.urlopen(urllib.request.Request(self.url + path, headers=headers), timeout=20) as answer:
            return json.load(answer)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Exit code and what was said on stderr since the address; asserts that it takes no time."""
        start_s = time.monotonic()
        self.process.send_signal(number)
        assert self.process.stdin is not None and self.process.stderr is not None
        code = self.process.wait(60)
        assert time.monotonic() - start_s < END_S
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        said = self.process.stderr.read().decode()
        self.process.stderr.close()
        assert "Traceback" not in said, said
        return code, said


@pytest.fixture
def served() -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(*arguments: object, **options: str) -> Served:
        started.append(Served(*arguments, **options))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


def sound(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.3, 0.3, round(8000 * seconds))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_serves_what_it_hears_until_a_signal(number: int, served: Callable[..., Served]) -> None:
    one = served()
    one.feed(sound(3))
    eventually(lambda: one.get("api/v1/status")["position_s"] >= 2.9)
    status = one.get("api/v1/status")
    assert status["source"] == "-" and status["model"]["name"] == "tiny" and status["verdict"]["genres"]
    assert one.get("healthz") == {"listening": True}
    assert len(one.get("api/v1/history")["verdicts"]) >= 4
    with urllib.request.urlopen(one.url) as page:
        assert b"<html" in page.read()
    assert one.end(number) == (0, "") and one.lines == []


def test_the_end_of_a_pipe_is_the_end(served: Callable[..., Served], tmp_path: Path) -> None:
    one = served("--history", tmp_path / "h.db")
    one.feed(sound(2))
    assert one.process.stdin is not None
    one.process.stdin.close()
    assert one.process.wait(30) == 0
    database = sqlite3.connect(tmp_path / "h.db")
    assert database.execute("SELECT count(*) FROM verdicts").fetchone()[0] >= 3
    database.close()


def test_a_signal_at_any_moment(tmp_path: Path) -> None:
    rng = random.Random(0)
    command = [sys.executable, "-m", "genre_edge", "serve", "-", "--port", "0", "--model", TINY, *RAW]
    for number in [signal.SIGTERM, signal.SIGINT] * 3:
        process = subprocess.Popen(
            [*command, "--history", tmp_path / "h.db"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        time.sleep(rng.uniform(0, 2))
        process.send_signal(number)
        said = process.communicate(timeout=30)[1].decode()
        # Before it serves, a signal ends it at once; and before its own first line, Ctrl-C as Python has it.
        before_our_code = number == signal.SIGINT and "KeyboardInterrupt" in said and "genre_edge/cli" not in said
        assert (process.returncode in (0, -number) and said.count("\n") <= 1) or before_our_code, said


def test_a_client_that_listens_does_not_hold_up_the_end(served: Callable[..., Served]) -> None:
    one = served()
    host, port = one.url.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert client.recv(15) == b"HTTP/1.1 200 OK"
        assert one.end() == (0, "")


# What is refused


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--host", "0.0.0.0"), "0.0.0.0 is reached by others: give a --token (GENRE_EDGE_TOKEN), or --insecure"),
        (("--token", "short"), "the token must be 8 to 256 letters, digits or signs"),
        (("--mqtt", "http://u:s3cret@x"), "the broker must be mqtt://[USER:PASSWORD@]HOST[:PORT][/PREFIX]"),
        (("--raw", "s16le"), "--raw must be ENCODING:RATE:CHANNELS"),
        (("--model", "nothing"), "no model 'nothing'"),
        (("--port", "99999"), "Invalid value for '--port'"),
        (("--interval", "0"), "Invalid value for '--interval'"),
    ],
)
def test_wrong_usage_is_told_in_a_line(arguments: tuple[str, ...], reason: str, cli: Cli) -> None:
    given = ("--model", TINY, "--port", 0, *RAW, *arguments)
    done = cli("serve", "-", *given)
    assert done.returncode == 2 and reason in done.stderr
    assert "s3cret" not in done.stderr and done.stdout == ""
    if "Invalid value" not in reason:
        assert done.stderr.startswith("genre-edge: ") and done.stderr.count("\n") == 1


def test_a_port_that_is_taken(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = cli("serve", "-", *RAW, "--port", port)
    assert (done.returncode, done.stderr) == (1, f"genre-edge: 127.0.0.1 port {port}: Address already in use\n")


def test_without_the_extra_it_says_what_to_install(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "starlette.py").write_text("raise ImportError(name='starlette')\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = cli("serve", "-", *RAW, env=os.environ | {"PYTHONPATH": path})
    assert (done.returncode, done.stderr) == (
        1,
        "genre-edge: serve needs starlette: in the folder of genre-edge, pip install '.[station]'\n",
    )


def test_other_machines_need_the_token(served: Callable[..., Served]) -> None:
    one = served("--host", "0.0.0.0", GENRE_EDGE_TOKEN="correct-horse")
    one.url = one.url.replace("0.0.0.0", "127.0.0.1")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        one.get("api/v1/status")
    assert one.get("api/v1/status", "correct-horse")["source"] == "-"
    assert one.end() == (0, "")


def test_insecure_is_what_was_asked_for(served: Callable[..., Served]) -> None:
    one = served("--host", "0.0.0.0", "--insecure")
    one.url = one.url.replace("0.0.0.0", "127.0.0.1")
    assert one.get("api/v1/status")["source"] == "-"
    assert one.end() == (0, "")


def test_a_spoilt_history_does_not_keep_it_from_listening(served: Callable[..., Served], tmp_path: Path) -> None:
    (tmp_path / "h.db").write_bytes(b"no database" * 1000)
    one = served("--history", tmp_path / "h.db")
    one.feed(sound(2))
    eventually(lambda: len(one.get("api/v1/history")["verdicts"]) >= 2)
    assert one.get("api/v1/status")["history"] == "failing"
    code, said = one.end()
    assert code == 0 and re.fullmatch(r"genre-edge: \d+ verdicts were not saved\n", said)
    assert one.lines == [
        f"genre-edge: history {tmp_path}/h.db: file is not a database; the newest 1000 verdicts wait in memory\n"
    ]


# systemd


def told(channel: socket.socket) -> str:
    return channel.recv(4096).decode()


def test_systemd_is_told(served: Callable[..., Served], tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(30)
        one = served(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="1000000")
        one.feed(sound(2))
        messages = {told(channel) for _ in range(4)}
        assert messages == {"READY=1", "WATCHDOG=1"}
        assert one.end() == (0, "")
        last = ""
        channel.settimeout(1)
        with contextlib.suppress(TimeoutError):
            while last != "STOPPING=1":
                last = told(channel)
        assert last == "STOPPING=1"


def test_a_watchdog_of_another_process_and_a_deaf_systemd(served: Callable[..., Served], tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        name = f"\0genre-edge-test-{os.getpid()}"
        channel.bind(name)
        channel.settimeout(2)
        one = served(NOTIFY_SOCKET="@" + name[1:], WATCHDOG_USEC="100000", WATCHDOG_PID="1")
        assert told(channel) == "READY=1"
        with pytest.raises(TimeoutError):
            told(channel)
        assert one.end() == (0, "")
    deaf = served(NOTIFY_SOCKET=str(tmp_path / "nobody"))
    assert deaf.end() == (0, "")


# Live sources


def children(process: int) -> list[int]:
    """ffmpeg processes of a process that are alive."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, rest = path.read_text().rsplit(")", 1)
            state, parent = rest.split()[:2]
            if "ffmpeg" in name and parent == str(process) and state != "Z":
                found.append(int(path.parent.name))
    return found


@real_ffmpeg
def test_a_radio_that_is_gone_is_code_3(served: Callable[..., Served]) -> None:
    one = served("--tries", 2, source=f"http://user:s3cret@127.0.0.1:{free_port()}/live")
    assert one.process.stderr is not None
    said = one.process.stderr.read().decode()
    assert one.process.wait(30) == 3
    assert said.endswith("giving up after 2 failed attempts\n") and "s3cret" not in said and len(said.splitlines()) == 2


@real_ffmpeg
def test_ending_while_a_radio_says_nothing_leaves_no_child(served: Callable[..., Served]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as radio:
        one = served(source=f"http://127.0.0.1:{radio.getsockname()[1]}/live")
        caller, _ = radio.accept()
        (child,) = eventually(lambda: children(one.process.pid))
        assert one.get("api/v1/status")["listening"] is False
        assert one.end() == (0, "")
        caller.close()
    eventually(lambda: not Path(f"/proc/{child}").exists())


@real_mosquitto
def test_a_broker_is_told_and_its_password_is_not(served: Callable[..., Served], tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    ear = Ear(broker.port)
    one = served(GENRE_EDGE_MQTT=f"mqtt://ann:s3cret@127.0.0.1:{broker.port}/den")
    one.feed(sound(2))
    eventually(lambda: ear.topics.get("den/verdict"))
    eventually(lambda: ear.topics.get("den/availability") == "online")
    code, said = one.end()
    eventually(lambda: ear.topics["den/availability"] == "offline")
    assert code == 0 and "s3cret" not in said + "".join(one.lines)
    ear.close()
    broker.stop()
