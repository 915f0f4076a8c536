"""Resource usage of a process, from Linux's /proc."""

import re
from dataclasses import dataclass
from pathlib import Path

from genre_edge.system import process


@dataclass(frozen=True)
class Usage:
    """Memory in bytes, file descriptors and threads now; CPU seconds, voluntary context switches and bytes written
    to disks since the process started."""

    cpu_s: float
    resident_bytes: int
    own_bytes: int  # resident anonymous memory
    peak_bytes: int
    descriptors: int
    threads: int
    wakeups: int
    written_bytes: int

    @classmethod
    def of(cls, pid: int) -> "Usage":
        """Read the usage of a running process.

        Raises:
            OSError: there is no process with this ID.
        """
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
