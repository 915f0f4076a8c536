"""A worker process of the pool: both ends of its pipe.

It is started by subprocess, not by multiprocessing, which allows no children in the processes of Dask's workers.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from genre_edge.system import self_limits

Task = TypeVar("Task")
Result = TypeVar("Result")
Process = Callable[[Task], Result]

START_S = 300.0  # until a worker is ready
_MEMORY_LIMIT_REACHED = "the limit of memory is reached"


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


class WorkerProcess(Generic[Task, Result]):
    """A worker process and the task that it has.

    Args:
        start: picklable function that is called once in the process; it returns the function that does a task.
        limits: of each task.

    Attributes:
        connection: readable when `result` has something to return.
        task: the present task; None if there is none.
        n_attempts: how often the task was tried, this time included.
    """

    def __init__(self, start: Callable[[], Process[Task, Result]], limits: Limits) -> None:
        ours, other = socket.socketpair()
        with other:
            self._process = _start_process(other.fileno())
        self.connection = Connection(ours.detach())
        self._limits, self._deadline = limits, time.monotonic() + START_S
        self._is_ready = False
        self.task: Task | None = None
        self.n_attempts = 0
        self._send((start, limits.memory_bytes))

    def assign(self, task: Task, n_attempts: int) -> None:
        """Send a task."""
        self.task, self.n_attempts = task, n_attempts
        if self._is_ready:
            self._deadline = time.monotonic() + self._limits.time_s
        self._send(task)

    def _send(self, message: Any) -> None:
        with contextlib.suppress(OSError):  # of a worker that has died: `result` says so
            self.connection.send(message)

    def result(self) -> Result | Failure | None:
        """Return the result or why there is none; None if the task is still being done."""
        if self.connection.poll():
            with contextlib.suppress(EOFError, OSError):
                message: Result | Failure | _Ready = self.connection.recv()
                if not isinstance(message, _Ready):
                    return message
                self._is_ready, self._deadline = True, time.monotonic() + self._limits.time_s
                return None
            return _death(self._process.wait())
        if time.monotonic() > self._deadline:
            self.kill()
            return Failure(f"no result after {self._limits.time_s if self._is_ready else START_S:g} s")
        return None

    def kill(self) -> None:
        """Kill the process and its children, such as ffmpeg; a second call does nothing."""
        if self.connection.closed:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self.connection.close()


def _start_process(descriptor: int) -> subprocess.Popen[bytes]:
    """Start a worker at the other end of a socket, in a process group of its own, which Ctrl-C does not reach."""
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109 (a string)
    # preexec_fn is not safe in programs with threads; Python 3.10 has nothing else.
    group: dict[str, Any] = {"process_group": 0} if sys.version_info >= (3, 11) else {"preexec_fn": os.setpgrp}
    return subprocess.Popen(
        [sys.executable, "-m", __name__, str(descriptor)],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": paths},
        pass_fds=[descriptor],
        **group,
    )


def _death(code: int) -> Failure:
    if code == self_limits.MEMORY_EXIT_CODE:
        return Failure(_MEMORY_LIMIT_REACHED)
    reason = f"exit code {code}"
    if code < 0:
        with contextlib.suppress(ValueError):
            reason = signal.Signals(-code).name
    return Failure(f"the worker process died ({reason})", may_succeed=True)


def _work(connection: Connection) -> None:
    """Do tasks until the connection is closed."""
    self_limits.end_with_parent()
    with contextlib.suppress(EOFError, OSError):
        start, memory_bytes = connection.recv()
        process = start()
        self_limits.limit_memory(memory_bytes)
        connection.send(_Ready())
        while True:
            connection.send(_do(process, connection.recv()))


def _do(process: Process[Task, Result], task: Task) -> Result | Failure:
    try:
        return process(task)
    except MemoryError:
        return Failure(_MEMORY_LIMIT_REACHED)
    except Exception as error:  # a fault must cost one task, not all of them
        return Failure(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    from genre_edge.library import worker_process  # the classes of messages are those of the importable module

    worker_process._work(Connection(int(sys.argv[1])))
