"""The scan of `genre-edge scan` by the workers of a Dask scheduler: its messages and its progress."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from genre_edge.cli.messages import print_message
from genre_edge.cli.progress import progress_bar
from genre_edge.errors import AudioError
from genre_edge.library.cluster.batches import Batch, batches
from genre_edge.library.cluster.client import Cluster
from genre_edge.library.cluster.dispatch import BatchError, Dispatcher
from genre_edge.library.cluster.results import ResultFolder
from genre_edge.library.cluster.urls import find
from genre_edge.library.discovery import Filter, FoundFile
from genre_edge.library.worker import ScanSettings
from genre_edge.library.worker_process import Limits
from genre_edge.model.bundle import installed

BATCH_FILES = 64


def scan_on_cluster(
    scheduler: str, roots: Sequence[str], chosen: Filter, settings: ScanSettings, limits: Limits, out: str
) -> int:
    """Scan files into Parquet partitions, print messages and a summary, and return the number of failures.

    Partitions that are there already are not computed again, unless a file in them could not be read.
    """
    folder = ResultFolder(out)
    folder.create()
    if settings.model not in installed():  # a worker has another current directory
        settings = replace(settings, model=os.path.abspath(settings.model))  # noqa: PTH100
    scan = _ClusterScan(folder, folder.names())
    new_batches = scan.new_batches(roots, chosen, settings)
    with Cluster(scheduler) as cluster, progress_bar(None) as advance:
        for result in Dispatcher(cluster, settings, limits, folder).run(new_batches):
            if isinstance(result, BatchError):
                scan.n_failed += result.n_files
                advance(result.n_files, 0.0, result.n_files)
                print_message(result)
                continue
            scan.remove_retried(result.name)
            scan.n_classified += result.n_files
            scan.n_failed += len(result.failures)
            advance(result.n_files, result.seconds, len(result.failures))
            for path, reason in result.failures:
                print_message(AudioError(f"{path}: {reason}"))
    print(f"{scan.n_classified} classified, {scan.n_unchanged} unchanged, {scan.n_failed} failed")
    return scan.n_failed


@dataclass
class _ClusterScan:
    """What is there and what happened.

    Attributes:
        folder: the folder of the partitions.
        known: names of the files that it had at the beginning.
        n_classified, n_unchanged, n_failed: numbers of files.
    """

    folder: ResultFolder
    known: set[str]
    n_classified: int = 0
    n_unchanged: int = 0
    n_failed: int = 0

    def new_batches(self, roots: Sequence[str], chosen: Filter, settings: ScanSettings) -> Iterator[Batch]:
        """Yield the batches that have no partition yet; count the files of the others."""
        for batch in batches(self._files(roots, chosen), settings, BATCH_FILES):
            if batch.name in self.known:
                self.remove_retried(batch.name)
                self.n_unchanged += len(batch.files)
            else:
                yield batch

    def remove_retried(self, name: str) -> None:
        """Remove the partition that a complete one replaces."""
        retry = Batch(name, ()).retry_name
        if retry != name and retry in self.known:
            self.folder.remove(retry)

    def _files(self, roots: Sequence[str], chosen: Filter) -> Iterator[FoundFile]:
        for item in find(roots, chosen):
            if isinstance(item, AudioError):
                self.n_failed += 1
                print_message(item)
            else:
                yield item
