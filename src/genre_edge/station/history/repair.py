"""Errors that mean a damaged file, setting it aside, and damaged rows."""

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from genre_edge.station.history.schema import ForeignFileError, UnavailableError

MAX_SET_ASIDE = 100  # damaged files beside a history
_NOT_DAMAGE_TYPES = (
    UnavailableError,
    ForeignFileError,
    sqlite3.ProgrammingError,
    sqlite3.NotSupportedError,
    sqlite3.InterfaceError,
)
# SQLite's messages for faults outside the file's content (Python 3.10 has no sqlite_errorcode), and for wrong rows.
_NOT_DAMAGE = (
    "locked",
    "unable to open",
    "readonly",
    "disk is full",
    "disk I/O error",
    "locking protocol",
    "out of memory",
    "permission denied",
    "interrupted",
    "too big",
    "NOT NULL",
)


def is_damage(error: sqlite3.Error) -> bool:
    """Return True if an error of a file that is a history means that its content is damaged."""
    if isinstance(error, _NOT_DAMAGE_TYPES):
        return False
    return not any(message in str(error) for message in _NOT_DAMAGE)


def set_aside(path: Path) -> str:
    """Rename a damaged file and its -wal and -shm files to `NAME.damaged`, or `NAME.damaged.N` if that exists.

    Args:
        path: the database file, not a symbolic link.

    Returns:
        The new name.

    Raises:
        UnavailableError: the file cannot be renamed, or there are `MAX_SET_ASIDE` damaged files already.
    """
    try:
        target = _reserve(path)
        for suffix in ("-wal", "-shm", ""):  # the database last: as long as it exists, an interrupted rename is retried
            with contextlib.suppress(FileNotFoundError):
                Path(f"{path}{suffix}").replace(f"{target}{suffix}")
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                if not (left := Path(f"{target}{suffix}")).stat().st_size:
                    left.unlink()
    except OSError as problem:
        raise UnavailableError(f"the file is damaged and cannot be renamed: {problem.strerror}") from None
    return target.name


def _reserve(path: Path) -> Path:
    """Create empty files under names that nothing has, and return the first; so a rename replaces no other file."""
    for i in range(MAX_SET_ASIDE):
        target = path.with_name(f"{path.name}.damaged" + (f".{i}" if i else ""))
        reserved: list[Path] = []
        try:
            for suffix in ("", "-wal", "-shm"):
                name = Path(f"{target}{suffix}")
                name.touch(exist_ok=False)
                reserved.append(name)
            return target
        except FileExistsError:
            for name in reserved:
                name.unlink()
    raise UnavailableError(f"the file is damaged, and so are {MAX_SET_ASIDE} beside it; remove them")


def is_valid_row(content: object) -> bool:
    """Return True if a stored value is the JSON of a verdict; one corrupted row must not make the others unreadable."""
    try:
        verdict = json.loads(content, parse_constant=_reject) if isinstance(content, str) else None
    except (ValueError, RecursionError):
        return False
    return isinstance(verdict, dict) and isinstance(verdict.get("time"), (int, float)) and "genre" in verdict


def is_valid_count(start: object, genre: object, n: object) -> bool:
    """Return True if the values of a row of `counts` have the types of the schema."""
    return isinstance(start, int) and isinstance(genre, str) and isinstance(n, int) and n > 0


def _reject(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
