"""The database schema of the history, and connections to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

APPLICATION_ID = 0x67656467  # "gedg"; SQLite stores it in the header to identify the program that owns a file
SCHEMA_VERSION = 1
PAGE_SIZE = 4096
BUSY_TIMEOUT_S = 0.15  # SQLite's wait for another program's lock; a shutdown waits for it twice
WAL_LIMIT = 4 << 20  # bytes of the write-ahead log that remain after a checkpoint
VERDICTS_TABLE = "CREATE TABLE verdicts (id INTEGER PRIMARY KEY, time REAL NOT NULL, content TEXT NOT NULL)"
MARK = "genre-edge history"  # on a page of its own, so that the file can be identified if its first page is lost
_SCHEMA = f"""
{VERDICTS_TABLE.replace("TABLE", "TABLE IF NOT EXISTS", 1)};
CREATE INDEX IF NOT EXISTS verdicts_by_time ON verdicts (time);
CREATE TABLE IF NOT EXISTS counts (
    id INTEGER PRIMARY KEY, start INTEGER NOT NULL, genre TEXT NOT NULL, n INTEGER NOT NULL, UNIQUE (start, genre)
);
CREATE TABLE IF NOT EXISTS about (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
INSERT OR IGNORE INTO about VALUES (1, '{MARK}');
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""
# The subquery is answered by the index alone. A table scan would read hundreds of bytes per verdict.
NEWEST = """
SELECT content FROM verdicts WHERE id IN (
    SELECT id FROM verdicts INDEXED BY verdicts_by_time WHERE time BETWEEN ? AND ? ORDER BY id DESC LIMIT ?
) ORDER BY id
"""
COUNTS = "SELECT start, genre, n FROM counts WHERE start > ? AND start <= ?"
INCREMENT = """
INSERT INTO counts (start, genre, n) VALUES (?, ?, ?) ON CONFLICT (start, genre) DO UPDATE SET n = n + excluded.n
"""


class UnavailableError(sqlite3.OperationalError):
    """The file cannot be used now; it is not damaged."""


class ForeignFileError(sqlite3.DatabaseError):
    """The file belongs to another program or to another version; it must not be changed."""


@contextmanager
def readable_errors() -> Iterator[None]:
    """Raise sqlite3.DatabaseError where Python cannot decode SQLite's message, which quotes a damaged schema."""
    try:
        yield
    except UnicodeDecodeError:
        raise sqlite3.DatabaseError("malformed database schema") from None


def connect(path: Path | None, check: bool = False) -> sqlite3.Connection:
    """Open a writable database, or create it in an empty file.

    Args:
        path: the file; None for memory.
        check: run SQLite's integrity check, which reads the whole file.

    Raises:
        ForeignFileError: the database has another owner or version.
        sqlite3.Error: the file cannot be used, or is damaged.
    """
    database = _configured(sqlite3.connect(path or ":memory:", timeout=BUSY_TIMEOUT_S, check_same_thread=False))
    try:
        with readable_errors():
            _check_owner(database)
            _create(database)
            _check_queries(database)
            if check:
                check_integrity(database)
    except BaseException:
        database.close()
        raise
    return database


def connect_read_only(path: Path, has_wal: bool) -> sqlite3.Connection:
    """Open a history that must not be written.

    Args:
        path: the file.
        has_wal: its write-ahead log is not empty. SQLite can read the log only if it can create the log's index in the
            folder; otherwise the verdicts in the log are missing.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    last_error: sqlite3.Error | None = None
    for mode in ("mode=ro", "immutable=1")[not has_wal :]:
        database = sqlite3.connect(f"{path.as_uri()}?{mode}", timeout=BUSY_TIMEOUT_S, check_same_thread=False, uri=True)
        try:
            _check_queries(_configured(database))
            return database
        except sqlite3.Error as error:
            database.close()
            last_error = error
    assert last_error is not None
    raise last_error


def check_integrity(database: sqlite3.Connection) -> None:
    """Run SQLite's integrity check, which reads the whole file.

    Raises:
        sqlite3.DatabaseError: the file is damaged.
    """
    with readable_errors():
        if database.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("database disk image is malformed")


def _configured(database: sqlite3.Connection) -> sqlite3.Connection:
    database.text_factory = lambda text: text.decode(errors="replace")
    return database


def _create(database: sqlite3.Connection) -> None:
    """Create the tables that do not exist, and configure the connection."""
    # Before WAL, so that the file itself has the header and the schema from its first transaction.
    database.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
    database.execute(f"PRAGMA wal_autocheckpoint = {WAL_LIMIT // PAGE_SIZE}")


def _check_owner(database: sqlite3.Connection) -> None:
    """Raise ForeignFileError unless the database is empty or has this schema version."""
    application_id, version = (
        database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
    )
    tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    is_ours = (application_id, version) == (APPLICATION_ID, SCHEMA_VERSION)
    if not is_ours and (application_id or version or tables):
        raise ForeignFileError("not a history of this version of genre-edge")


def _check_queries(database: sqlite3.Connection) -> None:
    """Run the queries without reading many pages; a damaged schema makes them fail."""
    database.execute(NEWEST, (0.0, 0.0, 1)).fetchall()
    database.execute(COUNTS, (0.0, 0.0)).fetchall()
