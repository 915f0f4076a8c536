"""What a soak writes down: one row of a CSV an hour of sound, kept at once; and what the rows show."""

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from pathlib import Path

LARGEST_GROWTH = 1_000_000  # bytes of resident memory, after a run's first hour
FIRST_S = 3600.0


@dataclass(frozen=True)
class Row:
    """After some sound of a run (one process). `_s` are seconds; counts are the process's since its beginning, except
    `wall_s`, `cpu_s` and `lag_ms`, which are of the time since the row before."""

    run: int
    audio_s: float  # of all runs
    run_audio_s: float
    wall_s: float
    cpu_s: float
    resident_bytes: int
    own_bytes: int
    descriptors: int
    threads: int
    written_bytes: int
    position_s: float  # end of the last verdict
    verdicts: int
    misplaced: int
    dropped_samples: int
    lag_ms: float


def read(path: Path) -> list[Row]:
    """The rows so far, none where there is no file. A row that was cut off while it was written is removed."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        path.write_bytes(whole)
    types = {field.name: field.type for field in fields(Row)}
    lines = csv.DictReader(io.StringIO(whole.decode()))
    return [Row(**{name: types[name](value) for name, value in line.items()}) for line in lines]


def append(path: Path, row: Row) -> None:
    """One row more, on its way to the disk when this returns."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    if not path.exists() or path.stat().st_size == 0:
        writer.writeheader()
    writer.writerow(asdict(row))
    with path.open("a") as file:
        file.write(text.getvalue())


def runs(rows: list[Row]) -> list[list[Row]]:
    """The rows of each process."""
    return [list(group) for _, group in groupby(rows, lambda row: row.run)]


def speeds(run: list[Row]) -> list[float]:
    """How many times as fast as it plays, row by row."""
    before_s = [0.0, *(row.run_audio_s for row in run[:-1])]
    return [(row.run_audio_s - s) / row.wall_s for row, s in zip(run, before_s, strict=True)]


def growth(run: list[Row]) -> int | None:
    """Bytes, at most, by which resident memory grew after a run's first hour of sound; None for a shorter run."""
    later = [row.resident_bytes for row in run if row.run_audio_s >= FIRST_S]
    return max(later[1:]) - later[0] if len(later) > 1 else None


def faults(rows: list[Row]) -> Iterator[str]:
    """What broke a limit, a sentence each."""
    for run in runs(rows):
        first, last = run[0], run[-1]
        grown = growth(run)
        if grown is not None and grown > LARGEST_GROWTH:
            yield f"run {first.run}: resident memory grew by {grown} bytes after the first hour"
        for name in ("descriptors", "threads"):
            counts = {getattr(row, name) for row in run}
            if len(counts) > 1:
                yield f"run {first.run}: {min(counts)} to {max(counts)} {name}"
        for name in ("misplaced", "dropped_samples", "written_bytes"):
            if count := getattr(last, name):
                yield f"run {first.run}: {count} {name.replace('_', ' ')}"
