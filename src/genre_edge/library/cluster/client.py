"""The client of a Dask cluster: hands out batches, a few at a time, and yields their results."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from typing import Any

from genre_edge.errors import GenreEdgeError, ParameterError
from genre_edge.library.cluster.batches import Batch
from genre_edge.library.cluster.task import BatchResult, scan_batch
from genre_edge.library.worker import ScanSettings
from genre_edge.library.worker_process import Limits

CONNECT_S = 30.0
_ADDRESS = re.compile(r"(tcp|tls|ws|wss)://(\[[0-9a-fA-F:.%]+\]|[\w.-]+):[0-9]{1,5}")
BATCHES_PER_THREAD = 3  # in work or waiting at a worker; more would only take memory of the scheduler
_RETRIES = 2  # of a batch that fails, for example because the results cannot be written


class Cluster:
    """Connection to a Dask scheduler.

    Args:
        address: of the scheduler, such as tcp://192.168.1.5:8786.

    Raises:
        ParameterError: the address has another form.
        GenreEdgeError: Dask is not installed, no scheduler answers, or it has no worker.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise GenreEdgeError("--scheduler needs Dask; run: pip install 'genre-edge[cluster]'") from None
        if not _ADDRESS.fullmatch(address):  # Dask would leave a client half made, and print a traceback
            raise ParameterError(f"--scheduler must be an address such as tcp://192.168.1.5:8786, got {address!r}")
        logging.getLogger("distributed").setLevel(logging.ERROR)
        try:
            self._client = Client(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise GenreEdgeError(f"{address}: no Dask scheduler answers: {' '.join(str(error).split())}") from None
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError:
            self._client.close()
            raise GenreEdgeError(f"{address}: the Dask scheduler has no worker") from None

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def run(
        self, batches: Iterable[Batch], settings: ScanSettings, limits: Limits, out: str
    ) -> Iterator[BatchResult | GenreEdgeError]:
        """Scan batches into partitions below `out`; yield what became of each, in the order in which they are done.

        At most `BATCHES_PER_THREAD` batches for each thread of the workers are submitted at a time. A batch whose
        worker dies is done again by another one.
        """
        from distributed import as_completed

        remaining = iter(batches)
        active: Any = as_completed(loop=self._client.loop)
        n_active = self._submit(remaining, active, 0, settings, limits, out)
        while n_active:
            future = next(active)
            n_active -= 1
            error = future.exception()
            reason = " ".join(str(error).split())
            yield future.result() if error is None else GenreEdgeError(f"{future.key}: {reason}")
            future.release()
            n_active += self._submit(remaining, active, n_active, settings, limits, out)

    def _submit(
        self, remaining: Iterator[Batch], active: Any, n_active: int, settings: ScanSettings, limits: Limits, out: str
    ) -> int:
        """Submit as many batches as the workers take; return their number."""
        n_submitted = 0
        while n_active + n_submitted < max(1, BATCHES_PER_THREAD * self._n_threads()):
            batch = next(remaining, None)
            if batch is None:
                break
            # The same key for the same batch: Dask never does it twice at a time.
            future = self._client.submit(
                scan_batch, batch, settings, limits, out, key=batch.name, retries=_RETRIES, pure=False
            )
            active.add(future)
            n_submitted += 1
        return n_submitted

    def _n_threads(self) -> int:
        return sum(self._client.nthreads().values())
