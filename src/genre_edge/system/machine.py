"""Information about the computer: processor, operating system, free memory and temperature."""

import os
import platform
import re
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_BOARD_NAME = Path("/sys/firmware/devicetree/base/model")  # for example of a Raspberry Pi
_MEMINFO = Path("/proc/meminfo")
_THERMAL = Path("/sys/class/thermal")


def processor() -> str:
    """Return the processor's name, else the board's name, else the architecture."""
    for path, pattern in ((_CPUINFO, r"model name\s*: (.*)"), (_BOARD_NAME, r"(.+)")):
        if path.exists() and (match := re.search(pattern, path.read_text().rstrip("\0"))):
            return match[1].strip()
    return platform.machine()


def operating_system() -> str:
    """Return operating system and architecture, for example "Linux x86_64"."""
    return f"{platform.system()} {platform.machine()}"


def free_memory_mb() -> float | None:
    """Return the memory available to programs without swapping, in MB (10^6 bytes); None if the system reports none."""
    if _MEMINFO.exists():
        match = re.search(r"^MemAvailable:\s+(\d+) kB$", _MEMINFO.read_text(), re.MULTILINE)
        if match:
            return int(match[1]) * 1024 / 1e6
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6
    except ValueError:
        return None  # macOS


def temperature_c() -> float | None:
    """Return the temperature of the hottest sensor in degrees Celsius, or None without a working sensor."""
    readings = []
    try:
        sensors = list(_THERMAL.glob("thermal_zone*/temp"))
    except OSError:
        return None  # no more file descriptors
    for sensor in sensors:
        try:
            readings.append(int(sensor.read_text()) / 1000)
        except (OSError, ValueError):
            continue  # a sensor that is switched off
    plausible = [celsius for celsius in readings if -40 < celsius < 150]
    return max(plausible, default=None)
