"""tools.soak and tools.live_cost: resuming, limits, and detection of lost or misplaced verdicts."""

import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genre_edge.model.bundle import MODELS, Bundle
from tools import live_cost
from tools import soak as soak_tool
from tools.endurance import soak_csv
from tools.endurance.audio_generator import AudioGenerator
from tools.endurance.soak_csv import Row
from tools.endurance.stream_process import StreamProcess
from tools.endurance.verdict_checker import ProcessError, VerdictChecker

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
    """Return one row per hour, each a copy of ROW with these changes."""
    return [
        replace(ROW, audio_s=3600.0 * hour, run_audio_s=3600.0 * hour, **change)
        for hour, change in enumerate(changes, 1)
    ]


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep child processes from writing __pycache__, which would count as bytes written to disks."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")


@pytest.fixture
def run_soak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run tools.soak in this process and return its stdout; SystemExit means a failure."""

    def run(*arguments: str) -> str:
        options = ["--csv", str(tmp_path / "soak.csv"), "--raw", f"s16le:{RATE}:1"]
        monkeypatch.setattr(sys, "argv", ["soak.py", *options, *arguments])
        soak_tool.main()
        return capsys.readouterr().out

    return run


@pytest.mark.slow
def test_soak_resumes_after_interruption(tmp_path: Path, run_soak: Callable[..., str]) -> None:
    """A second run removes an incomplete row, continues after the last complete one and draws the chart."""
    pytest.importorskip("matplotlib")
    day_s, step = 86400, ("--every", "60")
    run_soak("--days", str(120 / day_s), *step)
    first = (tmp_path / "soak.csv").read_text()
    (tmp_path / "soak.csv").write_text(first + "2,180.0,60.0,0.1")  # an incomplete row
    out = run_soak("--days", str(240 / day_s), *step, "--chart", str(tmp_path / "soak.svg"))
    assert (tmp_path / "soak.csv").read_text().startswith(first)
    rows = soak_csv.read(tmp_path / "soak.csv")
    assert [(row.run, row.audio_s, row.run_audio_s) for row in rows] == [
        (1, 60.0, 60.0),
        (1, 120.0, 120.0),
        (2, 180.0, 60.0),
        (2, 240.0, 120.0),
    ]
    assert all(0 < row.audio_s - row.position_s - 60 * (row.run - 1) * 2 < 6 for row in rows)
    assert not list(soak_csv.violations(rows))
    assert rows[0].cpu_s > 0 and rows[0].resident_bytes > 10e6 and rows[0].descriptors >= 3
    assert (tmp_path / "soak.svg").read_text().startswith("<?xml")
    assert "0.003 days of audio" in out and "2 runs" in out
    run_soak("--days", str(240 / day_s))  # nothing left to do
    assert soak_csv.read(tmp_path / "soak.csv") == rows


def test_soak_exceeded_limit_exits_with_code_1(
    tmp_path: Path, run_soak: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The report is printed to stdout; the exceeded limit is the error message."""
    for row in hours({}, {"resident_bytes": 61_000_001}):
        soak_csv.append(tmp_path / "soak.csv", row)
    with pytest.raises(SystemExit) as ended:
        run_soak("--days", "0.05")
    assert capsys.readouterr().out.splitlines() == [
        "0.083 days of audio in 0.1 minutes, 1 runs: 1200 times real time (1800 s of audio per second of CPU)",
        "growth of resident memory after the first hour: at most 1000 kB",
        "maximum: 61.0 MB, 4 descriptors, 2 threads, 0 bytes written to disks",
        "700 verdicts, 0 misplaced, 0 dropped samples, maximum lag 2 ms",
    ]
    assert str(ended.value.code).splitlines() == [  # a text as exit code is printed, and the code is 1
        "soak: a limit is exceeded",
        "run 1: resident memory grew by 1000001 bytes after the first hour",
    ]


@pytest.mark.parametrize(
    ("changes", "violation"),
    [
        ([{}, {"resident_bytes": 61_000_000}], None),
        ([{}, {"resident_bytes": 61_000_001}, {}], "resident memory grew by 1000001 bytes after the first hour"),
        ([{}, {"descriptors": 5}, {}], "4 to 5 descriptors"),
        ([{"threads": 3}, {}], "2 to 3 threads"),
        ([{}, {"dropped_samples": 7}], "7 dropped samples"),
        ([{}, {"misplaced": 2}], "2 misplaced"),
        ([{"written_bytes": 4096}, {"written_bytes": 4096}], None),  # at the start: access times of loaded files
        ([{"written_bytes": 4096}, {"written_bytes": 8192}], "4096 written bytes"),
    ],
)
def test_violations(changes: list[dict], violation: str | None) -> None:
    """Each limit is checked, and no value at its limit is reported."""
    assert list(soak_csv.violations(hours(*changes))) == ([f"run 1: {violation}"] if violation else [])


def test_growth_counts_from_first_hour_of_each_run() -> None:
    """Memory of the first hour does not count; a run of one hour has no growth."""
    first = [replace(ROW, run_audio_s=1800.0, resident_bytes=1), *hours({}, {"resident_bytes": 60_500_000})]
    second = [replace(row, run=2, resident_bytes=50_000_000) for row in hours({}, {})]
    assert [soak_csv.growth(run) for run in soak_csv.runs(first + second)] == [500_000, 0]
    assert soak_csv.growth(hours({})) is None


def test_csv_round_trip(tmp_path: Path) -> None:
    """Rows read from the CSV equal those written; a missing file has no rows."""
    rows = hours({}, {"lag_ms": 0.1, "wall_s": 1e-3})
    for row in rows:
        soak_csv.append(tmp_path / "soak.csv", row)
    assert soak_csv.read(tmp_path / "soak.csv") == rows
    assert soak_csv.read(tmp_path / "none.csv") == []
    assert soak_csv.speeds(rows) == [1200.0, 3.6e6]


def verdicts(checker: VerdictChecker, n: int) -> list[dict]:
    """Return `n` verdicts at the expected positions."""
    length_s = checker.step_s - checker.hop_s + BUNDLE.patch_s
    starts_s = [k * checker.step_s for k in range(n)]
    return [{"start_s": s, "end_s": s + length_s, "dropped_samples": 0, "lag_ms": s / 10} for s in starts_s]


def test_verdict_checker_accepts_contiguous_verdicts() -> None:
    """Contiguous verdicts are counted, none is misplaced, and the lag is reset when read."""
    checker = VerdictChecker(BUNDLE, 5.0)
    for verdict in verdicts(checker, 10):
        checker.add(verdict)
    checker.wait_until_caught_up(checker.end_s + 1)
    checker.end(checker.end_s + 1)
    assert (checker.count, checker.misplaced, checker.dropped) == (10, 0, 0)
    assert checker.pop_max_lag_ms() == 9 * checker.step_s / 10
    assert checker.pop_max_lag_ms() == 0


@pytest.mark.parametrize(
    "corrupt",
    [
        lambda all: all.pop(4),
        lambda all: all.insert(4, all[4]),
        lambda all: all[4].update(start_s=all[4]["start_s"] + 0.002),
        lambda all: all[4].update(end_s=all[4]["end_s"] - 1),  # shorter, but not the last
        lambda all: all.pop(),  # less than the input
        lambda all: all[-1].update(end_s=all[-1]["end_s"] + 0.002),  # more than the input
    ],
    ids=["lost", "twice", "late", "short", "too few", "too long"],
)
def test_verdict_checker_finds_misplaced_verdict(corrupt) -> None:
    """Missing, repeated, late, short and too long verdicts are misplaced."""
    checker = VerdictChecker(BUNDLE, 5.0)
    all = verdicts(checker, 10)
    fed_s = all[-1]["end_s"]
    corrupt(all)
    for verdict in all:
        checker.add(verdict)
    checker.end(fed_s)
    assert checker.misplaced > 0


def test_stream_process_killed_raises_process_error() -> None:
    """Feeding a killed process and waiting for its verdicts raise ProcessError."""
    with StreamProcess(f"s16le:{RATE}:1", 5.0, "edge") as process:
        process.feed([memoryview(bytes(2 * RATE))])
        process._process.kill()
        with pytest.raises(ProcessError, match="ended with exit code -9"):
            process.feed([memoryview(bytes(1 << 20))])
        with pytest.raises(ProcessError, match=r"ended at 0\.0 s"):
            process.checker.wait_until_caught_up(3600.0)


def test_audio_generator_segments_are_reproducible() -> None:
    """A segment depends on the seed and its index only."""
    first, again = AudioGenerator(1, RATE, 2), AudioGenerator(1, RATE, 2)
    hours = [b"".join(first.segment(i, 100_000)) for i in range(3)]
    assert b"".join(again.segment(2, 100_000)) == hours[2]
    assert {len(hour) for hour in hours} == {400_000} and len(set(hours)) == 3
    assert b"".join(AudioGenerator(2, RATE, 2).segment(2, 100_000)) != hours[2]
    frames = np.frombuffer(b"".join(hours), "<i2").reshape(-1, 2)
    assert (frames[:, 0] == frames[:, 1]).all() and frames.std() > 1000


@pytest.mark.slow
@pytest.mark.parametrize("option", [(), ("--serve",)])
def test_live_cost_report(
    option: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report is complete, and nothing is written to disks; CPU limits may be exceeded on a busy machine."""
    monkeypatch.setattr(live_cost, "monotonic", lambda: 4 * time.monotonic())  # a clock at four times the speed
    monkeypatch.setattr(live_cost, "sleep", lambda seconds: time.sleep(seconds / 4))
    monkeypatch.setattr(sys, "argv", ["live_cost.py", "--seconds", "3", "--raw", f"s16le:{RATE}:1", *option])
    try:
        live_cost.main()
    except SystemExit as ended:
        assert ended.code == "live_cost: a limit is exceeded"
    out = capsys.readouterr().out
    assert re.match(f"s16le:{RATE}:1, 3 s, [12] verdicts\n", out)
    assert "% of one core" in out and ", 0 bytes written to disks" in out
