"""Scan of a library: classify what is new or changed, in worker processes, and write the results as they come."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from genre_edge.library.audio_digest import audio_digest
from genre_edge.library.changes import Changes, compare
from genre_edge.library.database import FileRow, LibraryDatabase
from genre_edge.library.discovery import FoundFile
from genre_edge.library.pool import Pool
from genre_edge.library.worker import FileScanner, Scanned, ScanSettings, failed_row, now
from genre_edge.library.worker_process import Failure, Limits

BATCH_ROWS, BATCH_S = 64, 2.0  # a transaction has at most so many rows, and a row waits at most so long


@dataclass(frozen=True)
class Scan:
    """A scan of some folders or files into a database.

    Attributes:
        database: the database.
        roots: the folders, and files.
        settings: what rows depend on.
        retry_errors: whether unchanged files without a result are tried again.
    """

    database: LibraryDatabase
    roots: Sequence[Path | str]
    settings: ScanSettings
    retry_errors: bool = False

    def plan(self, found: Iterable[FoundFile], is_partial: bool) -> Changes:
        """Return what is to be done.

        Args:
            found: the files that are there.
            is_partial: whether other files may be there, too, which are then not missing.
        """
        roots = {os.path.abspath(root).rstrip("/") for root in self.roots}  # noqa: PTH100
        prefixes = tuple(root + "/" for root in roots)
        return compare(
            found,
            self.database.rows_below(sorted(roots)),
            self._is_current,
            lambda path: not is_partial and (path in roots or path.startswith(prefixes)),
            audio_digest,
        )

    def apply(self, changes: Changes) -> None:
        """Write everything of a plan but the files to classify, and the model."""
        self.database.write_model(self.settings.model_row)
        self.database.move((old, file.path, file.mtime_ns) for old, file in changes.moved)
        self.database.touch((file.path, file.size, file.mtime_ns) for file in changes.touched)
        self.database.mark_gone(changes.returned, None)
        self.database.mark_gone(changes.gone, now())

    def classify(self, files: Sequence[FoundFile], n_workers: int, limits: Limits) -> Iterator[FileRow]:
        """Classify files, and yield their rows when they are written."""
        start = functools.partial(FileScanner, self.settings)
        batch: list[Scanned] = []
        written_s = time.monotonic()
        try:
            with Pool[FoundFile, Scanned](start, n_workers, limits) as pool:
                for result in self._scanned(pool.run(files)):
                    batch.append(result)
                    if len(batch) >= BATCH_ROWS or time.monotonic() - written_s >= BATCH_S:
                        yield from self._write(batch)
                        written_s = time.monotonic()
        except KeyboardInterrupt:
            self.database.write(batch)
            raise
        yield from self._write(batch)

    def _write(self, batch: list[Scanned]) -> Iterator[FileRow]:
        """Write the rows of a batch, then yield them and empty the batch."""
        self.database.write(batch)
        rows = [row for row, _ in batch]
        batch.clear()
        yield from rows

    def _scanned(self, results: Iterator[tuple[FoundFile, Scanned | Failure]]) -> Iterator[Scanned]:
        for file, result in results:
            if isinstance(result, Failure):
                yield failed_row(self.settings, file, result.reason), []
            else:
                yield result

    def _is_current(self, row: FileRow) -> bool:
        if row.model_sha256 != self.settings.model_sha256 or row.coverage < self.settings.coverage:
            return False
        if row.error is not None:
            return not self.retry_errors
        return bool(row.has_segments) or not self.settings.segments
