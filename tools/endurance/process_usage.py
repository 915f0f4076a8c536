"""Resource usage of a process, read from Linux's /proc (see proc(5))."""

import re
from dataclasses import dataclass
from pathlib import Path

from genre_edge.system import process


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
        written_bytes: bytes written to storage since its start; on some file systems these include access times of
            files that it loads.
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
        directory = Path(f"/proc/{pid}")
        status = _numbers(directory / "status")
        return cls(
            cpu_s=process.cpu_s(pid),
            resident_bytes=1024 * status["VmRSS"],
            own_bytes=1024 * status["RssAnon"],
            peak_bytes=1024 * status["VmHWM"],
            descriptors=len(list((directory / "fd").iterdir())),
            threads=status["Threads"],
            wakeups=status["voluntary_ctxt_switches"],
            written_bytes=_numbers(directory / "io")["write_bytes"],
        )


def _numbers(path: Path) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+)", path.read_text(), re.MULTILINE)}
