"""`VerdictStore`: the SQLite database of verdicts.

Rows are ordered and removed by insertion order, not by time, because clocks may be wrong (a Raspberry Pi has no
battery-backed clock).
"""

import contextlib
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from genre_edge.station.history.repair import APPLICATION_ID, check_integrity, is_damaged, set_aside

BIN_S = 900  # bin width of the histogram of the last 24 hours
MAX_VERDICTS_IN_MEMORY = 1000
MAX_VERDICTS_IN_FILE = 100_000  # about 90 MB
MAX_COUNTS = 10_000  # rows of the table `counts`, one for each genre and bin: enough for 100 genres in a day
BUSY_TIMEOUT_S = 0.15  # SQLite's wait for another program's lock; a shutdown waits for it twice
NO_GENRE = ""  # stored for verdicts without a genre
_SCHEMA_VERSION = 1
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS verdicts (id INTEGER PRIMARY KEY, time REAL NOT NULL, content TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS verdicts_by_time ON verdicts (time);
CREATE TABLE IF NOT EXISTS counts (
    id INTEGER PRIMARY KEY, start INTEGER NOT NULL, genre TEXT NOT NULL, n INTEGER NOT NULL, UNIQUE (start, genre)
);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {_SCHEMA_VERSION};
"""
# The subquery is answered by the index alone. A table scan would read hundreds of bytes per verdict.
_NEWEST = """
SELECT content FROM verdicts WHERE id IN (
    SELECT id FROM verdicts INDEXED BY verdicts_by_time WHERE time >= ? ORDER BY id DESC LIMIT ?
) ORDER BY id
"""
_COUNTS = "SELECT start, genre, n FROM counts WHERE start > ? AND start <= ?"
_INCREMENT = """
INSERT INTO counts (start, genre, n) VALUES (?, ?, ?) ON CONFLICT (start, genre) DO UPDATE SET n = n + excluded.n
"""

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

    Not thread-safe: callers hold a lock. All methods except `close` raise sqlite3.Error.

    Args:
        path: the database file; None for memory.
        limit: maximum number of verdicts; the oldest are deleted.
    """

    def __init__(self, path: Path | None, limit: int | None = None) -> None:
        self._path = path
        self._limit = limit or (MAX_VERDICTS_IN_MEMORY if path is None else MAX_VERDICTS_IN_FILE)
        self._database: sqlite3.Connection | None = None

    def open(self, check: bool = False) -> None:
        """Open the database, or reopen it, since a failing file may have been replaced. Rename a damaged file.

        Args:
            check: run an integrity check of the whole file.
        """
        if self._path is None and self._database is not None:
            return  # reopening would discard the verdicts in memory
        name = ":memory:" if self._path is None else str(self._path)
        try:
            database = _connect(name, check)
        except sqlite3.DatabaseError as error:
            if self._path is None or not is_damaged(self._path, error):
                raise
            self.close()
            set_aside(self._path, error)
            database = _connect(name)
        self.close()
        self._database = database

    def close(self) -> None:
        """Close the database; a second call does nothing."""
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.close()

    def write(self, rows: list[Row]) -> None:
        """Insert all rows in one transaction, and delete the oldest ones above the limits."""
        assert self._database is not None
        with self._database as database:
            database.executemany(
                "INSERT INTO verdicts (time, content) VALUES (?, ?)", [(row.time, row.content) for row in rows]
            )
            database.executemany(_INCREMENT, [(*key, n) for key, n in count_by_bin(rows).items()])
            for table, limit in (("verdicts", self._limit), ("counts", MAX_COUNTS)):
                database.execute(f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?", (limit,))

    def newest(self, since: float, limit: int) -> list[Any]:
        """Return the content of the newest `limit` rows at or after `since` (unix time), oldest first.

        Contents of damaged files may be anything: see `repair.is_valid_row`.
        """
        return [content for (content,) in self._fetch(_NEWEST, since, limit)]

    def counts(self, after: float, until: float) -> BinCounts:
        """Return the counts of bins that start after `after` and not later than `until` (unix time)."""
        return Counter({(start, genre): n for start, genre, n in self._fetch(_COUNTS, after, until)})

    def _fetch(self, query: str, *values: float) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none if the database has never been opened."""
        return [] if self._database is None else self._database.execute(query, values).fetchall()


def _connect(name: str, check: bool = False) -> sqlite3.Connection:
    """Open a writable database of this schema, or create it in an empty file. Raises sqlite3.Error."""
    database = sqlite3.connect(name, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
    database.text_factory = lambda text: text.decode(errors="replace")
    try:
        _check_owner(database)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        if check:  # last, because it reads the whole file
            check_integrity(database)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _check_owner(database: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError unless the database is empty or has this schema version."""
    application_id, version = (
        database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    is_ours = (application_id, version) == (APPLICATION_ID, _SCHEMA_VERSION)
    if not is_ours and (application_id or version or tables):
        raise sqlite3.DatabaseError("not a history of this version of genre-edge")
