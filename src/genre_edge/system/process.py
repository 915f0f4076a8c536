"""How this process and the machine are, by what Linux tells; elsewhere it says less."""

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

_SHORTEST_S = 1.0  # over less, the share of the processor would be noise
_THERMAL = Path("/sys/class/thermal")
_STATM = Path("/proc/self/statm")


def memory_mb() -> float:
    """Resident memory in MB (10^6 bytes), 0 where it is not told."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError, IndexError):
        return 0.0


def temperature_c() -> float | None:
    """The hottest of the sensors, or None where there are none."""
    found = []
    for sensor in _THERMAL.glob("thermal_zone*/temp"):
        try:
            found.append(int(sensor.read_text()) / 1000)
        except (OSError, ValueError):
            continue  # a sensor that is switched off
    sensible = [celsius for celsius in found if -40 < celsius < 150]
    return max(sensible, default=None)


def cpu_s() -> float:
    """Processor time that this process has used."""
    times = os.times()
    return times.user + times.system


@dataclass
class CpuMeter:
    """The share of one core that this process takes, for any number of askers in any threads."""

    _asked_s: float = field(default_factory=time.monotonic)
    _used_s: float = field(default_factory=cpu_s)
    _percent: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def percent(self) -> float:
        """Over the time since it was last worked out, a second at least; 100 is one core."""
        with self._lock:
            now, used = time.monotonic(), cpu_s()
            if now - self._asked_s >= _SHORTEST_S:
                self._percent = 100 * (used - self._used_s) / (now - self._asked_s)
                self._asked_s, self._used_s = now, used
            return self._percent
