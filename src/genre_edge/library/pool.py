"""Worker processes with limits of time and memory for each task: a task can kill its worker, but not the pool.

concurrent.futures breaks as a whole if a worker dies, and cannot stop a task.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import wait
from types import TracebackType
from typing import Generic

from genre_edge.library.worker_process import Failure, Limits, Process, Result, StartError, Task, WorkerProcess

ATTEMPTS = 2  # of a task whose worker dies: the reason may be another one, such as the system's lack of memory
_POLL_S = 1.0


class Pool(Generic[Task, Result]):
    """Worker processes, which start when there is a task for them and stay until the pool is closed.

    Args:
        start: a function of a module, called once in each worker; it returns the function that does a task.
        n_workers: number of processes.
        limits: of each task.
    """

    def __init__(self, start: Callable[[], Process[Task, Result]], n_workers: int, limits: Limits) -> None:
        self._start, self._n_workers, self._limits = start, n_workers, limits
        self._workers: list[WorkerProcess[Task, Result]] = []

    def __enter__(self) -> Pool[Task, Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill the workers."""
        while self._workers:
            self._workers.pop().kill()

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Result | Failure]]:
        """Yield each task with its result, in the order in which they are done. Tasks must be picklable.

        Raises:
            StartError: workers cannot be started, or fail before they are ready for a task.
        """
        remaining, again = iter(tasks), deque[tuple[Task, int]]()
        while True:
            self._assign(remaining, again)
            busy = [worker for worker in self._workers if worker.task is not None]
            if not busy:
                return
            wait([worker.connection for worker in busy], _POLL_S)
            for worker in busy:
                result = worker.result()
                if result is None:
                    continue
                task, worker.task = worker.task, None
                assert task is not None
                if isinstance(result, Failure):
                    worker.kill()
                    self._workers.remove(worker)
                if isinstance(result, Failure) and result.may_succeed and worker.n_attempts < ATTEMPTS:
                    again.append((task, worker.n_attempts + 1))
                elif isinstance(result, Failure) and result.at_start:
                    raise StartError(f"a worker process cannot be started: {result.reason}")
                else:
                    yield task, result

    def _assign(self, remaining: Iterator[Task], again: deque[tuple[Task, int]]) -> None:
        """Give each idle worker a task, and start workers as long as there are tasks."""
        while True:
            idle = next((worker for worker in self._workers if worker.task is None), None)
            if idle is None and len(self._workers) == self._n_workers:
                return
            if again:
                task, n_attempts = again.popleft()
            else:
                try:
                    task, n_attempts = next(remaining), 1
                except StopIteration:
                    return
            if idle is None:
                idle = WorkerProcess(self._start, self._limits)
                self._workers.append(idle)
            idle.assign(task, n_attempts)
