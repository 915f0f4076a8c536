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

from genre_edge.errors import AudioError, ModelError
from genre_edge.library.cluster.batches import Batch
from genre_edge.library.cluster.urls import Folder, download, is_url
from genre_edge.library.database import FileRow
from genre_edge.library.discovery import FoundFile
from genre_edge.library.exporting import write_parquet
from genre_edge.library.pool import Pool
from genre_edge.library.worker import FileScanner, Scanned, ScanSettings, failed_row, without_path
from genre_edge.library.worker_process import Failure, Limits
from genre_edge.model.bundle import Bundle, bundle_path


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch.

    Attributes:
        name: of the partition.
        n_files: number of its rows.
        failures: (path, reason) of the files without a result.
        seconds: length of the audio that was classified.
    """

    name: str
    n_files: int
    failures: tuple[tuple[str, str], ...]
    seconds: float


class UrlScanner:
    """Function from a file, local or behind a URL, to its row, as a worker process calls it.

    Args:
        settings: of the scan.
        folder: for the copies of files behind URLs; each is removed after its scan.
    """

    def __init__(self, settings: ScanSettings, folder: str) -> None:
        self._settings, self._folder, self._scan = settings, Path(folder), FileScanner(settings)

    def __call__(self, file: FoundFile) -> Scanned:
        """Return the row of a file and its segments."""
        if not is_url(file.path):
            return self._scan(file)
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            try:
                copy = download(file.path, Path(folder))
            except AudioError as error:
                return failed_row(self._settings, file, without_path(str(error), file.path)), []
            row, segments = self._scan(replace(file, path=str(copy)))
        return replace(row, path=file.path), segments


_local = threading.local()  # a Dask worker may have several threads; each keeps a pool of one process


def _pool(settings: ScanSettings, folder: str, limits: Limits) -> Pool[FoundFile, Scanned]:
    """Return the thread's pool, whose process has loaded the model.

    Raises:
        ModelError: the model of this installation is another one than the scan's.
    """
    key = settings, folder, limits
    if getattr(_local, "key", None) != key:
        found = Bundle.load(bundle_path(settings.model)).sha256
        if found != settings.model_sha256:
            raise ModelError(f"{settings.model}: SHA-256 {found} on {gethostname()}, not {settings.model_sha256}")
        if hasattr(_local, "pool"):
            _local.pool.close()
        _local.pool, _local.key = Pool(functools.partial(UrlScanner, settings, folder), 1, limits), key
    pool: Pool[FoundFile, Scanned] = _local.pool
    return pool


def scan_batch(
    batch: Batch, settings: ScanSettings, limits: Limits, out: str, folder: str | None = None
) -> BatchResult:
    """Scan the files of a batch and write its partition.

    Args:
        batch: the files.
        settings, limits: of the scan.
        out: folder of the partitions, a path or a URL.
        folder: for temporary files; None for the Dask worker's own.
    """
    own = Path(folder or _worker_folder()) / f"songs-{threading.get_ident()}"
    own.mkdir(exist_ok=True)
    pool = _pool(settings, str(own), limits)
    rows: dict[FoundFile, FileRow] = {}
    for file, result in pool.run(batch.files):
        rows[file] = failed_row(settings, file, result.reason) if isinstance(result, Failure) else result[0]
    for leftover in own.iterdir():  # of processes that were killed
        shutil.rmtree(leftover, ignore_errors=True)
    in_order = [rows[file] for file in batch.files]
    content = io.BytesIO()
    write_parquet(in_order, content)
    Folder(out).write(batch.name, content.getvalue())
    failures = tuple((row.path, row.error) for row in in_order if row.error is not None)
    return BatchResult(batch.name, len(rows), failures, sum(row.classified_s or 0.0 for row in in_order))


def _worker_folder() -> str:
    """Return the folder of the Dask worker, which Dask removes, also after a worker was killed."""
    from distributed import get_worker

    folder: str = get_worker().local_directory
    return folder
