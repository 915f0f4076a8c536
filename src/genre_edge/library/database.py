"""`LibraryDatabase`: the results of a scan in SQLite, one row for each file.

A write-ahead log makes each transaction atomic, also if the process is killed: a row is there with all its columns and
segments, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from genre_edge.errors import GenreEdgeError
from genre_edge.library.schema import APPLICATION_ID, SCHEMA_VERSION, TABLES, UPGRADES
from genre_edge.library.sqlite_file import Schema, SqliteFile
from genre_edge.output.text import from_portable, portable

BUSY_S = 30.0  # time to wait for another process's transaction


class LibraryError(GenreEdgeError):
    """Raised if a library's database cannot be opened, read or written; the message names the file."""


@dataclass(frozen=True)
class FileRow:
    """A file and the last result for it; see the table `files` in docs/library.md.

    Attributes:
        path: absolute path, with the surrogate escapes of `os.fsdecode`.
        size, mtime_ns: the file's, when it was scanned.
        audio_digest: digest of its audio without tags; None if it could not be read.
        scanned_at: time of the scan, ISO 8601, UTC.
        model, model_sha256: name and version, and hash of the model.
        coverage: the share of the audio to classify, 0 to 1.
        error: why there is no result; None if there is one.
        warning: what was wrong with the file nevertheless.
        genre, confidence, reason, sound, music_share: as in a verdict.
        style: the most probable style that includes no other one.
        duration_s, classified_s: length of the audio, and of what was classified.
        genres, styles: JSON, as in a verdict.
        gone_at: when a scan no longer found the file; None while it is there.
        has_segments: 1 if the scan kept the file's segments, also if there are none; else 0.
    """

    path: str
    size: int
    mtime_ns: int
    audio_digest: str | None
    scanned_at: str
    model: str
    model_sha256: str
    coverage: float
    error: str | None = None
    warning: str | None = None
    genre: str | None = None
    confidence: float | None = None
    reason: str | None = None
    style: str | None = None
    sound: str | None = None
    music_share: float | None = None
    duration_s: float | None = None
    classified_s: float | None = None
    genres: str = "[]"
    styles: str = "[]"
    gone_at: str | None = None
    has_segments: int = 0


@dataclass(frozen=True)
class SegmentRow:
    """The result for a section of a file."""

    start_s: float
    end_s: float
    genre: str | None
    confidence: float | None
    reason: str | None


@dataclass(frozen=True)
class ModelRow:
    """A model of a scan: name and version, and the probabilities from which it names a genre and a style."""

    model_sha256: str
    model: str
    threshold: float
    style_threshold: float


_COLUMNS = tuple(field.name for field in fields(FileRow))
_UPSERT = (
    f"INSERT INTO files ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "
    f"ON CONFLICT (path) DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in _COLUMNS[1:])} "
    "RETURNING id"
)

_SCHEMA = Schema(
    APPLICATION_ID,
    SCHEMA_VERSION,
    TABLES,
    LibraryError,
    missing="no such database; genre-edge scan makes it",
    foreign="the database of another program",
    busy="another process is writing to this database",
    busy_s=BUSY_S,
    pragmas=("foreign_keys = ON",),
    upgrades=UPGRADES,
)


class LibraryDatabase(SqliteFile):
    """A library's database. Use it in one thread; several processes may read it while one writes.

    Args:
        path: the file; created if it does not exist, unless `must_exist`.
        must_exist: raise an error if there is no database yet.

    Raises:
        LibraryError: the file is no library of this version, or cannot be opened.
    """

    def __init__(self, path: Path, must_exist: bool = False) -> None:
        super().__init__(path, _SCHEMA, must_exist)

    def rows(
        self, condition: str = "TRUE", parameters: tuple[Any, ...] = (), order: str = "path", limit: int = -1
    ) -> Iterator[FileRow]:
        """Yield rows.

        Args:
            condition: an SQL condition on the columns of `files`, with `?` for its parameters.
            parameters: of the condition.
            order: SQL expressions to sort by.
            limit: maximum number of rows; -1 for all.
        """
        statement = f"SELECT {', '.join(_COLUMNS)} FROM files WHERE {condition} ORDER BY {order} LIMIT {limit:d}"
        with self._errors():
            for path, *values in self._connection.execute(statement, parameters):
                yield FileRow(from_portable(path), *values)

    def rows_below(self, paths: Iterable[str]) -> Iterator[FileRow]:
        """Yield the rows of some files, and of all files in some folders: absolute paths without a slash at the end."""
        for path in map(portable, paths):
            # "0" follows "/" in the order of the index.
            yield from self.rows("path = ? OR path >= ? AND path < ?", (path, f"{path}/", f"{path}0"))

    def segments(self, path: str) -> list[SegmentRow]:
        """Return the segments of a file, in order."""
        found = self.query(
            "SELECT start_s, end_s, s.genre, s.confidence, s.reason FROM segments s JOIN files ON file_id = id "
            "WHERE path = ? ORDER BY start_s",
            (portable(path),),
        )
        return [SegmentRow(*row) for row in found]

    def models(self) -> dict[str, ModelRow]:
        """Return the models of all scans by their hashes."""
        found = self.query("SELECT model_sha256, model, threshold, style_threshold FROM models")
        return {row[0]: ModelRow(*row) for row in found}

    def write_model(self, row: ModelRow) -> None:
        """Add or replace a model."""
        values = row.model_sha256, row.model, row.threshold, row.style_threshold
        with self._transaction():
            self._connection.execute("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?)", values)

    def write(self, results: Iterable[tuple[FileRow, list[SegmentRow]]]) -> None:
        """Add or replace rows and their segments, in one transaction.

        Raises:
            LibraryError: the database cannot be written, for example because the disk is full. It is unchanged.
        """
        with self._transaction():
            for row, segments in results:
                values = [getattr(row, name) for name in _COLUMNS[1:]]
                ((file_id,),) = self._connection.execute(_UPSERT, (portable(row.path), *values)).fetchall()
                self._connection.execute("DELETE FROM segments WHERE file_id = ?", (file_id,))
                self._connection.executemany(
                    "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?)",
                    [(file_id, s.start_s, s.end_s, s.genre, s.confidence, s.reason) for s in segments],
                )

    def move(self, moves: Iterable[tuple[str, str, int]]) -> None:
        """Give rows another path and time of modification, in one transaction: (old path, new path, mtime_ns)."""
        with self._transaction():
            for old, new, mtime_ns in moves:
                self._connection.execute(
                    "UPDATE OR REPLACE files SET path = ?, mtime_ns = ?, gone_at = NULL WHERE path = ?",
                    (portable(new), mtime_ns, portable(old)),
                )

    def touch(self, files: Iterable[tuple[str, int, int]]) -> None:
        """Set size and time of modification of rows, in one transaction: (path, size, mtime_ns)."""
        with self._transaction():
            self._connection.executemany(
                "UPDATE files SET size = ?, mtime_ns = ?, gone_at = NULL WHERE path = ?",
                [(size, mtime_ns, portable(path)) for path, size, mtime_ns in files],
            )

    def mark_gone(self, paths: Iterable[str], when: str | None) -> None:
        """Mark files as gone at a time, or as present again if it is None, in one transaction."""
        with self._transaction():
            self._connection.executemany(
                "UPDATE files SET gone_at = ? WHERE path = ?",
                [(when, portable(path)) for path in paths],
            )
