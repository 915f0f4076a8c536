"""Worker processes with limits of time and memory for each task: a task can kill its worker, but not the pool.

concurrent.futures breaks as a whole if a worker dies, and cannot stop a task.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import resource
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
Process = Callable[[Task], Result]

ATTEMPTS = 2  # of a task whose worker dies: the reason may be another one, such as the system's lack of memory
START_S = 300.0  # until a worker is ready
_POLL_S = 1.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h: the worker gets a signal when the process that started it dies


@dataclass(frozen=True)
class Limits:
    """Limits of a task: seconds, and bytes of memory beyond what a worker has at its start."""

    time_s: float
    memory_bytes: int


@dataclass(frozen=True)
class Failure:
    """Why a task has no result, and whether it may have one in another attempt."""

    reason: str
    may_succeed: bool = False


class _Ready:
    """First message of a worker: the time for its first task begins."""


class _Worker(Generic[Task, Result]):
    """A worker process and the task that it has."""

    def __init__(self, start: Callable[[], Process[Task, Result]], limits: Limits) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other, start, limits.memory_bytes), daemon=True)
        self._process.start()
        other.close()
        self._limits, self._deadline = limits, time.monotonic() + START_S
        self._is_ready = False
        self.task: Task | None = None
        self.n_attempts = 0

    def assign(self, task: Task, n_attempts: int) -> None:
        """Send a task."""
        self.task, self.n_attempts = task, n_attempts
        if self._is_ready:
            self._deadline = time.monotonic() + self._limits.time_s
        with contextlib.suppress(OSError):  # of a worker that has died: `result` says so
            self.connection.send(task)

    def result(self) -> Result | Failure | None:
        """Return the result or why there is none; None if the task is still being done."""
        if self.connection.poll():
            with contextlib.suppress(EOFError, OSError):
                message: Result | Failure | _Ready = self.connection.recv()
                if not isinstance(message, _Ready):
                    return message
                self._is_ready, self._deadline = True, time.monotonic() + self._limits.time_s
                return None
            self._process.join()
            return Failure(_death(self._process.exitcode), may_succeed=True)
        if time.monotonic() > self._deadline:
            self.kill()
            return Failure(f"no result after {self._limits.time_s if self._is_ready else START_S:g} s")
        return None

    def kill(self) -> None:
        """Kill the process and its children, such as ffmpeg; a second call does nothing."""
        if self.connection.closed:
            return
        pid = self._process.pid
        assert pid is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        self.connection.close()


def run(
    tasks: Iterable[Task], start: Callable[[], Process[Task, Result]], n_workers: int, limits: Limits
) -> Iterator[tuple[Task, Result | Failure]]:
    """Yield each task with its result, in the order in which they are done.

    Args:
        tasks: picklable.
        start: a function of a module, called once in each worker; it returns the function that does a task.
        n_workers: number of processes.
        limits: of each task.
    """
    remaining, again = iter(tasks), deque[tuple[Task, int]]()
    workers: list[_Worker[Task, Result]] = []
    try:
        while True:
            _assign(remaining, again, workers, lambda: _Worker(start, limits), n_workers)
            busy = [worker for worker in workers if worker.task is not None]
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
                    workers.remove(worker)
                if isinstance(result, Failure) and result.may_succeed and worker.n_attempts < ATTEMPTS:
                    again.append((task, worker.n_attempts + 1))
                else:
                    yield task, result
    finally:
        for worker in workers:
            worker.kill()


def _assign(
    remaining: Iterator[Task],
    again: deque[tuple[Task, int]],
    workers: list[_Worker[Task, Result]],
    new_worker: Callable[[], _Worker[Task, Result]],
    n_workers: int,
) -> None:
    """Give each idle worker a task, and start workers as long as there are tasks."""
    while True:
        idle = next((worker for worker in workers if worker.task is None), None)
        if idle is None and len(workers) == n_workers:
            return
        if again:
            task, n_attempts = again.popleft()
        else:
            try:
                task, n_attempts = next(remaining), 1
            except StopIteration:
                return
        if idle is None:
            idle = new_worker()
            workers.append(idle)
        idle.assign(task, n_attempts)


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"the worker process died ({signal.Signals(-code).name})"
    return f"the worker process died (exit code {code})"


def _work(connection: Connection, start: Callable[[], Process[Task, Result]], memory_bytes: int) -> None:
    """Do tasks until the connection is closed."""
    os.setpgrp()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process = start()
    _limit_memory(memory_bytes)
    with contextlib.suppress(EOFError, OSError):
        connection.send(_Ready())
        while True:
            connection.send(_do(process, connection.recv()))


def _do(process: Process[Task, Result], task: Task) -> Result | Failure:
    try:
        return process(task)
    except MemoryError:
        return Failure("the limit of memory is reached")
    except Exception as error:  # a fault must cost one task, not all of them
        return Failure(f"{type(error).__name__}: {error}")


def _limit_memory(memory_bytes: int) -> None:
    with open("/proc/self/statm") as statm:  # noqa: PTH123
        n_pages = int(statm.read().split()[0])
    limit = n_pages * os.sysconf("SC_PAGE_SIZE") + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
