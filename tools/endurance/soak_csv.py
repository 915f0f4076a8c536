"""The CSV of a soak test, one row per hour of audio, and the checks of its rows."""

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Any

MAX_GROWTH = 1_000_000  # bytes of resident memory, after the first hour of a run
FIRST_S = 3600.0


@dataclass(frozen=True)
class Row:
    """State of a run (one process) after some audio. Counts are totals since the start of the process, except where
    noted.

    Attributes:
        run: number of the process, from 1.
        audio_s: seconds of audio over all runs.
        run_audio_s: seconds of audio in this run.
        wall_s: wall-clock seconds since the previous row.
        cpu_s: CPU seconds since the previous row.
        resident_bytes, own_bytes, descriptors, threads, written_bytes: see `ProcessUsage`.
        position_s: end of the last verdict, seconds.
        verdicts: number of verdicts.
        misplaced: number of verdicts at a wrong position.
        dropped_samples: samples that the process reported as dropped.
        lag_ms: maximum lag since the previous row, ms.
    """

    run: int
    audio_s: float
    run_audio_s: float
    wall_s: float
    cpu_s: float
    resident_bytes: int
    own_bytes: int
    descriptors: int
    threads: int
    written_bytes: int
    position_s: float
    verdicts: int
    misplaced: int
    dropped_samples: int
    lag_ms: float


def read(path: Path) -> list[Row]:
    """Return the rows so far, none if there is no file. Removes an incomplete last line from the file."""
    if not path.exists():
        return []
    content = path.read_bytes()
    complete = content[: content.rfind(b"\n") + 1]
    if complete != content:
        path.write_bytes(complete)
    types: dict[str, Any] = {field.name: field.type for field in fields(Row)}
    lines = csv.DictReader(io.StringIO(complete.decode()))
    return [Row(**{name: types[name](value) for name, value in line.items()}) for line in lines]


def append(path: Path, row: Row) -> None:
    """Append one row, and a header to a new file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    if not path.exists() or path.stat().st_size == 0:
        writer.writeheader()
    writer.writerow(asdict(row))
    with path.open("a") as file:
        file.write(text.getvalue())


def runs(rows: list[Row]) -> list[list[Row]]:
    """Group the rows by process."""
    return [list(group) for _, group in groupby(rows, lambda row: row.run)]


def speeds(run: list[Row]) -> list[float]:
    """Return the speed between consecutive rows as a multiple of real time."""
    before_s = [0.0, *(row.run_audio_s for row in run[:-1])]
    return [(row.run_audio_s - s) / row.wall_s for row, s in zip(run, before_s, strict=True)]


def growth(run: list[Row]) -> int | None:
    """Return by how many bytes resident memory grew at most after the first hour of audio; None for a shorter run."""
    later = [row.resident_bytes for row in run if row.run_audio_s >= FIRST_S]
    return max(later[1:]) - later[0] if len(later) > 1 else None


def written(run: list[Row]) -> int:
    """Return the bytes written to disks after the first row. The start may write some: see `ProcessUsage`."""
    return run[-1].written_bytes - run[0].written_bytes


def violations(rows: list[Row]) -> Iterator[str]:
    """Yield one sentence per exceeded limit."""
    for run in runs(rows):
        first, last = run[0], run[-1]
        grown = growth(run)
        if grown is not None and grown > MAX_GROWTH:
            yield f"run {first.run}: resident memory grew by {grown} bytes after the first hour"
        for name in ("descriptors", "threads"):
            values = {getattr(row, name) for row in run}
            if len(values) > 1:
                yield f"run {first.run}: {min(values)} to {max(values)} {name}"
        counts = {"misplaced": last.misplaced, "dropped samples": last.dropped_samples, "written bytes": written(run)}
        yield from (f"run {first.run}: {count} {name}" for name, count in counts.items() if count)
