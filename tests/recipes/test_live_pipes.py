"""MPD, Snapcast and AirPlay into `genre-edge stream`: docs/recipes.md, with the real programs and no sound card."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from tests.conftest import ROOT
from tests.helpers.recipes import block
from tests.helpers.station import eventually

START_S = 240.0
MPD_PIPE = "/run/genre-edge-mpd.fifo"
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
STREAM = [sys.executable, "-m", "genre_edge", "stream", "-", "--raw"]


def program(name: str, package: str) -> str:
    """Return the path of a program, or skip the test."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    if path is None:
        pytest.skip(f"{name} is missing (Debian package {package})")
    return path


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    """A stack whose processes are ended after the test."""
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, command: list[str], **options: Any) -> "subprocess.Popen[bytes]":
    process: subprocess.Popen[bytes] = subprocess.Popen(command, **options)
    stack.callback(process.wait)
    stack.callback(process.send_signal, signal.SIGKILL)
    return process


def first_genre(stream: "subprocess.Popen[bytes]", after_s: float = 0.0) -> str:
    """Return the genre of the first verdict that names one, among those that end after some audio."""
    assert stream.stdout is not None
    timer = threading.Timer(START_S, stream.kill)
    timer.start()
    try:
        for line in stream.stdout:
            verdict = json.loads(line)
            if verdict["genre"] and verdict["end_s"] > after_s:
                return str(verdict["genre"])
    finally:
        timer.cancel()
    pytest.fail("the stream ended without a genre")


def make_pipe(path: Path) -> None:
    """Let systemd make the pipe of docs/recipes.md at a path, with this process's user and group in place of MPD's."""
    line = block("text", "p /run/genre-edge-mpd.fifo").split()
    assert line == ["p", MPD_PIPE, "0660", "mpd", "audio", "-"]
    configuration = path.with_suffix(".conf")
    configuration.write_text(f"p {path} {line[2]} {os.getuid()} {os.getgid()} -\n")
    subprocess.run([program("systemd-tmpfiles", "systemd"), "--create", str(configuration)], check=True)
    status = path.stat()
    assert stat.S_ISFIFO(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o660


def play(mpd: str, mpc: str, folder: Path, processes: ExitStack) -> "subprocess.Popen[bytes]":
    """Start MPD, and let it play the song again and again."""
    control = folder / "socket"
    server = start(processes, [mpd, "--no-daemon", str(folder / "mpd.conf")], **QUIET)
    eventually(control.exists, START_S)
    for arguments in (["update", "--wait"], ["add", "song.ogg"], ["repeat", "on"], ["play"]):
        subprocess.run([mpc, "-h", str(control), *arguments], check=True, timeout=START_S, **QUIET)  # type: ignore[call-overload]
    return server


@pytest.mark.slow
def test_mpd(song: Path, tmp_path: Path, processes: ExitStack) -> None:
    """The output of docs/recipes.md plays the shipped song into a named pipe, also after a restart of MPD."""
    mpd, mpc, pipe = program("mpd", "mpd"), program("mpc", "mpc"), tmp_path / "genre-edge.fifo"
    (tmp_path / "music").mkdir()
    shutil.copy(song, tmp_path / "music" / "song.ogg")
    output = block("text", "audio_output").replace(MPD_PIPE, str(pipe))
    (tmp_path / "mpd.conf").write_text(
        f'music_directory "{tmp_path}/music"\ndb_file "{tmp_path}/db"\nbind_to_address "{tmp_path}/socket"\n'
        f'zeroconf_enabled "no"\n{output}'
    )
    make_pipe(pipe)
    raw = block("sh", f"<> {MPD_PIPE}").split()[4]
    with open(os.open(pipe, os.O_RDWR), "rb") as source:  # noqa: PTH123 (as the shell's <>)
        stream = start(processes, [*STREAM, raw], stdin=source, stdout=subprocess.PIPE)
    start_s = time.monotonic()
    server = play(mpd, mpc, tmp_path, processes)
    assert first_genre(stream) == "classical"
    server.terminate()
    server.wait(START_S)
    played_s = time.monotonic() - start_s  # MPD plays in real time: later audio is of the next server
    (tmp_path / "socket").unlink(missing_ok=True)
    assert pipe.is_fifo()
    play(mpd, mpc, tmp_path, processes)
    assert first_genre(stream, played_s) == "classical"


@pytest.mark.slow
def test_snapcast(song: Path, tmp_path: Path, processes: ExitStack) -> None:
    """A client without a sound card passes on what the server plays."""
    server, client = program("snapserver", "snapserver"), program("snapclient", "snapclient")
    samples, rate = soundfile.read(song, dtype="int16", always_2d=True)
    pipe = tmp_path / "snap.fifo"
    os.mkfifo(pipe)
    port, control = free_port(), free_port()
    (tmp_path / "snapserver.conf").write_text(
        f"[server]\ndatadir = {tmp_path}\n[stream]\nport = {port}\nbind_to_address = 127.0.0.1\n"
        f"source = pipe://{pipe}?name=default&sampleformat={rate}:16:{samples.shape[1]}&codec=pcm\n"
        f"[tcp]\nport = {control}\nbind_to_address = 127.0.0.1\n[http]\nenabled = false\n"
    )
    start(processes, [server, "-c", str(tmp_path / "snapserver.conf")], **QUIET)
    writer = "import sys; data = open(sys.argv[1], 'rb').read()\nwhile True: open(sys.argv[2], 'wb', 0).write(data)"
    (tmp_path / "pcm").write_bytes(samples.tobytes() * 20)
    start(processes, [sys.executable, "-c", writer, str(tmp_path / "pcm"), str(pipe)], **QUIET)
    eventually(lambda: is_open(port), START_S)
    tap = start(
        processes,
        [client, "-h", "127.0.0.1", "-p", str(port), "--player", "file:filename=stdout", "--logsink", "stderr"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    raw = f"s16le:{rate}:{samples.shape[1]}"
    stream = start(processes, [*STREAM, raw], stdin=tap.stdout, stdout=subprocess.PIPE)
    assert first_genre(stream) == "classical"


@pytest.mark.slow
def test_shairport_sync(song: Path, tmp_path: Path, processes: ExitStack) -> None:
    """shairport-sync runs with the configuration of docs/recipes.md, answers, and creates the pipe, which is then read.

    The samples are the test's, in the format of the program's pipe: there is no AirPlay sender. The program has a
    system bus of its own, without Avahi, so that the test announces nothing in the network.
    """
    shairport = program("shairport-sync", "shairport-sync")
    (config,) = re.findall(r"```text\n(general = .+?)```", (ROOT / "docs/recipes.md").read_text(), re.DOTALL)
    documented = "/run/shairport-sync/genre-edge.fifo"
    assert config.count(documented) == 1
    pipe, path = tmp_path / "genre-edge.fifo", tmp_path / "shairport-sync.conf"
    path.write_text(config.replace(documented, str(pipe)))
    port, environment = free_port(), os.environ | {"DBUS_SYSTEM_BUS_ADDRESS": start_bus(tmp_path, processes)}
    command = [shairport, "--use-stderr", "--configfile", str(path), "--port", str(port)]
    receiver = start(processes, command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    eventually(lambda: is_airplay_receiver(port) or receiver.poll() is not None, START_S)
    assert receiver.poll() is None, receiver.stderr and receiver.stderr.read()
    assert pipe.is_fifo()
    samples, rate = soundfile.read(song, dtype="int16")
    stereo = np.repeat(soxr.resample(samples, rate, 44100)[:, np.newaxis], 2, axis=1)
    (tmp_path / "pcm").write_bytes(stereo.tobytes())
    with open(os.open(pipe, os.O_RDWR), "rb") as source:  # noqa: PTH123 (as the shell's <>)
        stream = start(processes, [*STREAM, "s16le:44100:2"], stdin=source, stdout=subprocess.PIPE)
    writer = "import sys; open(sys.argv[2], 'wb', 0).write(open(sys.argv[1], 'rb').read())"
    start(processes, [sys.executable, "-c", writer, str(tmp_path / "pcm"), str(pipe)])
    assert first_genre(stream) == "classical" and receiver.poll() is None


def start_bus(folder: Path, processes: ExitStack) -> str:
    """Start a D-Bus system bus without services, and return its address."""
    path = folder / "bus"
    rules = "".join(f'<allow {name}="*"/>' for name in ("user", "own", "send_destination", "receive_sender"))
    (folder / "bus.conf").write_text(
        f"<busconfig><type>system</type><listen>unix:path={path}</listen>"
        f'<policy context="default">{rules}</policy></busconfig>'
    )
    command = [program("dbus-daemon", "dbus-daemon"), f"--config-file={folder}/bus.conf", "--nofork", "--nopidfile"]
    start(processes, command, **QUIET)
    eventually(path.exists, START_S)
    return f"unix:path={path}"


def is_airplay_receiver(port: int) -> bool:
    """Return True if a program answers the first request of an AirPlay sender."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=START_S) as connection:
            connection.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            return connection.recv(1000).startswith(b"RTSP/1.0 200 OK")
    except OSError:
        return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def is_open(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0
