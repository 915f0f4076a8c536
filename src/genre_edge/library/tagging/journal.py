"""`TagJournal`: what each run of `tag apply` changed, and how to take it back; SQLite, beside the library's database.

A change is recorded, and on the disk, before its file is replaced. After a kill or a power failure, the file's digest
says whether that happened.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

from genre_edge.errors import GenreEdgeError

SUFFIX = ".tags"  # of a journal, behind the name of the library's database
APPLYING, APPLIED, UNDOING, UNDONE = "applying", "applied", "undoing", "undone"

_APPLICATION_ID, _SCHEMA_VERSION = 0x67656C74, 1  # "gelt"
_BUSY_S = 2.0
_LOG_BYTES = 16 << 20  # the write-ahead log is cut to this size after a checkpoint
_TABLES = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    started_at TEXT NOT NULL,
    is_finished INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE folders (run_id INTEGER NOT NULL REFERENCES runs (id), folder BLOB NOT NULL);
CREATE TABLE changes (
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES runs (id),
    path BLOB NOT NULL,
    state TEXT NOT NULL,
    old_digest TEXT NOT NULL,
    new_digest TEXT NOT NULL,
    old_genres TEXT NOT NULL,
    new_genres TEXT NOT NULL,
    delta BLOB NOT NULL
);
CREATE INDEX changes_by_run ON changes (run_id, state);
CREATE INDEX changes_unsettled ON changes (state) WHERE state IN ('applying', 'undoing');
"""


class JournalError(GenreEdgeError):
    """Raised if the journal cannot be opened, read or written; the message names it."""


@dataclass(frozen=True)
class Change:
    """A change of one file.

    Attributes:
        id: number of the change.
        path: the file, without symbolic links.
        old_digest, new_digest: digests of the whole file before and after the change.
    """

    id: int
    path: Path
    old_digest: str
    new_digest: str


@dataclass(frozen=True)
class Run:
    """A run of `tag apply`: its number, its start (ISO 8601, UTC), and how many files are tagged and undone."""

    id: int
    started_at: str
    n_applied: int
    n_undone: int


class TagJournal:
    """A journal; one process at a time can use it.

    Args:
        path: the file; created if it does not exist, unless `must_exist`.
        must_exist: raise an error if there is no journal yet.

    Raises:
        JournalError: the file is no journal of this version, cannot be opened, or another process uses it.
    """

    def __init__(self, path: Path, must_exist: bool = False) -> None:
        self.path = path
        if must_exist and not path.exists():
            raise JournalError(f"{path}: no such journal; genre-edge tag apply makes it")
        with self._errors():
            self._connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        try:
            with self._errors():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> "TagJournal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def begin(self, folders: Iterable[Path]) -> int:
        """Record a new run and the folders in which it changes files; return its number."""
        with self._transaction():
            run = self._connection.execute("INSERT INTO runs (started_at) VALUES (?)", (_now(),)).lastrowid
            rows = [(run, os.fsencode(folder)) for folder in sorted(set(folders))]
            self._connection.executemany("INSERT INTO folders VALUES (?, ?)", rows)
        assert run is not None
        return run

    def reopen(self, run: int) -> None:
        """Record that an undo changes a run's files."""
        with self._transaction():
            self._connection.execute("UPDATE runs SET is_finished = 0 WHERE id = ?", (run,))

    def finish(self, run: int) -> None:
        """Record that nothing is left to clean up after a run or its undo. A run without changes is forgotten."""
        with self._transaction():
            self._connection.execute("UPDATE runs SET is_finished = 1 WHERE id = ?", (run,))
            if not self._connection.execute("SELECT 1 FROM changes WHERE run_id = ?", (run,)).fetchone():
                self._connection.execute("DELETE FROM folders WHERE run_id = ?", (run,))
                self._connection.execute("DELETE FROM runs WHERE id = ?", (run,))

    def unfinished(self) -> dict[int, list[Path]]:
        """Return the runs that did not finish, with their folders."""
        query = "SELECT run_id, folder FROM folders JOIN runs ON run_id = runs.id WHERE NOT is_finished"
        runs: dict[int, list[Path]] = {}
        for run, folder in self._execute(query):
            runs.setdefault(run, []).append(Path(os.fsdecode(folder)))
        return runs

    def record(
        self,
        run: int,
        path: Path,
        digests: tuple[str, str],
        genres: tuple[tuple[str, ...], tuple[str, ...]],
        delta: bytes,
    ) -> int:
        """Record a change that is about to be made; return its number. Digests and genres are (old, new)."""
        values = run, os.fsencode(path), APPLYING, *digests, *map(json.dumps, genres), delta
        with self._transaction():
            number = self._connection.execute(
                "INSERT INTO changes (run_id, path, state, old_digest, new_digest, old_genres, new_genres, delta) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            ).lastrowid
        assert number is not None
        return number

    def set_state(self, change: int, state: str) -> None:
        """Set the state of a change."""
        with self._transaction():
            self._connection.execute("UPDATE changes SET state = ? WHERE id = ?", (state, change))

    def discard(self, change: int) -> None:
        """Forget a change that was not made."""
        with self._transaction():
            self._connection.execute("DELETE FROM changes WHERE id = ?", (change,))

    def settle(self, digest: Callable[[Path], str]) -> None:
        """Find out whether the changes were made during which a process was killed.

        Args:
            digest: returns the digest of a whole file; raises OSError.
        """
        for state in (APPLYING, UNDOING):
            for change in self.changes(state=state):
                try:
                    found = digest(change.path)
                except OSError:
                    continue  # gone, or on a disk that is not mounted: the next run looks again
                if found != change.old_digest:
                    self.set_state(change.id, APPLIED)
                elif state == APPLYING:
                    self.discard(change.id)
                else:
                    self.set_state(change.id, UNDONE)

    def changes(self, run: int | None = None, state: str | None = None) -> list[Change]:
        """Return the changes of a run (None: of all) in a state (None: in any), the last one first."""
        query = (
            "SELECT id, path, old_digest, new_digest FROM changes "
            "WHERE (?1 IS NULL OR run_id = ?1) AND (?2 IS NULL OR state = ?2) ORDER BY id DESC"
        )
        return [
            Change(number, Path(os.fsdecode(path)), *rest) for number, path, *rest in self._execute(query, run, state)
        ]

    def delta(self, change: int) -> bytes:
        """Return the delta of a change."""
        ((delta,),) = self._execute("SELECT delta FROM changes WHERE id = ?", change)
        return bytes(delta)

    def later_run(self, change: Change) -> int | None:
        """Return the last run that has changed the same file after a change, and is not undone; None without one."""
        query = "SELECT max(run_id) FROM changes WHERE path = ? AND id > ? AND state = ?"
        ((run,),) = self._execute(query, os.fsencode(change.path), change.id, APPLIED)
        return run if isinstance(run, int) else None

    def runs(self) -> Iterator[Run]:
        """Yield the runs, the first one first."""
        query = (
            "SELECT runs.id, started_at, coalesce(sum(state != ?1), 0), coalesce(sum(state = ?1), 0) "
            "FROM runs LEFT JOIN changes ON run_id = runs.id GROUP BY runs.id ORDER BY runs.id"
        )
        for row in self._execute(query, UNDONE):
            yield Run(*row)

    def _prepare(self) -> None:
        """Lock the file, create the tables in a new one, and check the schema of another one."""
        execute = self._connection.execute
        execute("PRAGMA locking_mode = EXCLUSIVE")
        execute("PRAGMA synchronous = FULL")
        (application_id,), (version,) = (
            execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
        )
        is_empty = not execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not is_empty and application_id != _APPLICATION_ID:
            raise JournalError(f"{self.path}: not a journal of genre-edge tag")
        if not is_empty and version != _SCHEMA_VERSION:
            raise JournalError(f"{self.path}: schema version {version}; this genre-edge reads {_SCHEMA_VERSION}")
        execute("PRAGMA journal_mode = WAL")
        execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        with self._transaction():
            if is_empty:
                for statement in _TABLES.split(";")[:-1]:
                    execute(statement)
                execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")

    def _execute(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self._errors():
            return self._connection.execute(query, parameters).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Take the write lock; commit at the end, or roll back after an error."""
        with self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            is_busy = "locked" in str(error)
            reason = "another process is using this journal" if is_busy else str(error)
            raise JournalError(f"{self.path}: {reason}") from None


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
