"""Soak test: stream days of audio through `genre-edge stream -` as fast as possible and record what it uses.

    python -m tools.soak --days 7 --csv soak.csv --chart soak.svg

Appends one CSV row per hour of audio. The same command resumes from the last row in a new process until --days are
reached; a larger --days extends the test. Exit code 1 if a limit is exceeded: resident memory grows by more than 1 MB
after the first hour of a process, the number of descriptors or threads changes, bytes are written to disks after the
first row of a process, samples are dropped, or a verdict is misplaced.
"""

import argparse
import sys
import time
from pathlib import Path

from tools.endurance import soak_csv
from tools.endurance.audio_generator import AudioGenerator
from tools.endurance.soak_csv import Row
from tools.endurance.stream_process import StreamProcess
from tools.endurance.verdict_checker import ProcessError

DAY_S = 86400


def soak(arguments: argparse.Namespace, rows: list[Row]) -> None:
    """Run one process until --days are reached, appending to `rows` and to the CSV. Raises ProcessError."""
    run, before_s = (rows[-1].run + 1, rows[-1].audio_s) if rows else (1, 0.0)
    with StreamProcess(arguments.raw, arguments.interval, arguments.model) as process:
        generator = AudioGenerator(arguments.seed, process.rate, process.channels)
        cpu_s = 0.0
        while before_s + process.fed_s < arguments.days * DAY_S:
            start_s, index = time.monotonic(), round((before_s + process.fed_s) / arguments.every)
            process.feed(generator.segment(index, round(arguments.every * process.rate)))
            process.checker.wait_until_caught_up(process.fed_s)
            wall_s = time.monotonic() - start_s
            row = _row(process, run, before_s, wall_s, cpu_s)
            cpu_s += row.cpu_s
            rows.append(row)
            soak_csv.append(arguments.csv, row)
            print(_line(row), flush=True)
        process.finish()
        if process.checker.misplaced > row.misplaced:
            raise ProcessError("sent a misplaced last verdict")


def _row(process: StreamProcess, run: int, before_s: float, wall_s: float, cpu_before_s: float) -> Row:
    usage, checker = process.usage(), process.checker
    return Row(
        run=run,
        audio_s=before_s + process.fed_s,
        run_audio_s=process.fed_s,
        wall_s=round(wall_s, 3),
        cpu_s=round(usage.cpu_s - cpu_before_s, 2),
        resident_bytes=usage.resident_bytes,
        own_bytes=usage.own_bytes,
        descriptors=usage.descriptors,
        threads=usage.threads,
        written_bytes=usage.written_bytes,
        position_s=checker.end_s,
        verdicts=checker.count,
        misplaced=checker.misplaced,
        dropped_samples=checker.dropped,
        lag_ms=checker.pop_max_lag_ms(),
    )


def _line(row: Row) -> str:
    return (
        f"{row.audio_s / DAY_S:7.3f} days  {row.resident_bytes / 1e6:6.1f} MB  {row.descriptors} descriptors  "
        f"{row.threads} threads  lag {row.lag_ms:.0f} ms  {row.cpu_s:.1f} s CPU in {row.wall_s:.1f} s"
    )


def report(rows: list[Row]) -> list[str]:
    """Summarise the rows, one sentence per line."""
    runs = soak_csv.runs(rows)
    growths = [grown for run in runs if (grown := soak_csv.growth(run)) is not None]
    last_rows = [run[-1] for run in runs]
    audio_s, wall_s, cpu_s = rows[-1].audio_s, sum(row.wall_s for row in rows), sum(row.cpu_s for row in rows)
    return [
        f"{audio_s / DAY_S:.3f} days of audio in {wall_s / 60:.1f} minutes, {len(runs)} runs: "
        f"{audio_s / wall_s:.0f} times real time ({audio_s / cpu_s:.0f} s of audio per second of CPU)",
        f"growth of resident memory after the first hour: at most {max(growths) / 1000:.0f} kB"
        if growths
        else "growth of resident memory: not measured, the runs are shorter than two hours",
        f"maximum: {max(r.resident_bytes for r in rows) / 1e6:.1f} MB, {max(r.descriptors for r in rows)} descriptors, "
        f"{max(r.threads for r in rows)} threads, {max(map(soak_csv.written, runs))} bytes written to disks",
        f"{sum(r.verdicts for r in last_rows)} verdicts, {sum(r.misplaced for r in last_rows)} misplaced, "
        f"{sum(r.dropped_samples for r in last_rows)} dropped samples, "
        f"maximum lag {max(r.lag_ms for r in rows):.0f} ms",
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, required=True, help="days of audio, all runs together")
    parser.add_argument("--csv", type=Path, required=True, help="CSV file to append rows to and to resume from")
    parser.add_argument("--chart", type=Path, help="write a chart of the rows to this file (requires matplotlib)")
    parser.add_argument("--raw", default="s16le:44100:2", help="format of the pipe, s16le:RATE:CHANNELS")
    parser.add_argument("--interval", type=float, default=5.0, help="seconds of audio between verdicts")
    parser.add_argument("--model", default="edge", help="name or directory of a model bundle")
    parser.add_argument("--every", type=float, default=3600.0, help="seconds of audio between rows")
    parser.add_argument("--seed", type=int, default=0, help="seed of the test audio")
    return parser.parse_args()


def main() -> None:
    """Run the test, print the report and exit with code 1 if a limit is exceeded."""
    arguments = _arguments()
    rows = soak_csv.read(arguments.csv)
    try:
        if not rows or rows[-1].audio_s < arguments.days * DAY_S:
            soak(arguments, rows)
    except ProcessError as error:
        sys.exit(f"soak: genre-edge stream {error}")
    except KeyboardInterrupt:
        print("soak: interrupted; run the same command again to resume")
    if not rows:
        return
    print(*report(rows), sep="\n")
    if arguments.chart:
        from tools.endurance import chart

        chart.draw(rows, arguments.chart)
    if exceeded := list(soak_csv.violations(rows)):
        sys.exit("\n".join(["soak: a limit is exceeded", *exceeded]))


if __name__ == "__main__":
    main()
