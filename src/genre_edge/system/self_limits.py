"""Limits that a child process sets on itself: its end at the end of its parent, and its memory.

The kernel enforces them on Linux. On other systems a thread does, which needs up to `_INTERVAL_S` to notice.
"""

import ctypes
import os
import resource
import signal
import threading
import time
from collections.abc import Callable

from genre_edge.system import process
from genre_edge.system.signals import blocked

MEMORY_EXIT_CODE = 86  # of a process whose thread has found that it exceeds its memory
_PR_SET_PDEATHSIG = 1  # prctl(2): the signal comes at the end of the thread that started this process
_INTERVAL_S = 0.1


def end_with_parent() -> None:
    """Have this process killed when its parent ends."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        return
    parent = os.getppid()
    _start_watch(lambda: os.getppid() != parent, lambda: os.kill(os.getpid(), signal.SIGKILL))


def limit_memory(n_bytes: int) -> None:
    """Limit the memory of this process to `n_bytes` more than it has.

    On Linux an allocation beyond the limit fails. On other systems the process exits with `MEMORY_EXIT_CODE`.
    """
    address_space = process.address_space_bytes()
    if address_space is not None:
        resource.setrlimit(resource.RLIMIT_AS, (address_space + n_bytes, address_space + n_bytes))
        return
    limit_mb = process.memory_mb() + n_bytes / 1e6
    _start_watch(lambda: process.memory_mb() > limit_mb, lambda: os._exit(MEMORY_EXIT_CODE))


def _start_watch(is_due: Callable[[], bool], act: Callable[[], None]) -> None:
    """Call `act` in a thread as soon as `is_due` returns True."""

    def watch() -> None:
        while not is_due():
            time.sleep(_INTERVAL_S)
        act()

    with blocked():
        threading.Thread(target=watch, name="limits", daemon=True).start()
