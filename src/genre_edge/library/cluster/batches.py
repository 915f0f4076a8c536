"""Batches of files, whose boundaries and names depend on the files alone."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from genre_edge.library.discovery import FoundFile
from genre_edge.library.worker import ScanSettings


@dataclass(frozen=True)
class Batch:
    """Files that one task scans into one partition.

    Attributes:
        name: name of the partition's file: a digest of the files' paths, sizes and times, and of the settings.
        files: the files, in order.
    """

    name: str
    files: tuple[FoundFile, ...]

    @property
    def retry_name(self) -> str:
        """Name of the partition's file as long as a file could not be read: the next scan does the batch again."""
        return self.name.replace("part-", "retry-", 1)


def batches(files: Iterable[FoundFile], settings: ScanSettings, size: int) -> Iterator[Batch]:
    """Divide files into batches of about `size`, at most four times as many.

    A batch ends at a file whose path has a certain checksum. So a new file changes its own batch, and not all that
    follow (content-defined chunking: Muthitacharoen, Chen and Mazieres, "A Low-bandwidth Network File System", 2001).
    """
    batch: list[FoundFile] = []
    for file in files:
        batch.append(file)
        is_end = zlib.crc32(file.path.encode("utf-8", "surrogateescape")) % size == 0
        if is_end or len(batch) >= 4 * size:
            yield _batch(batch, settings)
            batch = []
    if batch:
        yield _batch(batch, settings)


def _batch(files: list[FoundFile], settings: ScanSettings) -> Batch:
    content = [settings.model_sha256, settings.coverage, [[file.path, file.size, file.mtime_ns] for file in files]]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return Batch(f"part-{digest[:32]}.parquet", tuple(files))
