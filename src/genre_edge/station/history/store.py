"""`VerdictStore`: the SQLite database of verdicts.

Rows are ordered and removed by insertion order, not by time, because clocks may be wrong (a Raspberry Pi has no
battery-backed clock).
"""

import contextlib
import logging
import math
import os
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from genre_edge.station.history.database_file import Change, DatabaseFile
from genre_edge.station.history.repair import is_damage, is_valid_count, set_aside
from genre_edge.station.history.schema import (
    BUSY_TIMEOUT_S,
    COUNTS,
    INCREMENT,
    NEWEST,
    UnavailableError,
    check_integrity,
    connect,
    connect_read_only,
    readable_errors,
)

__all__ = ["BUSY_TIMEOUT_S", "BinCounts", "Row", "VerdictStore", "count_by_bin"]

log = logging.getLogger("genre_edge")

BIN_S = 900  # bin width of the histogram of the last 24 hours
MAX_VERDICTS_IN_MEMORY = 1000
MAX_VERDICTS_IN_FILE = 100_000  # about 90 MB, with styles 110 MB, with --vocabulary styles 150 MB
MAX_COUNTS = 10_000  # rows of the table `counts`, one for each genre and bin: enough for 100 genres in a day
MAX_WAL_SIZE = 16 << 20  # bytes of the write-ahead log; it grows while another program reads without end
_LOST: dict[Change | None, str] = {  # changes after which the open file is no longer the history
    "deleted": "starting a new one",
    "emptied": "starting a new one",
    "overwritten": "starting a new one",
    "replaced": "continuing with the new one",
}
_CHECK_STEPS = 10_000  # steps of SQLite's virtual machine, of about 0.1 us, between two questions whether to stop
NO_GENRE = ""  # stored for verdicts without a genre

BinCounts = Counter[tuple[int, str]]  # verdicts by (start of the bin in unix seconds, genre)


class Row(NamedTuple):
    """One verdict: unix time, genre or `NO_GENRE`, JSON."""

    time: float
    genre: str
    content: str


def count_by_bin(rows: list[Row]) -> BinCounts:
    """Count the verdicts of each genre in each bin of `BIN_S` seconds."""
    return Counter((int(row.time // BIN_S * BIN_S), row.genre) for row in rows)


class VerdictStore:
    """SQLite database of verdicts, in a file or in memory.

    Not thread-safe: callers hold a lock. All methods except `close` raise sqlite3.Error, or OSError.

    Args:
        path: the database file; None for memory.
        limit: maximum number of verdicts; the oldest are deleted.

    Attributes:
        read_only: the open file can be read, but not written.
    """

    def __init__(self, path: Path | None, limit: int | None = None) -> None:
        self._path = path
        self._limit = limit or (MAX_VERDICTS_IN_MEMORY if path is None else MAX_VERDICTS_IN_FILE)
        self._database: sqlite3.Connection | None = None
        self._file: DatabaseFile | None = None
        self._has_been_open = False
        self._is_suspect = False  # a read failed: check the file before the next write
        self._has_created_index = False  # SQLite created the index of the WAL for a read-only connection
        self.read_only = False

    def open(self, check: bool = False) -> None:
        """Open the database, or reopen it. Set a damaged file aside, and begin a new one.

        Args:
            check: run an integrity check of the whole file.

        Raises:
            UnavailableError: the file can only be read (`read_only`), or not be opened.
            ForeignFileError: the file is not a history, or one with a newer schema; it is not changed.
        """
        if self._path is None:
            if self._database is None:  # reopening would discard the verdicts in memory
                self._database = connect(None)
            return
        self.close()
        if self._has_been_open:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connect(self._path, check)
        except _DamagedError as damage:
            self._begin_anew(self._path, damage.error)
        self._has_been_open, self._is_suspect = True, False

    def _begin_anew(self, path: Path, error: sqlite3.Error) -> None:
        """Set a damaged file aside, and create a new one. Raises sqlite3.Error."""
        self.close()
        name = set_aside(path.resolve())
        log.warning("history %s: %s; renamed the damaged file to %s, starting a new one", path, error, name)
        self._connect(path, check=False)

    def _connect(self, path: Path, check: bool) -> None:
        """Open the file and its database. Raises _DamagedError, or sqlite3.Error."""
        file = self._file = DatabaseFile(path)
        kind: str | None = None
        try:
            kind = file.kind()
            if kind == "damaged":
                raise sqlite3.DatabaseError("the header is damaged or missing")
            if kind == "history" and not os.access(file.path, os.W_OK):
                raise UnavailableError("the file is read-only")  # SQLite would create a WAL that is read-only, too
            self._database = connect(file.path, check)
            file.remember()
        except sqlite3.Error as error:
            if kind == "history" and not is_damage(error) and not _is_writable(file.path):
                self._open_read_only(file)
                raise UnavailableError("the file is read-only") from None
            if kind == "damaged" or (kind == "history" and is_damage(error)):
                raise _DamagedError(error) from None
            raise
        finally:
            if self._database is None:
                self._file = None
                file.close()

    def _open_read_only(self, file: DatabaseFile) -> None:
        self._has_created_index = not file.has_index()
        self._database, self.read_only = connect_read_only(file.path, file.wal_size() > 0), True
        file.remember()

    def close(self) -> None:
        """Close the database without harm to a file that is no longer the one that was opened.

        A second call does nothing.
        """
        database, file, was_read_only = self._database, self._file, self.read_only
        self._database, self._file, self.read_only = None, None, False
        change: Change | None = "modified"
        with contextlib.suppress(OSError, sqlite3.Error):
            if file is not None:
                file.restore_index()
            change = file.change() if file else None
            if database is not None and file is not None:
                _prepare_close(database, file, change)
        if database is not None:
            with contextlib.suppress(sqlite3.Error):
                database.close()
        if file is not None:
            with contextlib.suppress(OSError):
                if change in _LOST:
                    file.remove("-wal", "-shm")
                elif was_read_only and self._has_created_index:
                    file.remove("-shm")  # it has the mode of the file: SQLite could not write it later
            file.close()

    def check(self, is_stopped: Callable[[], bool]) -> None:
        """Read the whole file for damage, until `is_stopped`; the next write sets a damaged one aside."""
        if self._file is None or self._database is None:
            return
        self._database.set_progress_handler(is_stopped, _CHECK_STEPS)
        try:
            check_integrity(self._database)
        except sqlite3.Error as error:
            self._is_suspect = is_damage(error)
        finally:
            self._database.set_progress_handler(None, 0)

    def write(self, rows: list[Row]) -> None:
        """Insert all rows in one transaction, and delete the oldest ones above the limits.

        A file that was deleted, replaced, changed or damaged since the last write is opened again or begun anew.
        """
        self._reopen_if_needed()
        try:
            self._insert(rows)
        except sqlite3.Error as error:
            if self._path is None or not is_damage(error):
                raise
            self.open(check=True)
            self._insert_or_begin_anew(self._path, rows)

    def _insert_or_begin_anew(self, path: Path, rows: list[Row]) -> None:
        try:
            self._insert(rows)
        except sqlite3.Error as error:  # a fault that the integrity check does not find
            if not is_damage(error):
                raise
            self._begin_anew(path, error)
            self._insert(rows)

    def _reopen_if_needed(self) -> None:
        if self._file is None or self.read_only:
            self.open(check=self._is_suspect)
            return
        self._file.restore_index()
        change = self._file.change()
        if change is None and not self._is_suspect:
            return
        self.open(check=change != "made read-only")
        if change in _LOST:
            log.warning("history %s: the file was %s; %s", self._path, change, _LOST[change])

    def _insert(self, rows: list[Row]) -> None:
        assert self._database is not None
        try:
            self._bound_wal()
            with readable_errors(), self._database as database:
                database.executemany(
                    "INSERT INTO verdicts (time, content) VALUES (?, ?)", [(row.time, row.content) for row in rows]
                )
                database.executemany(INCREMENT, [(*key, n) for key, n in count_by_bin(rows).items()])
                for table, limit in (("verdicts", self._limit), ("counts", MAX_COUNTS)):
                    self._delete_oldest(table, limit, len(rows))
        finally:
            if self._file is not None:
                self._file.remember()

    def _delete_oldest(self, table: str, limit: int, n_new: int) -> None:
        """Delete the oldest rows. IDs are consecutive; a damaged one must not delete all other rows."""
        assert self._database is not None
        first, last = self._database.execute(f"SELECT min(id), max(id) FROM {table}").fetchone()
        if last is not None and last - first > max(limit, MAX_VERDICTS_IN_FILE) + n_new:
            raise sqlite3.DatabaseError("database disk image is malformed")
        self._database.execute(f"DELETE FROM {table} WHERE id <= ?", ((last or 0) - limit,))

    def _bound_wal(self) -> None:
        if self._file is None or self._file.wal_size() <= MAX_WAL_SIZE:
            return
        assert self._database is not None
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if self._file.wal_size() > MAX_WAL_SIZE:
            raise UnavailableError("another program keeps reading, so the write-ahead log is full")

    def newest(self, since: float, limit: int, until: float = math.inf) -> list[Any]:
        """Return the content of the newest `limit` rows from `since` to `until` (unix time), oldest first.

        Contents of damaged files may be anything: see `repair.is_valid_row`.
        """
        return [content for (content,) in self._fetch(NEWEST, since, until, limit)]

    def counts(self, after: float, until: float) -> BinCounts:
        """Return the counts of bins that start after `after` and not later than `until` (unix time)."""
        rows = self._fetch(COUNTS, after, until)
        return Counter({(start, genre): n for start, genre, n in rows if is_valid_count(start, genre, n)})

    def _fetch(self, query: str, *values: float) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none if the database is not open."""
        if self._database is None:
            return []
        if self._file is not None:
            self._file.restore_index()
        try:
            with readable_errors():
                return self._database.execute(query, values).fetchall()
        except sqlite3.Error:
            self._is_suspect = True
            raise


class _DamagedError(Exception):
    """A file that is a history is damaged.

    Args:
        error: SQLite's error.
    """

    def __init__(self, error: sqlite3.Error) -> None:
        super().__init__(error)
        self.error = error


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _prepare_close(database: sqlite3.Connection, file: DatabaseFile, change: Change | None) -> None:
    """Decide whether closing may write the WAL into the file and delete it."""
    if change in ("deleted", "replaced"):
        if file.is_linked():  # moved: complete the file under its new name
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    elif change in ("emptied", "overwritten") or (change == "modified" and file.has_wal()):
        file.prevent_checkpoint(database)  # the next connection recovers the intact part of the WAL
