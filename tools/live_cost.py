"""What `genre-edge stream -` costs while it listens in real time.

    python tools/live_cost.py --seconds 600

Feeds a pipe as a recorder does, a tenth of a second at a time, and reads what the process uses by Linux's /proc. The
start is told for itself. Exit code 1 above a limit: 0.5 % of one core, 80 MB, a byte written to a disk.
"""

import argparse
import sys
import time

from endurance.ledger import ListenerError
from endurance.listener import Listener
from endurance.programme import Programme
from endurance.usage import Usage

MOST_CPU_PERCENT, MOST_MB = 0.5, 80.0
START_S = 5.0  # imports, and the first patches
STEP_S = 0.1


def play(listener: Listener, sound: memoryview, seconds: float, frame_bytes: int) -> None:
    """Real time: every step when its last sample would be there."""
    step = round(STEP_S * listener.rate) * frame_bytes
    began_s, count = time.monotonic(), round(seconds / STEP_S)
    for i in range(count):
        time.sleep(max(0.0, began_s + (i + 1) * STEP_S - time.monotonic()))
        listener.feed([sound[i * step : (i + 1) * step]])


def measure(raw: str, seconds: float, interval_s: float, model: str) -> tuple[Usage, Usage, int]:
    """Usage after the start and after `seconds` more, and how many verdicts came. Raises ListenerError."""
    with Listener(raw, interval_s, model) as listener:
        programme = Programme(0, listener.rate, listener.channels)
        frames = round((START_S + seconds) * listener.rate)
        sound = memoryview(b"".join(programme.stretch(0, frames)))
        frame_bytes = len(sound) // frames
        split = round(START_S * listener.rate) * frame_bytes
        play(listener, sound[:split], START_S, frame_bytes)
        before = listener.usage()
        play(listener, sound[split:], seconds, frame_bytes)
        after = listener.usage()
        listener.end()
        if listener.ledger.misplaced or listener.ledger.dropped:
            raise ListenerError("lost or misplaced something")
        return before, after, listener.ledger.count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="of listening, after the start")
    parser.add_argument("--raw", default="s16le:44100:2", help="the pipe's format, s16le:RATE:CHANNELS")
    parser.add_argument("--interval", type=float, default=5.0, help="seconds from verdict to verdict")
    parser.add_argument("--model", default="edge")
    arguments = parser.parse_args()
    try:
        before, after, count = measure(arguments.raw, arguments.seconds, arguments.interval, arguments.model)
    except ListenerError as error:
        sys.exit(f"live_cost: genre-edge stream {error}")
    cpu_percent = 100 * (after.cpu_s - before.cpu_s) / arguments.seconds
    peak_mb = after.peak_bytes / 1e6
    print(f"{arguments.raw}, {arguments.seconds:g} s, {count} verdicts")
    print(f"{cpu_percent:.2f} % of one core; before, {before.cpu_s:.2f} s of CPU for the start")
    print(f"{peak_mb:.1f} MB resident at most, {after.own_bytes / 1e6:.1f} MB of them its own")
    print(f"{after.wakeups - before.wakeups} times woken, {after.written_bytes} bytes written to disks")
    if cpu_percent > MOST_CPU_PERCENT or peak_mb > MOST_MB or after.written_bytes:
        sys.exit("live_cost: a limit was broken")


if __name__ == "__main__":
    main()
