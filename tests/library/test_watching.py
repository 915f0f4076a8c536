"""Changes are reported when files are steady, and none is missed."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from genre_edge.library import watching
from tests.conftest import TIMEOUT_S


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to watch, in which files are steady after a second."""
    monkeypatch.setattr(watching, "STEADY_S", 1.0)
    (tmp_path / "music").mkdir()
    return tmp_path / "music"


def collect(changes: Iterator[set[str]], wanted: set[str]) -> set[str]:
    """Return all paths reported until the wanted ones are among them."""
    found: set[str] = set()
    deadline_s = time.monotonic() + TIMEOUT_S
    while not wanted <= found:
        assert time.monotonic() < deadline_s
        found |= next(changes)
    return found


def test_everything_first(folder: Path) -> None:
    """What came before the system watches is found by the comparison of all files."""
    assert next(watching.steady_changes([folder], folder / "a.db")) == set()


def test_new_moved_and_removed_files(folder: Path) -> None:
    """Audio files, folders and missing paths are reported; the database and other files are not."""
    changes = watching.steady_changes([folder], folder / "a.db")
    assert next(changes) == set()
    (folder / "a.db2").mkdir()
    for name in ("a.db", "a.db-wal", "cover.jpg", "song.mp3.part", "a.mp3", "b.flac"):
        (folder / name).write_bytes(b"x")
    a, b, other = str(folder / "a.mp3"), str(folder / "b.flac"), str(folder / "a.db2")
    assert collect(changes, {a, b, other}) == {a, b, other}
    (folder / "album").mkdir()
    (folder / "a.mp3").rename(folder / "album" / "c.mp3")
    (folder / "b.flac").unlink()
    assert collect(changes, {a, b, str(folder / "album")}) <= {
        a,
        b,
        str(folder / "album"),
        str(folder / "album" / "c.mp3"),
    }


def test_growing_file(folder: Path) -> None:
    """A file that is being written is reported when it is complete."""
    changes, path = watching.steady_changes([folder], folder / "a.db"), folder / "rip.flac"
    assert next(changes) == set()

    def write() -> None:
        with path.open("wb", buffering=0) as file:
            for _ in range(15):
                file.write(bytes(1000))
                time.sleep(0.2)

    writer = threading.Thread(target=write)
    writer.start()
    collect(changes, {str(path)})
    size = path.stat().st_size
    writer.join()
    # A machine that stalls between two writes may make the file look steady; it is reported again then.
    if size < 15000:
        collect(changes, {str(path)})
    assert path.stat().st_size == 15000


@pytest.mark.parametrize("name", [b"\xff\xfe.mp3", b"album \xe9"])
def test_name_that_is_not_utf8(name: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of a name that is not UTF-8 leads to comparisons of all files, again and again for a folder."""
    monkeypatch.setattr(watching, "UNREADABLE_S", 0.5)
    changes, path = watching.steady_changes([folder], folder / "a.db"), folder / os.fsdecode(name)
    assert next(changes) == set()
    if path.suffix:
        path.write_bytes(b"x")
    else:
        path.mkdir()
    for _ in range(2):
        assert next(changes) == set()
    if path.suffix:
        (folder / "a.mp3").write_bytes(b"x")
        assert collect(changes, {str(folder / "a.mp3")}) == {str(folder / "a.mp3")}


def test_folder_that_is_not_utf8(folder: Path) -> None:
    """A folder to watch whose name is not UTF-8 is an error."""
    odd = folder / os.fsdecode(b"\xff")
    odd.mkdir()
    with pytest.raises(watching.GenreEdgeError, match="--watch needs a folder whose name is UTF-8"):
        next(watching.steady_changes([odd], folder / "a.db"))


def test_missing_folder(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that is missing, such as a network share, is waited for, and nothing is reported as removed."""
    (folder / "a.mp3").write_bytes(b"x")
    changes = watching.steady_changes([folder], folder.parent / "a.db")
    assert next(changes) == set()
    folder.rename(folder.with_name("elsewhere"))

    def restore() -> None:
        while "is missing" not in caplog.text:
            time.sleep(0.1)
        folder.with_name("elsewhere").rename(folder)

    thread = threading.Thread(target=restore, daemon=True)
    thread.start()
    assert next(changes) == set()
    assert caplog.messages == [f"{folder}: the watched folder is missing; waiting for it"]


def test_missing_library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without watchfiles, one line says how to install it."""
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(
        watching.GenreEdgeError, match=r"--watch needs watchfiles; run: pip install 'genre-edge\[library\]'"
    ):
        next(watching.steady_changes([folder], folder / "a.db"))
