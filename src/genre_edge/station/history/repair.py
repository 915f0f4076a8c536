"""Detection of damaged history files and damaged rows, and setting a damaged file aside."""

import contextlib
import json
import logging
import sqlite3
from pathlib import Path

log = logging.getLogger("genre_edge")

APPLICATION_ID = 0x67656467  # "gedg"; SQLite stores it in the header to identify the program that owns a file
_APPLICATION_ID_OFFSET = 68  # https://www.sqlite.org/fileformat2.html#the_database_header
_CORRUPT = "database disk image is malformed"  # SQLite's message for SQLITE_CORRUPT


def check_integrity(database: sqlite3.Connection) -> None:
    """Run SQLite's integrity check, which reads the whole file.

    Raises:
        sqlite3.DatabaseError: the file is damaged.
    """
    if database.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
        raise sqlite3.DatabaseError(_CORRUPT)


def is_damaged(path: Path, error: sqlite3.Error) -> bool:
    """Return True if a history file is damaged; False if it is locked, or is the file of another program.

    Args:
        path: the file.
        error: the error of an attempt to use it.
    """
    if "malformed" not in str(error):  # Python 3.10 has no sqlite_errorcode
        return False
    try:
        with path.open("rb") as file:
            return file.read(_APPLICATION_ID_OFFSET + 4)[_APPLICATION_ID_OFFSET:] == APPLICATION_ID.to_bytes(4, "big")
    except OSError:
        return False


def set_aside(path: Path, error: sqlite3.Error) -> None:
    """Rename a damaged file and its -wal and -shm files to `NAME.damaged`, replacing an earlier one.

    Args:
        path: the database file.
        error: the reason, for the log.

    Raises:
        sqlite3.OperationalError: the file cannot be renamed.
    """
    target = path.with_name(f"{path.name}.damaged")
    try:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{target}{suffix}").unlink(missing_ok=True)
        for suffix in ("-wal", "-shm", ""):  # the database last: as long as it exists, an interrupted rename is retried
            with contextlib.suppress(FileNotFoundError):
                Path(f"{path}{suffix}").replace(f"{target}{suffix}")
    except OSError as problem:
        raise sqlite3.OperationalError(f"the file is damaged and cannot be renamed: {problem.strerror}") from None
    log.warning("history %s: %s; renamed the damaged file to %s, starting a new one", path, error, target.name)


def is_valid_row(content: object) -> bool:
    """Return True if a stored value is the JSON of a verdict; one corrupted row must not make the others unreadable."""
    try:
        verdict = json.loads(content) if isinstance(content, str) else None
    except ValueError:
        return False
    return isinstance(verdict, dict) and isinstance(verdict.get("time"), (int, float))
