"""Let `genre-edge stream -` hear days of sound as fast as it can, and watch what it uses.

    python -m tools.soak --days 7 --csv soak.csv --chart soak.svg

A row an hour of sound goes to the CSV. The same command goes on from the last row, in a new process, until the days are
full; with more days, it goes on further. Exit code 1 if a limit was broken: 1 MB more resident memory after the first
hour of a process, a descriptor or a thread more or less, bytes written to disks, a sample lost, a verdict out of place.
"""

import argparse
import sys
import time
from pathlib import Path

from tools.endurance import record
from tools.endurance.ledger import ListenerError
from tools.endurance.listener import StreamProcess
from tools.endurance.programme import Programme
from tools.endurance.record import Row

DAY_S = 86400


def soak(arguments: argparse.Namespace, rows: list[Row]) -> None:
    """One process's run; adds its rows. Raises ListenerError."""
    run, before_s = (rows[-1].run + 1, rows[-1].audio_s) if rows else (1, 0.0)
    with StreamProcess(arguments.raw, arguments.interval, arguments.model) as listener:
        programme = Programme(arguments.seed, listener.rate, listener.channels)
        cpu_s = 0.0
        while before_s + listener.fed_s < arguments.days * DAY_S:
            began_s, stretch = time.monotonic(), round((before_s + listener.fed_s) / arguments.every)
            listener.feed(programme.stretch(stretch, round(arguments.every * listener.rate)))
            listener.ledger.wait_for_all(listener.fed_s)
            wall_s = time.monotonic() - began_s
            row = _row(listener, run, before_s, wall_s, cpu_s)
            cpu_s += row.cpu_s
            rows.append(row)
            record.append(arguments.csv, row)
            print(_line(row), flush=True)
        listener.end()
        if listener.ledger.misplaced > row.misplaced:
            raise ListenerError("the last verdict is out of place")


def _row(listener: StreamProcess, run: int, before_s: float, wall_s: float, cpu_before_s: float) -> Row:
    usage, ledger = listener.usage(), listener.ledger
    return Row(
        run=run,
        audio_s=before_s + listener.fed_s,
        run_audio_s=listener.fed_s,
        wall_s=round(wall_s, 3),
        cpu_s=round(usage.cpu_s - cpu_before_s, 2),
        resident_bytes=usage.resident_bytes,
        own_bytes=usage.own_bytes,
        descriptors=usage.descriptors,
        threads=usage.threads,
        written_bytes=usage.written_bytes,
        position_s=ledger.end_s,
        verdicts=ledger.count,
        misplaced=ledger.misplaced,
        dropped_samples=ledger.dropped,
        lag_ms=ledger.longest_lag_ms(),
    )


def _line(row: Row) -> str:
    return (
        f"{row.audio_s / DAY_S:7.3f} days  {row.resident_bytes / 1e6:6.1f} MB  {row.descriptors} descriptors  "
        f"{row.threads} threads  lag {row.lag_ms:.0f} ms  {row.cpu_s:.1f} s CPU in {row.wall_s:.1f} s"
    )


def report(rows: list[Row]) -> list[str]:
    """What the rows show, a sentence each."""
    runs = record.runs(rows)
    growths = [grown for run in runs if (grown := record.growth(run)) is not None]
    lasts = [run[-1] for run in runs]
    audio_s, wall_s, cpu_s = rows[-1].audio_s, sum(row.wall_s for row in rows), sum(row.cpu_s for row in rows)
    return [
        f"{audio_s / DAY_S:.3f} days of sound in {wall_s / 60:.1f} minutes, {len(runs)} runs: {audio_s / wall_s:.0f} "
        f"times as fast as it plays ({audio_s / cpu_s:.0f} times a second of CPU)",
        f"resident memory after the first hour: {max(growths) / 1000:.0f} kB more at most"
        if growths
        else "less than two hours",
        f"at most {max(r.resident_bytes for r in rows) / 1e6:.1f} MB, {max(r.descriptors for r in rows)} descriptors, "
        f"{max(r.threads for r in rows)} threads, {max(r.written_bytes for r in lasts)} bytes written to disks",
        f"{sum(r.verdicts for r in lasts)} verdicts, {sum(r.misplaced for r in lasts)} out of place, "
        f"{sum(r.dropped_samples for r in lasts)} samples lost, longest lag {max(r.lag_ms for r in rows):.0f} ms",
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, required=True, help="of sound, all runs together")
    parser.add_argument("--csv", type=Path, required=True, help="where the rows go, or are already")
    parser.add_argument("--chart", type=Path, help="a picture of the rows (needs matplotlib)")
    parser.add_argument("--raw", default="s16le:44100:2", help="the pipe's format, s16le:RATE:CHANNELS")
    parser.add_argument("--interval", type=float, default=5.0, help="seconds from verdict to verdict")
    parser.add_argument("--model", default="edge")
    parser.add_argument("--every", type=float, default=3600.0, help="seconds of sound from row to row")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of sounds")
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    rows = record.read(arguments.csv)
    try:
        if not rows or rows[-1].audio_s < arguments.days * DAY_S:
            soak(arguments, rows)
    except ListenerError as error:
        sys.exit(f"soak: genre-edge stream {error}")
    except KeyboardInterrupt:
        print("soak: stopped; the same command goes on")
    if not rows:
        return
    print(*report(rows), sep="\n")
    if arguments.chart:
        from tools.endurance import chart

        chart.draw(rows, arguments.chart)
    if broken := list(record.faults(rows)):
        sys.exit("\n".join(["soak: a limit was broken", *broken]))


if __name__ == "__main__":
    main()
