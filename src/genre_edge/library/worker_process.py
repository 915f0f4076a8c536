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

from genre_edge.errors import GenreEdgeError
from genre_edge.system import self_limits

Task = TypeVar("Task")
Result = TypeVar("Result")
Process = Callable[[Task], Result]

START_S = 300.0  # until a worker is ready
_MEMORY_LIMIT_REACHED = "the limit of memory is reached"
# Run by `python -c`: `python -m` would import modules from the current directory, which may be a folder of music.
_PROGRAM = f"import sys; sys.path[:] = sys.argv[2:]; from {__name__} import work; work(int(sys.argv[1]))"


@dataclass(frozen=True)
class Limits:
    """Limits of a task: seconds, and bytes of memory beyond what a worker has at its start."""

    time_s: float
    memory_bytes: int


@dataclass(frozen=True)
class Failure:
    """Why a task has no result.

    Attributes:
        reason: one line.
        may_succeed: whether another attempt may have a result.
        at_start: whether the worker failed before it was ready, so that the task is not the cause.
    """

    reason: str
    may_succeed: bool = False
    at_start: bool = False


class StartError(GenreEdgeError):
    """Raised if no worker process can be started, whatever its task is."""


class _Ready:
    """First message of a worker: the time for its first task begins."""


class WorkerProcess(Generic[Task, Result]):
    """A worker process and the task that it has.

    Args:
        start: picklable function that is called once in the process; it returns the function that does a task.
        limits: of each task.

    Raises:
        StartError: the system cannot start a process.

    Attributes:
        connection: readable when `result` has something to return.
        task: the present task; None if there is none.
        n_attempts: how often the task was tried, this time included.
    """

    def __init__(self, start: Callable[[], Process[Task, Result]], limits: Limits) -> None:
        self.connection, self._process = _start_process()
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
            return _death(self._process.wait(), at_start=not self._is_ready)
        if time.monotonic() > self._deadline:
            self.kill()
            reason = f"no result after {self._limits.time_s if self._is_ready else START_S:g} s"
            return Failure(reason, at_start=not self._is_ready)
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


def _start_process() -> tuple[Connection, subprocess.Popen[bytes]]:
    """Start a worker in a process group of its own, which Ctrl-C does not reach; it has this process's `sys.path`."""
    # preexec_fn is not safe in programs with threads; Python 3.10 has nothing else.
    group: dict[str, Any] = {"process_group": 0} if sys.version_info >= (3, 11) else {"preexec_fn": os.setpgrp}
    isolation = ["-I"] if sys.flags.isolated else []
    try:
        ours, other = socket.socketpair()
        with ours, other:
            command = [sys.executable, *isolation, "-c", _PROGRAM, str(other.fileno()), *map(str, sys.path)]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[other.fileno()], **group)
            return Connection(ours.detach()), process
    except (OSError, subprocess.SubprocessError) as error:
        raise StartError(f"a worker process cannot be started: {error}") from None


def _death(code: int, at_start: bool) -> Failure:
    if code == self_limits.MEMORY_EXIT_CODE:
        return Failure(_MEMORY_LIMIT_REACHED)
    reason = f"exit code {code}"
    if code < 0:
        with contextlib.suppress(ValueError):
            reason = signal.Signals(-code).name
    return Failure(f"the worker process died ({reason})", may_succeed=True, at_start=at_start)


def work(descriptor: int) -> None:
    """Do tasks until the connection, the socket with this descriptor, is closed."""
    self_limits.end_with_parent()
    connection = Connection(descriptor)
    with contextlib.suppress(EOFError, OSError):  # of `recv` and `send`: the other end is closed
        process = _prepare(*connection.recv())
        connection.send(process if isinstance(process, Failure) else _Ready())
        while not isinstance(process, Failure):
            connection.send(_do(process, connection.recv()))


def _prepare(start: Callable[[], Process[Task, Result]], memory_bytes: int) -> Process[Task, Result] | Failure:
    """Return the function that does a task, with the limit of memory set."""
    try:
        process = start()
        self_limits.limit_memory(memory_bytes)
    except Exception as error:
        return Failure(f"{type(error).__name__}: {error}", at_start=True)
    return process


def _do(process: Process[Task, Result], task: Task) -> Result | Failure:
    try:
        return process(task)
    except MemoryError:
        return Failure(_MEMORY_LIMIT_REACHED)
    except Exception as error:  # a fault must cost one task, not all of them
        return Failure(f"{type(error).__name__}: {error}")
