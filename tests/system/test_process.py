"""Memory and CPU usage of processes."""

import mmap
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from genre_edge.system import process


def test_cpu_meter_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figure is the share of one core since the last update, at least a second ago."""
    clock = SimpleNamespace(now=100.0, used=3.0)
    monkeypatch.setattr(process.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(process, "cpu_s", lambda: clock.used)
    cpu = process.CpuMeter(100.0, 3.0)
    clock.now, clock.used = 104.0, 4.0
    assert cpu.percent() == 25.0
    clock.now, clock.used = 104.5, 4.5
    assert cpu.percent() == 25.0  # less than a second later
    clock.now = 106.0
    assert cpu.percent() == 25.0


def test_memory_mb_counts_mapped_pages() -> None:
    """Pages that are written to count."""
    before = process.memory_mb()
    with mmap.mmap(-1, 40_000_000) as pages:  # an allocator might reuse memory that other tests have freed
        np.frombuffer(pages, np.uint8)[:] = 1
        assert before > 5 and 35 < process.memory_mb() - before < 60


def test_memory_mb_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without /proc the figure is the peak for this process, and 0 for others; the address space is unknown."""
    resident = process.memory_mb()
    monkeypatch.setattr(process, "_PROC", Path("/nowhere"))
    assert resident * 0.95 < process.memory_mb() < 1e5
    assert process.memory_mb(os.getppid()) == 0.0
    assert process.address_space_bytes() is None


@pytest.mark.parametrize(("platform", "unit"), [("darwin", 1), ("linux", 1024), ("freebsd14", 1024)])
def test_memory_mb_units(platform: str, unit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS reports the peak in bytes, other systems in kilobytes."""
    monkeypatch.setattr(process, "_PROC", Path("/nowhere"))
    monkeypatch.setattr(process.resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=204_800_000 // unit))
    monkeypatch.setattr(process.sys, "platform", platform)
    assert process.memory_mb() == 204.8


def test_usage_of_own_pid_equals_default() -> None:
    """Without an argument, the functions describe this process."""
    assert process.memory_mb(os.getpid()) == pytest.approx(process.memory_mb(), rel=0.05)
    assert process.cpu_s(os.getpid()) == pytest.approx(process.cpu_s(), abs=0.1)


def test_usage_of_other_process() -> None:
    """Usage of a running child is reported; that of an ended one is an error or 0."""
    program = "sum(range(5_000_000)); y = bytes(30_000_000); print(flush=True); input()"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert process.cpu_s(child.pid) > 0.01
        assert 5 < process.memory_mb(child.pid) < 200
    with pytest.raises(OSError):
        process.cpu_s(child.pid)
    assert process.memory_mb(child.pid) == 0.0
