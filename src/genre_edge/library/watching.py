"""Changes in a library's folders, reported when the files are steady: other programs may still be writing them."""

from __future__ import annotations

import glob
import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from genre_edge.audio.suffixes import is_audio_name
from genre_edge.errors import GenreEdgeError, ParameterError

log = logging.getLogger("genre_edge")

STEADY_S = 5.0  # without a change: a ripper writes on
RESTART_S = 20.0  # between the starts of watchfiles, if it fails again and again
FULL_S = 3600.0  # the system may lose events: on network shares, or if there are too many
_STEP_MS = 1000

State = tuple[int, int] | None  # size and time of modification; None if there is no such file


@dataclass(frozen=True)
class SteadyChanges:
    """Changes to scan.

    Attributes:
        paths: files, folders and missing paths that have changed and then been steady. An empty set means that
            everything may have changed: all files are to be compared.
        pending: paths that still change: they are not to be classified yet.
    """

    paths: frozenset[str]
    pending: frozenset[str]


class _FoldersMissingError(Exception):
    """A watched folder does not exist."""


class _EventError(Exception):
    """watchfiles has failed, as it does for a name that is not UTF-8. Other events may be lost."""


def steady_changes(folders: Sequence[Path], database: Path) -> Iterator[SteadyChanges]:
    """Yield what has changed and then been steady, without an end.

    All files are to be compared soon after the start, each hour, and after a time in which changes may have been
    missed: while a folder was missing, or when watchfiles failed. Nothing is yielded while a folder is missing.

    Args:
        folders: folders to watch, with the folders in them.
        database: a file that may be in one of them, and whose changes do not count.

    Raises:
        GenreEdgeError: watchfiles is not installed, or the system cannot watch the folders.
    """
    require_watchfiles()
    path = os.path.abspath(database)  # noqa: PTH100 (as watchfiles spells it)
    pending = _Pending({path + suffix for suffix in ("", "-wal", "-shm", "-journal")})
    compared_s = time.monotonic()
    while True:
        started_s = time.monotonic()
        # Files may have come before the system began to watch. Those that are being written are pending by then.
        compare_s = min(started_s + STEADY_S, compared_s + FULL_S)
        try:
            for paths in _events(folders):
                pending.add(paths)
                if steady := pending.pop_steady():
                    yield SteadyChanges(steady, pending.paths())
                if time.monotonic() >= compare_s:
                    yield SteadyChanges(frozenset(), pending.paths())
                    compared_s = time.monotonic()
                    compare_s = compared_s + FULL_S
        except _FoldersMissingError:
            log.warning("%s: the watched folder is missing; waiting for it", _first_missing(folders))
            while not _all_exist(folders):
                time.sleep(_STEP_MS / 1000)
        except _EventError as error:
            log.warning("a change in the watched folders cannot be read (%s); comparing all files soon", error)
            time.sleep(max(0.0, started_s + RESTART_S - time.monotonic()))


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


def require_folders(names: Iterable[str]) -> None:
    """Raise a ParameterError for a file or a pattern. A folder may be missing: its disk may be mounted later."""
    for name in names:
        if not Path(name).is_dir() and glob.glob(name):  # noqa: PTH207 (absolute patterns too)
            raise ParameterError(f"--watch needs folders, got {name}")


def _events(folders: Sequence[Path]) -> Iterator[set[str]]:
    """Yield paths that have changed, and each second an empty set, until a folder is missing or watchfiles fails."""
    import watchfiles

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
            yield {path for _, path in changes}
    except FileNotFoundError:
        raise _FoldersMissingError from None
    except UnicodeEncodeError as error:
        raise GenreEdgeError(f"{error.object}: --watch needs a folder whose name is UTF-8") from None
    except OSError as error:  # for example the limit of watches
        raise GenreEdgeError(f"the system cannot watch the folders: {error}") from None
    except RuntimeError as error:  # WatchfilesRustInternalError
        raise _EventError(error) from None


def _is_relevant(path: str) -> bool:
    """Return True for audio files and folders, and for whatever is gone, which may have been a folder."""
    is_gone = not os.path.lexists(path)
    return is_audio_name(path) or is_gone or os.path.isdir(path)  # noqa: PTH112


class _Pending:
    """Paths that have changed, until they are steady.

    Args:
        ignored: paths whose changes do not count.
    """

    def __init__(self, ignored: set[str]) -> None:
        self._ignored = ignored
        self._seen: dict[str, tuple[State, float]] = {}  # state, and since when

    def paths(self) -> frozenset[str]:
        """Return the paths that are not steady."""
        return frozenset(self._seen)

    def add(self, paths: Iterable[str]) -> None:
        """Add paths that have changed now."""
        for path in paths:
            if path not in self._ignored and _is_relevant(path):
                self._seen[path] = _state(path), time.monotonic()

    def pop_steady(self) -> frozenset[str]:
        """Remove and return the paths that have not changed for `STEADY_S`; folders when all paths in them have not."""
        now_s = time.monotonic()
        for path, (state, _) in self._seen.items():
            if (current := _state(path)) != state:
                self._seen[path] = current, now_s
        steady = {path for path, (_, since_s) in self._seen.items() if now_s - since_s >= STEADY_S}
        steady -= {str(parent) for path in self._seen.keys() - steady for parent in PurePath(path).parents}
        for path in steady:
            del self._seen[path]
        return frozenset(filter(_is_relevant, steady))  # a missing path may have become a picture


def _state(path: str) -> State:
    try:
        info = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return info.st_size, info.st_mtime_ns
