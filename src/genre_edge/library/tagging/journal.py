"""`TagJournal`: what each run of `tag apply` changed, and how to take it back; SQLite, beside the library's database.

A change is recorded, and on the disk, before its file is replaced. After a kill or a power failure, the file's digest
says whether that happened.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from genre_edge.errors import GenreEdgeError
from genre_edge.library.sqlite_file import Schema, SqliteFile

SUFFIX = ".tags"  # of a journal, behind the name of the library's database
APPLYING, APPLIED, UNDOING, UNDONE = "applying", "applied", "undoing", "undone"

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


_SCHEMA = Schema(
    application_id=0x67656C74,  # "gelt"
    version=1,
    tables=_TABLES,
    error=JournalError,
    missing="no such journal; genre-edge tag apply makes it",
    foreign="not a journal of genre-edge tag",
    busy="another process is using this journal",
    busy_s=2.0,
    pragmas=("locking_mode = EXCLUSIVE", "synchronous = FULL"),
)


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


class TagJournal(SqliteFile):
    """A journal; one process at a time can use it.

    Args:
        path: the file; created if it does not exist, unless `must_exist`.
        must_exist: raise an error if there is no journal yet.

    Raises:
        JournalError: the file is no journal of this version, cannot be opened, or another process uses it.
    """

    def __init__(self, path: Path, must_exist: bool = False) -> None:
        super().__init__(path, _SCHEMA, must_exist)
        try:
            with self._transaction():
                pass  # the lock is taken by the first access
        except BaseException:
            self.close()
            raise

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
        for run, folder in self.query(query):
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
            Change(number, Path(os.fsdecode(path)), *rest) for number, path, *rest in self.query(query, (run, state))
        ]

    def delta(self, change: int) -> bytes:
        """Return the delta of a change."""
        ((delta,),) = self.query("SELECT delta FROM changes WHERE id = ?", (change,))
        return bytes(delta)

    def later_run(self, change: Change) -> int | None:
        """Return the last run that has changed the same file after a change, and is not undone; None without one."""
        query = "SELECT max(run_id) FROM changes WHERE path = ? AND id > ? AND state = ?"
        ((run,),) = self.query(query, (os.fsencode(change.path), change.id, APPLIED))
        return run if isinstance(run, int) else None

    def runs(self) -> Iterator[Run]:
        """Yield the runs, the first one first."""
        query = (
            "SELECT runs.id, started_at, coalesce(sum(state != ?1), 0), coalesce(sum(state = ?1), 0) "
            "FROM runs LEFT JOIN changes ON run_id = runs.id GROUP BY runs.id ORDER BY runs.id"
        )
        for row in self.query(query, (UNDONE,)):
            yield Run(*row)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
