"""Changes are reported when files are steady, and none is missed."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from genre_edge.errors import ParameterError
from genre_edge.library import watching
from genre_edge.library.watching import SteadyChanges
from tests.conftest import TIMEOUT_S


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to watch, in which files are steady after a second."""
    monkeypatch.setattr(watching, "STEADY_S", 1.0)
    (tmp_path / "music").mkdir()
    return tmp_path / "music"


EVERYTHING = SteadyChanges(frozenset(), frozenset())


def collect(changes: Iterator[SteadyChanges], wanted: set[str]) -> set[str]:
    """Return all paths reported until the wanted ones are among them."""
    found: set[str] = set()
    deadline_s = time.monotonic() + TIMEOUT_S
    while not wanted <= found:
        assert time.monotonic() < deadline_s
        found |= next(changes).paths
    return found


def test_everything_first(folder: Path) -> None:
    """What came before the system watches is found by the comparison of all files."""
    assert next(watching.steady_changes([folder], folder / "a.db")) == EVERYTHING


def test_new_moved_and_removed_files(folder: Path) -> None:
    """Audio files, folders and missing paths are reported; the database and other files are not."""
    changes = watching.steady_changes([folder], folder / "a.db")
    assert next(changes) == EVERYTHING
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
    assert next(changes) == EVERYTHING

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


@pytest.fixture
def script(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Iterator[SteadyChanges]]:
    """Let time and events follow a script of (seconds, changed paths, action before them)."""
    now_s = 0.0
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: now_s))

    def run(*steps: tuple[float, set[str], Callable[[], object] | None]) -> Iterator[SteadyChanges]:
        def events(folders: object) -> Iterator[set[str]]:
            nonlocal now_s
            for seconds, paths, action in steps:
                now_s += seconds
                if action is not None:
                    action()
                yield paths
            raise EOFError

        monkeypatch.setattr(watching, "_events", events)
        try:
            yield from watching.steady_changes([folder], folder / "a.db")
        except EOFError:
            return

    return run


def test_folder_with_a_growing_file(folder: Path, script: Callable[..., Iterator[SteadyChanges]]) -> None:
    """A folder is reported when all files in it are steady; other paths need not wait."""
    album, other = folder / "album", folder / "other.mp3"
    song = album / "cd 1" / "01.flac"
    song.parent.mkdir(parents=True)
    other.touch()

    def grow() -> None:
        with song.open("ab") as file:
            file.write(b"x")

    growing = [(0.5, {str(song)}, grow)] * 8
    changes = list(script((0.0, {str(album), str(song.parent), str(other)}, None), *growing, *[(0.5, set(), None)] * 4))
    waiting = frozenset({str(album), str(album / "cd 1"), str(song)})
    assert changes == [
        SteadyChanges(frozenset({str(other)}), waiting),
        SteadyChanges(frozenset(), waiting),  # a comparison of all files, but for these
        SteadyChanges(waiting, frozenset()),
    ]


def test_missing_path_that_returns_as_another_file(
    folder: Path, script: Callable[..., Iterator[SteadyChanges]]
) -> None:
    """A picture that is replaced looks missing for a moment; it is no audio file."""
    cover = folder / "cover.jpg"
    assert list(script((0.0, {str(cover)}, None), (0.5, set(), cover.touch), (3.0, set(), None))) == [EVERYTHING]


def test_name_that_is_not_utf8(folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """watchfiles fails at such a name; all files are compared then, and the next changes are reported."""
    monkeypatch.setattr(watching, "RESTART_S", 1.0)
    changes = watching.steady_changes([folder], folder / "a.db")
    assert next(changes) == EVERYTHING
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.wav")).touch()
    assert next(changes) == EVERYTHING
    assert "a change in the watched folders cannot be read" in caplog.text
    (folder / "a.wav").touch()
    collect(changes, {str(folder / "a.wav")})


def test_restarts_are_limited(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """watchfiles that fails at once is started every 20 s, and all files are still compared each hour."""
    now_s, starts = 0.0, []

    def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    def events(folders: object) -> Iterator[set[str]]:
        starts.append(now_s)
        assert len(starts) < 400
        yield set()
        raise watching._EventError

    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: now_s, sleep=sleep))
    monkeypatch.setattr(watching, "_events", events)
    changes = watching.steady_changes([folder], folder / "a.db")
    assert next(changes) == EVERYTHING and next(changes) == EVERYTHING
    assert starts == [20.0 * i for i in range(361)]


def test_missing_folder(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that is missing, such as a network share, is waited for, and nothing is reported as removed."""
    (folder / "a.mp3").write_bytes(b"x")
    changes = watching.steady_changes([folder], folder.parent / "a.db")
    assert next(changes) == EVERYTHING
    folder.rename(folder.with_name("elsewhere"))

    def restore() -> None:
        while "is missing" not in caplog.text:
            time.sleep(0.1)
        folder.with_name("elsewhere").rename(folder)

    thread = threading.Thread(target=restore, daemon=True)
    thread.start()
    assert next(changes) == EVERYTHING
    assert caplog.messages == [f"{folder}: the watched folder is missing; waiting for it"]


def test_missing_library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without watchfiles, one line says how to install it."""
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(
        watching.GenreEdgeError, match=r"--watch needs watchfiles; run: pip install 'genre-edge\[library\]'"
    ):
        next(watching.steady_changes([folder], folder / "a.db"))


def test_require_folders(folder: Path) -> None:
    """Files and patterns cannot be watched; a missing folder can, as a disk may be mounted later."""
    (folder / "a.wav").touch()
    watching.require_folders([str(folder), str(folder / "missing [disk]")])
    for name in (str(folder / "a.wav"), str(folder / "*.wav")):
        with pytest.raises(ParameterError, match=r"--watch needs folders, got .*\.wav"):
            watching.require_folders([name])


def test_folder_that_is_not_utf8(folder: Path) -> None:
    """A folder to watch whose name is not UTF-8 is an error."""
    odd = folder / os.fsdecode(b"\xff")
    odd.mkdir()
    with pytest.raises(watching.GenreEdgeError, match="--watch needs a folder whose name is UTF-8"):
        next(watching.steady_changes([odd], folder / "a.db"))
