"""kill_child_processes: no ffmpeg process outlives the program."""

import threading
from pathlib import Path

import pytest

from genre_edge.audio import ffmpeg
from genre_edge.audio.files import open_file
from genre_edge.errors import AudioError
from tests.helpers.audio import PCM, UNKNOWN_SIZE, chunk, fmt, riff
from tests.helpers.live import child_pids
from tests.helpers.station import eventually

pytestmark = pytest.mark.usefixtures("reset_shutdown")


@pytest.fixture
def endless_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File that a fake ffmpeg decodes to endless silence."""
    header = riff(fmt(PCM, 1, 8000, 16), chunk(b"data", b"", UNKNOWN_SIZE), size=UNKNOWN_SIZE)
    (tmp_path / "header").write_bytes(header)
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec /bin/cat {tmp_path}/header /dev/zero\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    (tmp_path / "x.m4a").write_bytes(b"not read by the fake ffmpeg")
    return tmp_path / "x.m4a"


def test_kill_child_processes(endless_file: Path) -> None:
    """Running processes are killed, new ones are refused, and a second call does no harm."""
    before = set(child_pids())
    with open_file(endless_file) as source:
        assert len(next(source.blocks()).samples) > 0
        ffmpeg.kill_child_processes()
        eventually(lambda: set(child_pids()) <= before)
    with pytest.raises(AudioError, match=r"x\.m4a: ffmpeg is not started: the program is shutting down$"):
        open_file(endless_file)
    ffmpeg.kill_child_processes()


def test_kill_while_start_hangs(endless_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are killed although the start of another one hangs in a different thread."""
    before, release, locked = set(child_pids()), threading.Event(), threading.Event()

    def hold_lock() -> None:
        with ffmpeg._children_lock:
            locked.set()
            release.wait(60)

    with open_file(endless_file):
        thread = threading.Thread(target=hold_lock, daemon=True)
        thread.start()
        assert locked.wait(60)
        ffmpeg.kill_child_processes()
        eventually(lambda: set(child_pids()) <= before)
        release.set()
        thread.join(60)
