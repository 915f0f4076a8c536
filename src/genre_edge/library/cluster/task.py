"""What a Dask worker does: scan a batch of files in a process of its own, and write the partition."""

from __future__ import annotations

import functools
import io
import shutil
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from socket import gethostname

from genre_edge.errors import AudioError, GenreEdgeError, ModelError
from genre_edge.library.cluster.batches import Batch
from genre_edge.library.cluster.file_systems import reason
from genre_edge.library.cluster.results import ResultFolder
from genre_edge.library.cluster.urls import RemoteFile, download
from genre_edge.library.database import FileRow
from genre_edge.library.discovery import FoundFile
from genre_edge.library.exporting import write_parquet
from genre_edge.library.pool import Pool
from genre_edge.library.worker import FileScanner, Scanned, ScanSettings, failed_row, without_path
from genre_edge.library.worker_process import Limits
from genre_edge.model.bundle import Bundle, bundle_path
from genre_edge.system.regular_file import open_regular

_CHUNK = 1 << 20


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch.

    Attributes:
        name: of the file that holds its rows: the batch's `name`, or its `retry_name`.
        n_files: number of its rows.
        failures: (path, reason) of the files without a result.
        seconds: length of the audio of the files.
    """

    name: str
    n_files: int
    failures: tuple[tuple[str, str], ...]
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What a worker returns for a batch.

    Attributes:
        worker: address of the worker.
        result: the result, or why this worker could not do the batch.
    """

    worker: str
    result: BatchResult | GenreEdgeError


@dataclass(frozen=True)
class Unreadable:
    """Why a file cannot be read now by this worker. The reason says nothing about the audio in it."""

    reason: str


class UrlScanner:
    """Function from a file, local or behind a URL, to its row, as a worker process calls it.

    Args:
        settings: of the scan.
        folder: for the copy of a file behind a URL. It belongs to this process.
    """

    def __init__(self, settings: ScanSettings, folder: str) -> None:
        self._folder, self._scan = Path(folder), FileScanner(settings)

    def __call__(self, file: FoundFile) -> Scanned | Unreadable:
        """Return the row of a file and its segments, or why it cannot be read."""
        if not isinstance(file, RemoteFile):
            return self._scan_local(file)
        _remove_content(self._folder)  # of a process that was killed
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            try:
                copy = download(file, Path(folder))
            except AudioError as error:
                return Unreadable(without_path(str(error), file.path))
            result = self._scan_local(FoundFile(str(copy), file.size, file.mtime_ns))
        if isinstance(result, Unreadable):
            return result
        row, segments = result
        return replace(row, path=file.path), segments

    def _scan_local(self, file: FoundFile) -> Scanned | Unreadable:
        row, segments = self._scan(file)
        if row.error is not None and (error := _read_error(file.path)) is not None:
            return Unreadable(error)
        return row, segments


def _read_error(path: str) -> str | None:
    """Read a file from its beginning to its end; return the system's reason why this fails, None if it does not."""
    try:
        if not Path(path).is_file():
            Path(path).stat()
            return None  # a pipe or a device: no reason that passes
        with open_regular(Path(path)) as file:
            while file.read(_CHUNK):
                pass
    except OSError as error:
        return reason(error)
    return None


def _remove_content(folder: Path) -> None:
    for leftover in folder.iterdir():
        shutil.rmtree(leftover, ignore_errors=True)


_local = threading.local()  # a Dask worker may have several threads; each keeps a pool of one process


def _pool(settings: ScanSettings, folder: str, limits: Limits) -> Pool[FoundFile, Scanned | Unreadable]:
    """Return the thread's pool, whose process has loaded the model."""
    key = settings, folder, limits
    if getattr(_local, "key", None) != key:
        if hasattr(_local, "pool"):
            _local.pool.close()
        _local.pool, _local.key = Pool(functools.partial(UrlScanner, settings, folder), 1, limits), key
    pool: Pool[FoundFile, Scanned | Unreadable] = _local.pool
    return pool


def check_worker(settings: ScanSettings, out: str) -> None:
    """Check that a worker can do the scan.

    Raises:
        ModelError: this machine has no such model, or another one.
        GenreEdgeError: this machine does not have the folder of the results.
    """
    found = Bundle.load(bundle_path(settings.model)).sha256
    if found != settings.model_sha256:
        raise ModelError(f"{settings.model}: SHA-256 {found} on {gethostname()}, not {settings.model_sha256}")
    ResultFolder(out).check()


def run_batch(batch: Batch, settings: ScanSettings, limits: Limits, out: str, is_last: bool) -> Outcome:
    """Scan a batch as a task of Dask. The arguments are those of `scan_batch`."""
    from distributed import get_worker

    worker = get_worker()
    result: BatchResult | GenreEdgeError
    try:
        # Dask removes the folder of a worker, also after the worker was killed.
        result = scan_batch(batch, settings, limits, out, is_last, worker.local_directory)
    except (GenreEdgeError, OSError) as error:
        result = GenreEdgeError(f"{reason(error)} (on {gethostname()})")
    return Outcome(worker.address, result)


def scan_batch(
    batch: Batch, settings: ScanSettings, limits: Limits, out: str, is_last: bool, folder: str
) -> BatchResult:
    """Scan the files of a batch and write its partition.

    Args:
        batch: the files.
        settings, limits: of the scan.
        out: folder of the partitions, a path or a URL.
        is_last: whether no other worker will try the batch. Then files that cannot be read are rows with an error, in
            a partition with the batch's `retry_name`.
        folder: for temporary files.

    Raises:
        GenreEdgeError: this worker cannot do the batch.
    """
    check_worker(settings, out)
    own = Path(folder) / f"songs-{threading.get_ident()}"
    own.mkdir(exist_ok=True)
    rows: dict[FoundFile, FileRow] = {}
    name = batch.name
    for file, result in _pool(settings, str(own), limits).run(batch.files):
        if isinstance(result, Unreadable):
            if not is_last:
                raise GenreEdgeError(f"{file.path}: {result.reason}")
            name = batch.retry_name
        rows[file] = failed_row(settings, file, result.reason) if not isinstance(result, tuple) else result[0]
    _remove_content(own)
    in_order = [rows[file] for file in batch.files]
    content = io.BytesIO()
    write_parquet(in_order, content)
    ResultFolder(out).write(name, content.getvalue())
    failures = tuple((row.path, row.error) for row in in_order if row.error is not None)
    return BatchResult(name, len(rows), failures, sum(row.duration_s or 0.0 for row in in_order))
