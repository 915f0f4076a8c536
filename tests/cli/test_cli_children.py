"""No ffmpeg process outlives a command, however the command ends: real processes and a fake ffmpeg that hangs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import TIMEOUT_S
from tests.helpers.bundles import TINY
from tests.helpers.live import child_pids
from tests.helpers.station import eventually

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a parent-death signal")

COMMANDS = {
    "classify": ("classify", "x.m4a"),
    "classify with jobs": ("classify", "x.m4a", "y.m4a", "--jobs", "2"),
    "stream file": ("stream", "./x.m4a"),
    "stream url": ("stream", "http://127.0.0.1:9/live"),
    "serve file": ("serve", "./x.m4a", "--port", "0"),
    "serve url": ("serve", "http://127.0.0.1:9/live", "--port", "0"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder with two m4a files and a program ffmpeg that neither reads, writes nor ends."""
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexec /bin/sleep 600\n")
    program.chmod(0o755)
    for name in ("x.m4a", "y.m4a"):
        (tmp_path / name).write_bytes(b"not read by the fake ffmpeg")
    return tmp_path


def start_command(folder: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "genre_edge", *arguments, "--model", TINY],
        cwd=folder,
        env=os.environ | {"PATH": str(folder / "bin")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "signals",
    [
        (signal.SIGKILL,),
        *(
            pytest.param(numbers, marks=pytest.mark.slow)
            for numbers in ((signal.SIGTERM,), (signal.SIGHUP,), (signal.SIGINT, signal.SIGTERM), (signal.SIGABRT,))
        ),
    ],
)
def test_no_child_outlives_command(folder: Path, command: str, signals: tuple[int, ...]) -> None:
    """After any signal, or two, ffmpeg is gone, and the message is not a traceback."""
    arguments = COMMANDS[command]
    n_children = arguments.count("x.m4a") + arguments.count("y.m4a") or 1
    process = start_command(folder, *arguments)
    children = eventually(lambda: len(pids := child_pids(process.pid, "sleep")) == n_children and pids)
    for number in signals:
        process.send_signal(number)
        time.sleep(0.05)
    _, messages = process.communicate(timeout=TIMEOUT_S)
    eventually(lambda: not any(map(is_running, children)))
    assert b"Traceback" not in messages
