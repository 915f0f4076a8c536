"""The computer that figures were measured on."""

import os
import platform
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

_MEMINFO = Path("/proc/meminfo")


def processor() -> str:
    """Its name, as the system knows it."""
    for file, pattern in (("/proc/cpuinfo", r"model name\s*: (.*)"), ("/sys/firmware/devicetree/base/model", r"(.+)")):
        if Path(file).exists() and (found := re.search(pattern, Path(file).read_text().rstrip("\0"))):
            return found[1].strip()
    return platform.machine()


def system() -> str:
    """Operating system and architecture, as in "Linux x86_64"."""
    return f"{platform.system()} {platform.machine()}"


def describe() -> dict[str, Any]:
    """What speeds depend on: processor, system, Python, the core's vectors, FFTW's version (None without one)."""
    from genre_edge import GenreEdgeError, MelSpectrogram
    from genre_edge.mel import _logmel, fftw

    with suppress(GenreEdgeError):
        fftw.ensure()
    return {
        "processor": processor(),
        "os": system(),
        "python": platform.python_version(),
        "lanes": MelSpectrogram().lanes,
        "fftw": _logmel.fftw_version(),
    }


def free_memory_mb() -> float:
    """What programs can still have without swapping, in MB. Raises ValueError where the system does not tell."""
    if _MEMINFO.exists():
        found = re.search(r"^MemAvailable:\s+(\d+) kB$", _MEMINFO.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024 / 1e6
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6
