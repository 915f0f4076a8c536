"""`SqliteFile`: an SQLite database with a schema of ours, in a file with a write-ahead log (WAL)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from genre_edge.errors import GenreEdgeError

if TYPE_CHECKING:
    from typing_extensions import Self

LOG_BYTES = 16 << 20  # the write-ahead log is cut to this size after a checkpoint


@dataclass(frozen=True)
class Schema:
    """Schema of a kind of database, and how it is opened.

    Attributes:
        application_id, version: in the header of the file.
        tables: SQL statements, each with `;` at its end.
        error: exception for everything that fails.
        missing, foreign, busy: messages for a file that does not exist, for another program's database, and for one
            that another process has locked.
        busy_s: time to wait for another process's lock, in seconds.
        pragmas: settings of a connection, such as "synchronous = FULL", in order, before the first access.
        upgrades: for earlier versions, the SQL statements that make the next one of it, each with `;` at its end.
    """

    application_id: int
    version: int
    tables: str
    error: type[GenreEdgeError]
    missing: str
    foreign: str
    busy: str
    busy_s: float
    pragmas: tuple[str, ...] = ()
    upgrades: Mapping[int, str] = field(default_factory=dict)


class SqliteFile:
    """A database; use it in one thread.

    Args:
        path: the file; created if it does not exist, unless `must_exist`.
        schema: its schema.
        must_exist: raise an error if there is no file yet.

    Raises:
        GenreEdgeError: of the schema's type: the file has another schema, or cannot be opened.
    """

    def __init__(self, path: Path, schema: Schema, must_exist: bool) -> None:
        self.path, self._schema = path, schema
        if must_exist and not path.exists():
            raise schema.error(f"{path}: {schema.missing}")
        with self._errors():
            self._connection = sqlite3.connect(path, timeout=schema.busy_s, isolation_level=None)
        try:
            with self._errors():
                self._prepare()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; a second call does nothing."""
        self._connection.close()

    def query(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of an SQL query."""
        with self._errors():
            return self._connection.execute(statement, parameters).fetchall()

    def _prepare(self) -> None:
        """Create the tables in a new file, or upgrade those of an earlier version. Another file stays as it is."""
        schema, execute = self._schema, self._connection.execute
        for setting in schema.pragmas:
            execute(f"PRAGMA {setting}")
        (application_id,), (version,) = (
            execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
        )
        is_empty = not execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not is_empty and application_id != schema.application_id:
            raise schema.error(f"{self.path}: {schema.foreign}")
        if not is_empty and version != schema.version and version not in schema.upgrades:
            raise schema.error(f"{self.path}: schema version {version}; this genre-edge reads {schema.version}")
        execute("PRAGMA journal_mode = WAL")
        execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        if is_empty:
            self._create_tables()
        elif version != schema.version:
            self._upgrade()

    def _create_tables(self) -> None:
        schema, execute = self._schema, self._connection.execute
        with self._transaction():
            if execute("PRAGMA user_version").fetchone()[0]:
                return  # another process was faster
            self._execute_all(schema.tables)
            execute(f"PRAGMA application_id = {schema.application_id}")
            execute(f"PRAGMA user_version = {schema.version}")

    def _upgrade(self) -> None:
        schema, execute = self._schema, self._connection.execute
        with self._transaction():
            (version,) = execute("PRAGMA user_version").fetchone()  # another process may have been faster
            for earlier in range(version, schema.version):
                self._execute_all(schema.upgrades[earlier])
            execute(f"PRAGMA user_version = {schema.version}")

    def _execute_all(self, statements: str) -> None:
        for statement in statements.split(";")[:-1]:
            self._connection.execute(statement)

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
            reason = self._schema.busy if "locked" in str(error) else str(error)
            raise self._schema.error(f"{self.path}: {reason}") from None
