"""Scan of a library: classify what is new or changed, in worker processes, and write the results as they come."""

from __future__ import annotations

import functools
import itertools
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
from genre_edge.library.worker_process import Failure, Limits, StartError

BATCH_ROWS, BATCH_S = 64, 2.0  # a result completes a transaction if there are so many rows, or after so long


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
        found = list(found)
        roots = {os.path.abspath(root).rstrip("/") for root in self.roots}  # noqa: PTH100
        prefixes = tuple(root + "/" for root in roots)

        def is_below(path: str) -> bool:
            return path in roots or path.startswith(prefixes)

        outside = (file.path for file in found if not is_below(file.path))  # from a root that is a pattern
        return compare(
            found,
            itertools.chain(self.database.rows_below(sorted(roots)), self.database.rows_below(outside)),
            self._is_current,
            lambda path: not is_partial and is_below(path),
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
        """Classify files, and yield their rows when they are written.

        The failure of a file that is no longer there is not written: its folder may be on a disk that is not mounted.

        Raises:
            StartError: workers cannot be started. What was done before is written.
        """
        start = functools.partial(FileScanner, self.settings)
        batch: list[Scanned] = []
        written_s = time.monotonic()
        try:
            with Pool[FoundFile, Scanned](start, n_workers, limits) as pool:
                for row, segments in self._scanned(pool.run(files)):
                    if row.error is not None and not os.path.exists(row.path):  # noqa: PTH110
                        yield row
                        continue
                    batch.append((row, segments))
                    if len(batch) >= BATCH_ROWS or time.monotonic() - written_s >= BATCH_S:
                        yield from self._write(batch)
                        written_s = time.monotonic()
        except (KeyboardInterrupt, StartError):
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
