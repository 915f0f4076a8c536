"""The scan of `genre-edge scan` by the workers of a Dask scheduler: its messages and its progress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genre_edge.cli.messages import print_message
from genre_edge.cli.progress import progress_bar
from genre_edge.errors import AudioError, GenreEdgeError
from genre_edge.library.cluster.batches import Batch, batches
from genre_edge.library.cluster.client import Cluster
from genre_edge.library.cluster.urls import Folder, find
from genre_edge.library.discovery import Filter, FoundFile
from genre_edge.library.worker import ScanSettings
from genre_edge.library.worker_process import Limits

BATCH_FILES = 64


def scan_on_cluster(
    scheduler: str, roots: Sequence[str], chosen: Filter, settings: ScanSettings, limits: Limits, out: str
) -> int:
    """Scan files into Parquet partitions, print messages and a summary, and return the number of failures.

    Partitions that are there already are not computed again.
    """
    n_failed = n_unchanged = n_classified = 0
    folder = Folder(out)
    known = folder.names()

    def files() -> Iterator[FoundFile]:
        nonlocal n_failed
        for item in find(roots, chosen):
            if isinstance(item, AudioError):
                n_failed += 1
                print_message(item)
            else:
                yield item

    def new_batches() -> Iterator[Batch]:
        nonlocal n_unchanged
        for batch in batches(files(), settings, BATCH_FILES):
            if batch.name in known:
                n_unchanged += len(batch.files)
            else:
                yield batch

    with Cluster(scheduler) as cluster, progress_bar(None) as advance:
        for result in cluster.run(new_batches(), settings, limits, out):
            if isinstance(result, GenreEdgeError):
                n_failed += 1
                print_message(result)
                continue
            n_classified += result.n_files
            n_failed += len(result.failures)
            advance(result.n_files, result.seconds, len(result.failures))
            for path, reason in result.failures:
                print_message(AudioError(f"{path}: {reason}"))
    print(f"{n_classified} classified, {n_unchanged} unchanged, {n_failed} failed")
    return n_failed
