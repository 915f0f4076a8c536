"""Resource usage of a process, read from Linux's /proc (see proc(5))."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ProcessUsage:
    """Resource usage of a process.

    Attributes:
        cpu_s: user and system CPU seconds since its start.
        resident_bytes: resident memory (VmRSS).
        own_bytes: anonymous resident memory (RssAnon).
        peak_bytes: peak resident memory (VmHWM).
        descriptors: open file descriptors.
        threads: number of threads.
        wakeups: voluntary context switches since its start.
        written_bytes: bytes written to storage since its start.
    """

    cpu_s: float
    resident_bytes: int
    own_bytes: int
    peak_bytes: int
    descriptors: int
    threads: int
    wakeups: int
    written_bytes: int

    @classmethod
    def read(cls, pid: int) -> "ProcessUsage":
        """Read the usage of process `pid`. Raises OSError or KeyError if it has ended."""
        process = Path(f"/proc/{pid}")
        # The process name may contain spaces and brackets: fields 14 (utime) and 15 (stime) are counted from its end.
        ticks = (process / "stat").read_text().rsplit(")", 1)[1].split()[11:13]
        status = _numbers(process / "status")
        return cls(
            cpu_s=sum(map(int, ticks)) / _TICKS_PER_SECOND,
            resident_bytes=1024 * status["VmRSS"],
            own_bytes=1024 * status["RssAnon"],
            peak_bytes=1024 * status["VmHWM"],
            descriptors=len(list((process / "fd").iterdir())),
            threads=status["Threads"],
            wakeups=status["voluntary_ctxt_switches"],
            written_bytes=_numbers(process / "io")["write_bytes"],
        )


def _numbers(path: Path) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+)", path.read_text(), re.MULTILINE)}
