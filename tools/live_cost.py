"""What `genre-edge stream -` costs while it listens in real time, or `genre-edge serve -`.

    python -m tools.live_cost --seconds 600
    python -m tools.live_cost --seconds 600 --serve

Feeds a pipe as a recorder does, a tenth of a second at a time, and reads what the process uses by Linux's /proc.
`serve` keeps its history in memory, and is asked for its status every two seconds. The start is told for itself. Exit
code 1 above a limit: a byte written to a disk; of `stream` 0.5 % of one core and 80 MB, of `serve` 1 % and 100 MB.
"""

import argparse
import sys
import time

from tools.endurance.fed import Fed
from tools.endurance.ledger import ListenerError
from tools.endurance.listener import StreamProcess
from tools.endurance.programme import Programme
from tools.endurance.served import Served
from tools.endurance.usage import Usage

LIMITS = {"stream": (0.5, 80.0), "serve": (1.0, 100.0)}  # percent of one core, MB
START_S = 5.0  # imports, and the first patches
STEP_S = 0.1


def play(listener: Fed, sound: memoryview, seconds: float, frame_bytes: int) -> None:
    """Real time: every step when its last sample would be there."""
    step = round(STEP_S * listener.rate) * frame_bytes
    began_s, count = time.monotonic(), round(seconds / STEP_S)
    for i in range(count):
        time.sleep(max(0.0, began_s + (i + 1) * STEP_S - time.monotonic()))
        listener.feed([sound[i * step : (i + 1) * step]])


def measure(process: Fed, seconds: float) -> tuple[Usage, Usage, int]:
    """Usage after the start and after `seconds` more, and how many verdicts came. Raises ListenerError."""
    with process as listener:
        programme = Programme(0, listener.rate, listener.channels)
        frames = round((START_S + seconds) * listener.rate)
        sound = memoryview(b"".join(programme.stretch(0, frames)))
        frame_bytes = len(sound) // frames
        split = round(START_S * listener.rate) * frame_bytes
        play(listener, sound[:split], START_S, frame_bytes)
        before = listener.usage()
        play(listener, sound[split:], seconds, frame_bytes)
        after = listener.usage()
        verdicts, lost = listener.end()
        if lost:
            raise ListenerError("lost or misplaced something")
        return before, after, verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="of listening, after the start")
    parser.add_argument("--raw", default="s16le:44100:2", help="the pipe's format, s16le:RATE:CHANNELS")
    parser.add_argument("--interval", type=float, default=5.0, help="seconds from verdict to verdict")
    parser.add_argument("--model", default="edge")
    parser.add_argument("--serve", action="store_true", help="of serve, with its history in memory")
    arguments = parser.parse_args()
    command = "serve" if arguments.serve else "stream"
    try:
        process = (Served if arguments.serve else StreamProcess)(arguments.raw, arguments.interval, arguments.model)
        before, after, count = measure(process, arguments.seconds)
    except ListenerError as error:
        sys.exit(f"live_cost: genre-edge {command} {error}")
    cpu_percent = 100 * (after.cpu_s - before.cpu_s) / arguments.seconds
    peak_mb = after.peak_bytes / 1e6
    print(f"{arguments.raw}, {arguments.seconds:g} s, {count} verdicts")
    print(f"{cpu_percent:.2f} % of one core; before, {before.cpu_s:.2f} s of CPU for the start")
    print(f"{peak_mb:.1f} MB resident at most, {after.own_bytes / 1e6:.1f} MB of them its own")
    print(f"{after.wakeups - before.wakeups} times woken, {after.written_bytes} bytes written to disks")
    most_percent, most_mb = LIMITS[command]
    if cpu_percent > most_percent or peak_mb > most_mb or after.written_bytes:
        sys.exit("live_cost: a limit was broken")


if __name__ == "__main__":
    main()
