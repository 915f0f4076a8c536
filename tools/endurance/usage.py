"""What a process uses, by Linux's /proc."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """At a moment: memory in bytes, descriptors, threads; since the beginning: CPU seconds, how often it woke up, and
    bytes written to disks."""

    cpu_s: float
    resident_bytes: int
    own_bytes: int  # of the resident, what is no file's
    peak_bytes: int
    descriptors: int
    threads: int
    wakeups: int
    written_bytes: int

    @classmethod
    def of(cls, pid: int) -> "Usage":
        """Raises OSError when the process is gone."""
        process = Path(f"/proc/{pid}")
        # Behind the name, which may hold anything; proc(5) calls user and system time fields 14 and 15.
        ticks = (process / "stat").read_text().rsplit(")", 1)[1].split()[11:13]
        status = _numbers(process / "status")
        return cls(
            cpu_s=sum(map(int, ticks)) / _TICKS_A_SECOND,
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
