"""Facts about the computer."""

import os
from pathlib import Path

import pytest

from genre_edge.system import machine


def test_temperature_c_is_hottest_plausible_sensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hottest sensor counts; unreadable and implausible values do not."""
    monkeypatch.setattr(machine, "_THERMAL", tmp_path)
    assert machine.temperature_c() is None
    for i, text in enumerate(["41000\n", "55500\n", "", "nonsense", "-273000", "999999999"]):
        (tmp_path / f"thermal_zone{i}").mkdir()
        (tmp_path / f"thermal_zone{i}" / "temp").write_text(text)
    (tmp_path / "thermal_zone9").mkdir()
    assert machine.temperature_c() == 55.5


def test_free_memory_mb_reads_meminfo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The figure is MemAvailable."""
    (tmp_path / "meminfo").write_text("MemTotal:  900000 kB\nMemFree:  10 kB\nMemAvailable:  250000 kB\n")
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "meminfo")
    assert machine.free_memory_mb() == 256


def test_free_memory_mb_without_meminfo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without /proc/meminfo, another figure of the system is used; macOS reports none."""
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "none")
    free = machine.free_memory_mb()
    assert free is not None and free > 0
    sysconf = os.sysconf
    monkeypatch.setattr(os, "sysconf", lambda name: sysconf(name.replace("AVPHYS", "NONE")))
    assert machine.free_memory_mb() is None


def test_processor_falls_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The name comes from cpuinfo, else from the board, else it is the architecture."""
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(machine, "_BOARD_NAME", tmp_path / "model")
    assert machine.processor() == machine.platform.machine()
    (tmp_path / "model").write_text("Raspberry Pi 4 Model B Rev 1.4\0")
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nCPU part\t: 0xd08\n")
    assert machine.processor() == "Raspberry Pi 4 Model B Rev 1.4"
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n")
    assert machine.processor() == "Some CPU @ 2 GHz"
