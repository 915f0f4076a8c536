"""What was heard: verdicts in SQLite, in memory or in a file, bounded, and written so that a memory card lives long.

New verdicts wait in memory and are written many at a time by a thread of their own, so that whoever adds one never
waits for a disk. Readers see both. A file that cannot be used costs one line in the log, the newest verdicts wait on,
and it is tried again at each batch: a station listens whatever its disk does. One that is ours, but
damaged, is set aside.

Clocks are wrong at times (a Pi has none of its own), so what is old goes by the order in which it came.
"""

import contextlib
import json
import logging
import sqlite3
import threading
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any, Literal, NamedTuple

log = logging.getLogger("genre_edge")

BIN_S = 900  # of the day's chart
DAY_S = 86400
LIMIT_IN_MEMORY = 1000  # verdicts
LIMIT_IN_FILE = 100_000  # some 90 MB
BATCH = 100  # verdicts that are worth writing
BATCH_S = 60.0  # or what came in so long
MOST_WAITING = 1000  # while a file cannot be written
MOST_COUNTS = 10_000  # rows: a genre in a bin each, so a day of a hundred genres
BUSY_S = 0.15  # to wait for another program's lock, which whoever ends a station must outwait twice
_APPLICATION_ID = 0x67656467  # "gedg", by which SQLite files tell whose they are
_SCHEMA_VERSION = 1
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS verdicts (id INTEGER PRIMARY KEY, time REAL NOT NULL, content TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS verdicts_by_time ON verdicts (time);
CREATE TABLE IF NOT EXISTS counts (
    id INTEGER PRIMARY KEY, start INTEGER NOT NULL, genre TEXT NOT NULL, n INTEGER NOT NULL, UNIQUE (start, genre)
);
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_SCHEMA_VERSION};
"""
_NONE = ""  # the genre of verdicts that have none
# By the index alone, or verdicts of hundreds of bytes each would be read in search of the last few.
_NEWEST = """
SELECT content FROM verdicts WHERE id IN (
    SELECT id FROM verdicts INDEXED BY verdicts_by_time WHERE time >= ? ORDER BY id DESC LIMIT ?
) ORDER BY id
"""

Verdict = dict[str, Any]


class _Waiting(NamedTuple):
    """A verdict that is not yet written."""

    number: int
    time: float
    genre: str
    content: str

    @property
    def bin(self) -> tuple[int, str]:
        return int(self.time // BIN_S * BIN_S), self.genre


class History:
    """Verdicts as dicts with `time`, in unix seconds. Any threads may use one together.

    Args:
        path: the file; None for memory.
        limit: how many verdicts are kept; the oldest make room.
    """

    def __init__(self, path: Path | None = None, limit: int | None = None) -> None:
        self._waiting: deque[_Waiting] = deque(maxlen=MOST_WAITING)
        self._number = 0
        self._changed = threading.Condition()  # guards the two above, and is never held while a disk works
        self._closing = self._failing = False
        self._database_lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._path = path
        self._limit = limit or (LIMIT_IN_MEMORY if path is None else LIMIT_IN_FILE)
        try:
            self._open()
        except sqlite3.Error as error:
            self._failed(error)
        self._writer = threading.Thread(target=self._write_now_and_then, name="history", daemon=True)
        self._writer.start()

    @property
    def state(self) -> Literal["memory", "file", "failing"]:
        """Where verdicts are kept; `failing` is a file that could not be used when it was tried last."""
        if self._path is None:
            return "memory"
        return "failing" if self._failing else "file"

    @property
    def unsaved(self) -> int:
        """How many verdicts wait for the file."""
        return 0 if self._path is None else len(self._waiting)

    def add(self, verdict: Verdict) -> None:
        """Remember a verdict; waits for nothing."""
        content = json.dumps(verdict, separators=(",", ":"), allow_nan=False)
        with self._changed:
            self._number += 1
            self._waiting.append(_Waiting(self._number, verdict["time"], verdict["genre"] or _NONE, content))
            if len(self._waiting) >= BATCH:
                self._changed.notify()

    def verdicts(self, since: float = 0.0, limit: int = 1000) -> list[Verdict]:
        """The newest `limit` of those at or after `since`, in the order in which they came."""
        return [json.loads(content) for content in self.texts(since, limit)]

    def texts(self, since: float = 0.0, limit: int = 1000) -> list[str]:
        """The same as JSON, each by itself."""
        with self._database_lock:
            found: list[str] = [content for (content,) in self._read(_NEWEST, since, limit)]
            found += [one.content for one in self._copy() if one.time >= since]
        return [text for text in found[-limit:] if _is_whole(text)]

    def day(self, now: float | None = None) -> list[dict[str, Any]]:
        """What was heard in the 24 hours before `now`, counted in bins of `BIN_S` seconds that are not empty."""
        now = time.time() if now is None else now
        with self._database_lock:
            rows = self._read("SELECT start, genre, n FROM counts WHERE start > ? AND start <= ?", now - DAY_S, now)
            counts = Counter({(start, genre): n for start, genre, n in rows})
            counts.update(one.bin for one in self._copy())
        bins: dict[int, dict[str, Any]] = {}
        for (start, genre), n in sorted(counts.items()):
            if now - DAY_S < start <= now:
                one = bins.setdefault(start, {"start": start, "genres": {}, "none": 0})
                if genre == _NONE:
                    one["none"] = n
                else:
                    one["genres"][genre] = n
        return list(bins.values())

    def flush(self) -> None:
        """Write what waits, now."""
        with self._database_lock:
            waiting = self._copy()
            if not waiting:
                return
            try:
                if self._failing:
                    self._open()
                self._write(waiting)
            except sqlite3.Error as error:
                self._failed(error)
                return
            self._well()
            with self._changed:
                while self._waiting and self._waiting[0].number <= waiting[-1].number:
                    self._waiting.popleft()

    def close(self) -> None:
        """Write what waits and let go of the file."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._writer.join()
        self.flush()
        with self._database_lock:
            self._close_database()

    def _write_now_and_then(self) -> None:
        while True:
            with self._changed:
                # While it fails, not at each verdict but when the time has come.
                self._changed.wait_for(
                    lambda: self._closing or (len(self._waiting) >= BATCH and not self._failing), BATCH_S
                )
                if self._closing:
                    return
            self.flush()

    def _write(self, waiting: list[_Waiting]) -> None:
        """All of them, or none and sqlite3.Error."""
        assert self._database is not None
        verdicts = [(one.time, one.content) for one in waiting]
        counts = [(*key, n) for key, n in Counter(one.bin for one in waiting).items()]
        with self._database as database:
            database.executemany("INSERT INTO verdicts (time, content) VALUES (?, ?)", verdicts)
            database.executemany(
                "INSERT INTO counts (start, genre, n) VALUES (?, ?, ?) "
                "ON CONFLICT (start, genre) DO UPDATE SET n = n + excluded.n",
                counts,
            )
            for table, limit in (("verdicts", self._limit), ("counts", MOST_COUNTS)):
                database.execute(f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?", (limit,))

    def _copy(self) -> list[_Waiting]:
        with self._changed:
            return list(self._waiting)

    def _read(self, query: str, *values: float) -> list[tuple[Any, ...]]:
        """Rows, or none from a file that is unreadable."""
        try:
            return [] if self._database is None else self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            self._failed(error)
            return []

    def _failed(self, error: sqlite3.Error) -> None:
        """One line a change of state, as in `_well`."""
        if not self._failing:
            log.warning("history %s: %s; the newest %d verdicts wait in memory", self._path, error, MOST_WAITING)
        self._failing = True

    def _well(self) -> None:
        if self._failing:
            log.warning("history %s: written again", self._path)
        self._failing = False

    def _open(self) -> None:
        """The database, perhaps anew: a file that fails may have been replaced. Raises sqlite3.Error."""
        if self._path is None and self._database is not None:
            return
        name = ":memory:" if self._path is None else str(self._path)
        try:
            database = _prepared(name, check=self._failing)
        except sqlite3.DatabaseError as error:
            if self._path is None or not _is_damaged(self._path, error):
                raise
            self._close_database()
            _set_aside(self._path, error)
            database = _prepared(name)
        self._close_database()
        self._database = database

    def _close_database(self) -> None:
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.close()


def _is_damaged(path: Path, error: sqlite3.Error) -> bool:
    """Whether an error tells that a file of ours is broken, rather than locked, or another program's."""
    if "malformed" not in str(error):  # SQLITE_CORRUPT in words, as Python 3.10 tells no codes
        return False
    try:
        with path.open("rb") as file:
            return file.read(72)[68:] == _APPLICATION_ID.to_bytes(4, "big")  # where SQLite's file format has it
    except OSError:
        return False


def _set_aside(path: Path, error: sqlite3.Error) -> None:
    """For whoever wants to mend it; an earlier one makes room. Raises sqlite3.Error."""
    aside = path.with_name(f"{path.name}.damaged")
    try:
        for ending in ("", "-wal", "-shm"):
            Path(f"{aside}{ending}").unlink(missing_ok=True)
        for ending in ("-wal", "-shm", ""):  # the file itself last: as long as it is there, this is tried again
            with contextlib.suppress(FileNotFoundError):
                Path(f"{path}{ending}").replace(f"{aside}{ending}")
    except OSError as problem:
        raise sqlite3.OperationalError(f"damaged, and cannot be set aside: {problem.strerror}") from None
    log.warning("history %s: %s; it is %s now, and a new one begins", path, error, aside.name)


def _is_whole(content: object) -> bool:
    """Whether it is a verdict: a byte that a memory card has lost must not spoil the others' list."""
    try:
        found = json.loads(content) if isinstance(content, str) else None
    except ValueError:
        return False
    return isinstance(found, dict) and isinstance(found.get("time"), (int, float))


def _prepared(name: str, check: bool = False) -> sqlite3.Connection:
    """A database that is ours, or is new, and can be written; `check` looks at all of it. Raises sqlite3.Error."""
    database = sqlite3.connect(name, timeout=BUSY_S, check_same_thread=False)
    database.text_factory = lambda text: text.decode(errors="replace")
    try:
        owner, version = (
            database.execute(f"PRAGMA {what}").fetchone()[0] for what in ("application_id", "user_version")
        )
        tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if (owner, version) != (_APPLICATION_ID, _SCHEMA_VERSION) and (owner or version or tables):
            raise sqlite3.DatabaseError("no history of this version of genre-edge")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        if check and database.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":  # reads all, so not sooner
            raise sqlite3.DatabaseError("database disk image is malformed")
    except sqlite3.Error:
        database.close()
        raise
    return database
