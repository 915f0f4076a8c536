"""ffmpeg as a child process: it ends with the program, but not with the thread that opened it, and knows no secrets."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from genre_edge.audio.ffmpeg import file as ffmpeg_file
from genre_edge.audio.ffmpeg import process
from genre_edge.audio.ffmpeg.file import FfmpegFile
from genre_edge.audio.files import open_file
from genre_edge.errors import AudioError
from tests.conftest import TIMEOUT_S
from tests.helpers.fake_ffmpeg import install_fake_ffmpeg
from tests.helpers.live import child_pids
from tests.helpers.station import eventually
from tests.helpers.wav import PCM, chunk, endless_header, fmt, riff

pytestmark = pytest.mark.usefixtures("reset_shutdown")


@pytest.fixture
def endless_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File that a fake ffmpeg decodes to endless silence."""
    (tmp_path / "header").write_bytes(endless_header(8000))
    return install_fake_ffmpeg(tmp_path, monkeypatch, f"exec /bin/cat {tmp_path}/header /dev/zero")


def test_kill_child_processes(endless_file: Path) -> None:
    """Running processes are killed, new ones are refused, and a second call does no harm."""
    before = set(child_pids())
    with open_file(endless_file) as source:
        assert len(next(source.blocks()).samples) > 0
        process.kill_child_processes()
        eventually(lambda: set(child_pids()) <= before)
    with pytest.raises(AudioError, match=r"x\.m4a: ffmpeg is not started: the program is shutting down$"):
        open_file(endless_file)
    process.kill_child_processes()


def test_kill_while_start_hangs(endless_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are killed although the start of another one hangs in a different thread."""
    before, release, locked = set(child_pids()), threading.Event(), threading.Event()

    def hold_lock() -> None:
        with process._children_lock:
            locked.set()
            release.wait(TIMEOUT_S)

    with open_file(endless_file):
        thread = threading.Thread(target=hold_lock, daemon=True)
        thread.start()
        assert locked.wait(TIMEOUT_S)
        process.kill_child_processes()
        eventually(lambda: set(child_pids()) <= before)
        release.set()
        thread.join(TIMEOUT_S)


def test_child_outlives_opening_thread(endless_file: Path) -> None:
    """A source may be opened by a thread that ends before the source is read."""
    sources: list[FfmpegFile] = []
    thread = threading.Thread(target=lambda: sources.append(FfmpegFile(endless_file)))
    thread.start()
    thread.join()
    with sources.pop() as source:
        blocks = source.blocks()
        assert all(len(next(blocks).samples) > 0 for _ in range(200))  # more than a pipe holds


def test_child_of_dead_parent_is_not_run(tmp_path: Path) -> None:
    """A child whose parent ended before it could ask for the parent-death signal runs no program."""
    for parent, runs in ((os.getpid(), True), (os.getpid() + 1, False)):
        command = [sys.executable, process._CHILD, str(parent), "/bin/echo", "run"]
        assert subprocess.run(command, capture_output=True, text=True).stdout == ("run\n" if runs else "")


def test_child_without_prctl(tmp_path: Path) -> None:
    """On a system without a parent-death signal, the program is run and ends when nobody reads its output any more."""
    stub = "import ctypes, runpy, sys, types; ctypes.CDLL = lambda name: types.SimpleNamespace(); "
    code = f"{stub}sys.argv = [{process._CHILD!r}, {str(os.getpid())!r}, '/bin/cat', '/dev/zero']; "
    code += f"runpy.run_path({process._CHILD!r}, run_name='__main__')"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None and len(child.stdout.read(100_000)) == 100_000
        child.stdout.close()
        assert child.wait(TIMEOUT_S) == -signal.SIGPIPE


def test_child_restores_signals() -> None:
    """The program does not inherit the signals that Python ignores."""
    command = [sys.executable, process._CHILD, str(os.getpid()), "/bin/grep", "SigIgn", "/proc/self/status"]
    ignored = int(subprocess.run(command, capture_output=True, check=True).stdout.split()[1], 16)
    assert not any(ignored >> number - 1 & 1 for number in (signal.SIGPIPE, signal.SIGXFSZ))


def test_environment_of_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ffmpeg gets the variables that it needs and no others."""
    wav = riff(fmt(PCM, 1, 8000, 16), chunk(b"data", bytes(16000)))
    (tmp_path / "x.wav").write_bytes(wav)
    script = f"/usr/bin/env > {tmp_path}/environment; exec /bin/cat {tmp_path}/x.wav"
    path = install_fake_ffmpeg(tmp_path, monkeypatch, script)
    secrets = ["GENRE_EDGE_TOKEN", "GENRE_EDGE_MQTT", "GENRE_EDGE_SOURCE", "AWS_SECRET_ACCESS_KEY", "FFREPORT"]
    monkeypatch.delenv("no_proxy", raising=False)
    for name in [*secrets, "LD_LIBRARY_PATH", "http_proxy"]:
        monkeypatch.setenv(name, "a-value")
    FfmpegFile(path).close()
    environment = dict(line.split("=", 1) for line in (tmp_path / "environment").read_text().splitlines())
    assert environment["no_proxy"] == "127.0.0.1"
    assert environment["http_proxy"] == environment["LD_LIBRARY_PATH"] == "a-value" and "PATH" in environment
    assert not set(secrets) & set(environment)


def test_failed_opening_leaves_nothing(endless_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception after the start of the process, such as an interrupt, ends the process and closes descriptors."""
    pids, n_files = set(child_pids()), len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    def fail(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ffmpeg_file, "WavSource", fail)
    with pytest.raises(KeyboardInterrupt):
        FfmpegFile(endless_file)
    assert set(child_pids()) <= pids and len(os.listdir("/proc/self/fd")) == n_files  # noqa: PTH208
