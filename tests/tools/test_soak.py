"""The programs that watch a listener see what is wrong, and go on where they stopped."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genre_edge.model.bundle import MODELS, Bundle
from tools.endurance import record
from tools.endurance.ledger import Ledger, ListenerError
from tools.endurance.listener import StreamProcess
from tools.endurance.programme import Programme
from tools.endurance.record import Row

RATE = 8000
BUNDLE = Bundle.load(MODELS / "edge")
ROW = Row(
    run=1,
    audio_s=3600.0,
    run_audio_s=3600.0,
    wall_s=3.0,
    cpu_s=2.0,
    resident_bytes=60_000_000,
    own_bytes=30_000_000,
    descriptors=4,
    threads=2,
    written_bytes=0,
    position_s=3597.5,
    verdicts=700,
    misplaced=0,
    dropped_samples=0,
    lag_ms=1.5,
)


def hours(*changes: dict) -> list[Row]:
    """A row an hour, each the first one with these changes."""
    return [
        replace(ROW, audio_s=3600.0 * hour, run_audio_s=3600.0 * hour, **change)
        for hour, change in enumerate(changes, 1)
    ]


def soak(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tools.soak", "--csv", folder / "soak.csv", "--raw", f"s16le:{RATE}:1"]
    return subprocess.run([*command, *words], capture_output=True, text=True, timeout=300)


def test_a_soak_goes_on_where_it_stopped(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    day_s, step = 86400, ("--every", "60")
    done = soak(tmp_path, "--days", str(120 / day_s), *step)
    assert done.returncode == 0, done.stderr
    first = (tmp_path / "soak.csv").read_text()
    (tmp_path / "soak.csv").write_text(first + "2,180.0,60.0,0.1")  # cut off while it was written
    done = soak(tmp_path, "--days", str(240 / day_s), *step, "--chart", str(tmp_path / "soak.svg"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "soak.csv").read_text().startswith(first)
    rows = record.read(tmp_path / "soak.csv")
    assert [(row.run, row.audio_s, row.run_audio_s) for row in rows] == [
        (1, 60.0, 60.0),
        (1, 120.0, 120.0),
        (2, 180.0, 60.0),
        (2, 240.0, 120.0),
    ]
    assert all(0 < row.audio_s - row.position_s - 60 * (row.run - 1) * 2 < 6 for row in rows)
    assert not list(record.faults(rows))
    assert rows[0].cpu_s > 0 and rows[0].resident_bytes > 10e6 and rows[0].descriptors >= 3
    assert (tmp_path / "soak.svg").read_text().startswith("<?xml")
    assert "0.003 days of sound" in done.stdout and "2 runs" in done.stdout
    assert soak(tmp_path, "--days", str(240 / day_s)).returncode == 0  # nothing is left to do
    assert record.read(tmp_path / "soak.csv") == rows


def test_a_broken_limit_is_code_1(tmp_path: Path) -> None:
    for row in hours({}, {"resident_bytes": 61_000_001}):
        record.append(tmp_path / "soak.csv", row)
    done = soak(tmp_path, "--days", "0.05")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "0.083 days of sound in 0.1 minutes, 1 runs: 1200 times as fast as it plays (1800 times a second of CPU)",
        "resident memory after the first hour: 1000 kB more at most",
        "at most 61.0 MB, 4 descriptors, 2 threads, 0 bytes written to disks",
        "700 verdicts, 0 out of place, 0 samples lost, longest lag 2 ms",
    ]
    assert done.stderr.splitlines() == [
        "soak: a limit was broken",
        "run 1: resident memory grew by 1000001 bytes after the first hour",
    ]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ([{}, {"resident_bytes": 61_000_000}], None),
        ([{}, {"resident_bytes": 61_000_001}, {}], "resident memory grew by 1000001 bytes after the first hour"),
        ([{}, {"descriptors": 5}, {}], "4 to 5 descriptors"),
        ([{"threads": 3}, {}], "2 to 3 threads"),
        ([{}, {"dropped_samples": 7}], "7 dropped samples"),
        ([{}, {"misplaced": 2}], "2 misplaced"),
        ([{}, {"written_bytes": 4096}], "4096 written bytes"),
    ],
)
def test_what_breaks_a_limit(changes: list[dict], fault: str | None) -> None:
    assert list(record.faults(hours(*changes))) == ([f"run 1: {fault}"] if fault else [])


def test_growth_begins_after_the_first_hour_of_each_run() -> None:
    first = [replace(ROW, run_audio_s=1800.0, resident_bytes=1), *hours({}, {"resident_bytes": 60_500_000})]
    second = [replace(row, run=2, resident_bytes=50_000_000) for row in hours({}, {})]
    assert [record.growth(run) for run in record.runs(first + second)] == [500_000, 0]
    assert record.growth(hours({})) is None


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    rows = hours({}, {"lag_ms": 0.1, "wall_s": 1e-3})
    for row in rows:
        record.append(tmp_path / "soak.csv", row)
    assert record.read(tmp_path / "soak.csv") == rows
    assert record.read(tmp_path / "none.csv") == []
    assert record.speeds(rows) == [1200.0, 3.6e6]


def verdicts(ledger: Ledger, n: int) -> list[dict]:
    """As they should be."""
    length_s = ledger.step_s - ledger.hop_s + BUNDLE.patch_s
    starts_s = [k * ledger.step_s for k in range(n)]
    return [{"start_s": s, "end_s": s + length_s, "dropped_samples": 0, "lag_ms": s / 10} for s in starts_s]


def test_a_ledger_finds_every_verdict_in_its_place() -> None:
    ledger = Ledger(BUNDLE, 5.0)
    for verdict in verdicts(ledger, 10):
        ledger.add(verdict)
    ledger.wait_for_all(ledger.end_s + 1)
    ledger.end(ledger.end_s + 1)
    assert (ledger.count, ledger.misplaced, ledger.dropped) == (10, 0, 0)
    assert ledger.longest_lag_ms() == 9 * ledger.step_s / 10
    assert ledger.longest_lag_ms() == 0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda all: all.pop(4),
        lambda all: all.insert(4, all[4]),
        lambda all: all[4].update(start_s=all[4]["start_s"] + 0.002),
        lambda all: all[4].update(end_s=all[4]["end_s"] - 1),  # a rest, but not at the end
        lambda all: all.pop(),  # less was heard than fed
        lambda all: all[-1].update(end_s=all[-1]["end_s"] + 0.002),  # more was heard
    ],
    ids=["lost", "twice", "late", "short", "too few", "too long"],
)
def test_a_ledger_finds_a_verdict_that_is_not_in_its_place(spoil) -> None:
    ledger = Ledger(BUNDLE, 5.0)
    all = verdicts(ledger, 10)
    fed_s = all[-1]["end_s"]
    spoil(all)
    for verdict in all:
        ledger.add(verdict)
    ledger.end(fed_s)
    assert ledger.misplaced > 0


def test_a_listener_that_dies_is_told() -> None:
    with StreamProcess(f"s16le:{RATE}:1", 5.0, "edge") as listener:
        listener.feed([memoryview(bytes(2 * RATE))])
        listener._process.kill()
        with pytest.raises(ListenerError, match="ended with code -9"):
            listener.feed([memoryview(bytes(1 << 20))])
        with pytest.raises(ListenerError, match=r"ended at 0\.0 s"):
            listener.ledger.wait_for_all(3600.0)


def test_an_hour_sounds_the_same_whenever_it_is_played() -> None:
    first, again = Programme(1, RATE, 2), Programme(1, RATE, 2)
    hours = [b"".join(first.stretch(i, 100_000)) for i in range(3)]
    assert b"".join(again.stretch(2, 100_000)) == hours[2]
    assert {len(hour) for hour in hours} == {400_000} and len(set(hours)) == 3
    assert b"".join(Programme(2, RATE, 2).stretch(2, 100_000)) != hours[2]
    frames = np.frombuffer(b"".join(hours), "<i2").reshape(-1, 2)
    assert (frames[:, 0] == frames[:, 1]).all() and frames.std() > 1000


@pytest.mark.parametrize(("option", "verdicts"), [((), "2"), (("--serve",), "[12]")])  # serve is asked before its end
def test_the_live_cost_is_told(option: tuple[str, ...], verdicts: str) -> None:
    command = [sys.executable, "-m", "tools.live_cost", "--seconds", "3", "--raw", f"s16le:{RATE}:1", *option]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert re.match(f"s16le:{RATE}:1, 3 s, {verdicts} verdicts\n", done.stdout), done.stderr
    assert "% of one core" in done.stdout and ", 0 bytes written to disks" in done.stdout
    assert (done.returncode, done.stderr) in ((0, ""), (1, "live_cost: a limit was broken\n"))  # of a busy machine
