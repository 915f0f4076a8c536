"""Changes in a library's folders, reported when the files are steady: other programs may still be writing them."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from genre_edge.audio.suffixes import is_audio_name
from genre_edge.errors import GenreEdgeError

log = logging.getLogger("genre_edge")

STEADY_S = 5.0  # without a change: a ripper writes on
FULL_S = 3600.0  # the system may lose events: on network shares, or if there are too many
UNREADABLE_S = 60.0  # until all files are compared after a change that watchfiles cannot report
_STEP_MS = 1000

State = tuple[int, int] | None  # size and time of modification; None if there is no such file


class _FoldersMissingError(Exception):
    """A watched folder does not exist."""


class _UnreadableChangeError(Exception):
    """The name of a changed file is not UTF-8, which watchfiles cannot report."""


def steady_changes(folders: Sequence[Path], database: Path) -> Iterator[set[str]]:
    """Yield sets of paths that have changed and then been steady, without an end: files, folders, and missing ones.

    An empty set means that everything may have changed: at the start, each hour, after a folder was missing, and after
    a change of a file whose name is not UTF-8. Then the caller compares all files. Nothing is yielded while a folder is
    missing.

    Args:
        folders: folders to watch, with the folders in them.
        database: a file that may be in one of them, and whose changes do not count.

    Raises:
        GenreEdgeError: watchfiles is not installed, or the system cannot watch the folders.
    """
    while True:
        try:
            yield from _until_missing(folders, database)
        except _FoldersMissingError:
            log.warning("%s: the watched folder is missing; waiting for it", _first_missing(folders))
            while not _all_exist(folders):
                time.sleep(_STEP_MS / 1000)
        except _UnreadableChangeError:
            time.sleep(UNREADABLE_S)
            yield set()


def _all_exist(folders: Sequence[Path]) -> bool:
    return all(folder.is_dir() for folder in folders)


def _first_missing(folders: Sequence[Path]) -> Path:
    return next((folder for folder in folders if not folder.is_dir()), folders[0])


def require_watchfiles() -> None:
    """Raise a GenreEdgeError if watchfiles is not installed."""
    try:
        import watchfiles  # noqa: F401
    except ImportError:
        raise GenreEdgeError("--watch needs watchfiles; run: pip install 'genre-edge[library]'") from None


def _until_missing(folders: Sequence[Path], database: Path) -> Iterator[set[str]]:
    require_watchfiles()
    import watchfiles

    pending = _Pending()
    path = os.path.abspath(database)  # noqa: PTH100 (as watchfiles spells it)
    own = {path + suffix for suffix in ("", "-wal", "-shm", "-journal")}
    full_s = time.monotonic()  # at once: files may have come before the system began to watch
    events = watchfiles.watch(
        *map(os.path.abspath, folders),
        watch_filter=None,  # with a filter, nothing is yielded while there are only events that it rejects
        rust_timeout=_STEP_MS,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    )
    try:
        for changes in events:
            if not _all_exist(folders):
                raise _FoldersMissingError
            pending.add(path for _, path in changes if path not in own and _is_relevant(path))
            if steady := pending.steady():
                yield steady
            if time.monotonic() >= full_s:
                full_s = time.monotonic() + FULL_S
                yield set()
    except FileNotFoundError:
        raise _FoldersMissingError from None
    except UnicodeEncodeError as error:
        raise GenreEdgeError(f"{error.object}: --watch needs a folder whose name is UTF-8") from None
    except (OSError, RuntimeError) as error:  # for example the limit of watches
        if "decode path" in str(error):
            raise _UnreadableChangeError from None
        raise GenreEdgeError(f"the system cannot watch the folders: {error}") from None


def _is_relevant(path: str) -> bool:
    """Return True for audio files and folders, and for whatever is gone, which may have been a folder."""
    is_gone = not os.path.lexists(path)
    return is_audio_name(path) or is_gone or os.path.isdir(path)  # noqa: PTH112


class _Pending:
    """Paths that have changed, until they are steady."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[State, float]] = {}  # state, and since when

    def add(self, paths: Iterator[str]) -> None:
        """Add paths that have changed now."""
        for path in paths:
            self._seen[path] = _state(path), time.monotonic()

    def steady(self) -> set[str]:
        """Remove and return the paths that have not changed for `STEADY_S`."""
        now_s = time.monotonic()
        for path, (state, _) in self._seen.items():
            if (current := _state(path)) != state:
                self._seen[path] = current, now_s
        steady = {path for path, (_, since_s) in self._seen.items() if now_s - since_s >= STEADY_S}
        for path in steady:
            del self._seen[path]
        return steady


def _state(path: str) -> State:
    try:
        info = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return info.st_size, info.st_mtime_ns
