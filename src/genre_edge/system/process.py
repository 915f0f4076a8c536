"""Memory and CPU usage of a process, from Linux's /proc; of this process also on other systems."""

import os
import resource
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

_PROC = Path("/proc")
_MIN_INTERVAL_S = 1.0  # over a shorter interval, the CPU usage is noise


def memory_mb(pid: int | None = None) -> float:
    """Return the resident memory in MB (10^6 bytes).

    Without /proc, this is the largest amount so far for this process, and 0 for other ones.

    Args:
        pid: process ID; None for this process.
    """
    try:
        pages = (_directory(pid) / "statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError, IndexError):
        return _peak_memory_mb() if pid is None else 0.0


def _peak_memory_mb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes on macOS, kilobytes on Linux and BSD
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def address_space_bytes() -> int | None:
    """Return the size of this process's address space; None without /proc."""
    try:
        return int((_directory(None) / "statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def cpu_s(pid: int | None = None) -> float:
    """Return the CPU time used so far, user and system, in seconds.

    Args:
        pid: process ID; None for this process.

    Raises:
        OSError: there is no process with this ID.
    """
    if pid is None:
        times = os.times()
        return times.user + times.system
    # The second field is the program's name, which may contain anything. See proc(5): utime and stime are 14 and 15.
    ticks = (_directory(pid) / "stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def _directory(pid: int | None) -> Path:
    return _PROC / ("self" if pid is None else str(pid))


@dataclass
class CpuMeter:
    """CPU usage of this process. All threads may use the same meter."""

    _updated_s: float = field(default_factory=time.monotonic)
    _used_s: float = field(default_factory=cpu_s)
    _percent: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def percent(self) -> float:
        """Return the CPU usage in percent of one core, updated at most once a second; 0 before the first update."""
        with self._lock:
            now, used = time.monotonic(), cpu_s()
            if now - self._updated_s >= _MIN_INTERVAL_S:
                self._percent = 100 * (used - self._used_s) / (now - self._updated_s)
                self._updated_s, self._used_s = now, used
            return self._percent
