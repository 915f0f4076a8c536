"""Distribution of batches to the workers of a cluster: a few at a time, to workers that can do the scan."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from genre_edge.errors import GenreEdgeError
from genre_edge.library.cluster.batches import Batch
from genre_edge.library.cluster.client import POLL_S, Cluster, LostResultError
from genre_edge.library.cluster.results import ResultFolder
from genre_edge.library.cluster.task import BatchResult, Outcome, check_worker, run_batch
from genre_edge.library.worker import ScanSettings
from genre_edge.library.worker_process import Limits

log = logging.getLogger("genre_edge")

BATCHES_PER_THREAD = 3  # in work or waiting at a worker; more would only take memory of the scheduler
ATTEMPTS = 3  # of a batch, each by another worker if there is one


class BatchError(GenreEdgeError):
    """A batch failed in all attempts.

    Attributes:
        n_files: number of its files.
    """

    def __init__(self, batch: Batch, reason: str) -> None:
        self.n_files = len(batch.files)
        others = f" and {self.n_files - 1} more files" if self.n_files > 1 else ""
        super().__init__(f"{batch.files[0].path}{others}: {reason}")


@dataclass
class _Job:
    """A batch that is not done.

    Attributes:
        batch: the batch.
        n_attempts, n_submitted: how often workers failed it, and how often they got it.
        avoid: the workers that failed it.
        workers: the workers that may do it now.
    """

    batch: Batch
    n_attempts: int = 0
    n_submitted: int = 0
    avoid: set[str] = field(default_factory=set)
    workers: set[str] = field(default_factory=set)


class Dispatcher:
    """Scans batches with the workers of a cluster.

    Each worker is checked before it gets a batch; those that cannot do the scan get none. At most `BATCHES_PER_THREAD`
    batches for each thread of the other workers are submitted at a time.

    Args:
        cluster: the cluster.
        settings, limits: of the scan.
        out: the folder of the partitions.
    """

    def __init__(self, cluster: Cluster, settings: ScanSettings, limits: Limits, out: ResultFolder) -> None:
        self._cluster, self._out = cluster, out
        self._arguments = settings, limits, out.location
        # Scans with other arguments have other keys: Dask takes tasks with the same key for the same task.
        self._digest = hashlib.sha256(repr(self._arguments).encode()).hexdigest()[:16]
        self._jobs: dict[Any, _Job] = {}  # by future
        self._checks: dict[Any, str] = {}  # future -> worker
        self._again: deque[_Job] = deque()
        self._n_threads = cluster.n_threads()  # of the workers that are connected
        self._usable: set[str] = set()
        self._unusable: set[str] = set()
        self._ended: set[str] = set()  # machines whose workers ended during their checks

    def run(self, batches: Iterable[Batch]) -> Iterator[BatchResult | BatchError]:
        """Scan batches; yield what became of each, in the order in which they are done.

        Raises:
            GenreEdgeError: the connection to the scheduler or the folder of the results is lost, or no worker can do
                the scan.
        """
        jobs = map(_Job, batches)
        while self._jobs or self._again or self._take(jobs):
            self._look_at_workers()
            n_most = BATCHES_PER_THREAD * sum(self._n_threads[worker] for worker in self._usable)
            while len(self._jobs) < n_most and (self._again or self._take(jobs)):
                self._submit(self._again.popleft())
            if not self._jobs and not self._checks:
                time.sleep(POLL_S)  # there are no workers
                continue
            for future in self._cluster.done([*self._jobs, *self._checks]):
                try:
                    value = self._cluster.result(future)
                except LostResultError:
                    continue
                if future in self._checks:
                    self._finish_check(self._checks.pop(future), value)
                elif (result := self._finish(self._jobs.pop(future), value)) is not None:
                    yield result

    def _take(self, jobs: Iterator[_Job]) -> bool:
        """Take the next job; return False if there is none."""
        job = next(jobs, None)
        if job is not None:
            self._again.append(job)
        return job is not None

    def _look_at_workers(self) -> None:
        """Let new workers check themselves, and forget those that are gone."""
        had_workers, self._n_threads = bool(self._n_threads), self._cluster.n_threads()
        present = set(self._n_threads)
        if present and present <= self._unusable:
            raise GenreEdgeError(f"{self._cluster.address}: no worker can do the scan")
        if not present and had_workers:
            log.warning("%s: the Dask scheduler has no worker; the scan goes on when it has one", self._cluster.address)
        for worker in present - self._usable - self._unusable - set(self._checks.values()):
            settings, _, out = self._arguments
            self._checks[self._cluster.submit(check_worker, settings, out, workers=[worker])] = worker
        self._usable &= present
        for worker in set(self._checks.values()) - present:
            self._warn_of_end(worker)
        self._checks = {future: worker for future, worker in self._checks.items() if worker in present}
        for future, job in list(self._jobs.items()):
            if not job.workers & present and not self._cluster.is_done(future):  # Dask would wait for these workers
                del self._jobs[future]
                self._again.append(job)

    def _warn_of_end(self, worker: str) -> None:
        """Say, once for each machine, that a worker ended in its check, as one does that cannot load the task."""
        host = worker.rpartition(":")[0]
        if host not in self._ended:
            self._ended.add(host)
            log.warning("%s: this worker ended during its check; is the same version of genre-edge there?", worker)

    def _finish_check(self, worker: str, error: GenreEdgeError | None) -> None:
        if error is None:
            self._usable.add(worker)
        else:
            self._exclude(worker, str(error))

    def _exclude(self, worker: str, reason: str) -> None:
        log.warning("%s: %s; this worker gets no files", worker, reason)
        self._unusable.add(worker)
        self._usable.discard(worker)

    def _submit(self, job: _Job) -> None:
        job.workers = self._usable - job.avoid or set(self._usable)
        key = f"{job.batch.name}-{self._digest}-{job.n_submitted}"
        job.n_submitted += 1
        is_last = job.n_attempts == ATTEMPTS - 1
        future = self._cluster.submit(run_batch, job.batch, *self._arguments, is_last, workers=job.workers, key=key)
        self._jobs[future] = job

    def _finish(self, job: _Job, outcome: Outcome | GenreEdgeError) -> BatchResult | BatchError | None:
        """Return the result of a batch; None if it is to be tried again."""
        if isinstance(outcome, GenreEdgeError):  # an exception, or the batch has killed several workers
            return BatchError(job.batch, str(outcome))
        result = outcome.result
        if isinstance(result, BatchResult):
            if self._out.is_visible(result.name):
                return result
            self._out.check()  # if it is gone here, no worker is to blame
            result = GenreEdgeError(f"{self._out.name}: the folder of this worker is another one than this computer's")
            self._exclude(outcome.worker, str(result))
        job.n_attempts += 1
        job.avoid.add(outcome.worker)
        if job.n_attempts == ATTEMPTS:
            return BatchError(job.batch, str(result))
        self._again.append(job)
        return None
