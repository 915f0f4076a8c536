"""kill_child_processes: no ffmpeg process outlives the program."""

import threading
from pathlib import Path

import pytest

from genre_edge.audio.ffmpeg import process
from genre_edge.audio.files import open_file
from genre_edge.errors import AudioError
from tests.conftest import TIMEOUT_S
from tests.helpers.fake_ffmpeg import install_fake_ffmpeg
from tests.helpers.live import child_pids
from tests.helpers.station import eventually
from tests.helpers.wav import endless_header

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
