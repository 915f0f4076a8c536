"""Measure CPU time and memory of `genre-edge stream -` or `genre-edge serve -` in real time.

    python -m tools.live_cost --seconds 600
    python -m tools.live_cost --seconds 600 --serve

Feeds a pipe in real time, 0.1 s of audio at a time, and reads the process's usage from Linux's /proc. `serve` keeps its
history in memory and is polled for its status every two seconds. The start-up is reported separately. Exit code 1 if a
limit is exceeded: a byte written to a disk after the start-up; 0.5 % of one core and 80 MB for `stream`, 1 % and 100 MB
for `serve`.
"""

import argparse
import sys
from time import monotonic, sleep

from tools.endurance.audio_generator import AudioGenerator
from tools.endurance.piped_process import PipedProcess
from tools.endurance.process_usage import ProcessUsage
from tools.endurance.serve_process import ServeProcess
from tools.endurance.stream_process import StreamProcess
from tools.endurance.verdict_checker import ProcessError

LIMITS = {"stream": (0.5, 80.0), "serve": (1.0, 100.0)}  # percent of one core, MB
START_S = 5.0  # imports and the first patches
STEP_S = 0.1


def feed_in_real_time(process: PipedProcess, pcm: memoryview, seconds: float, frame_bytes: int) -> None:
    """Write each step of `pcm` at the time when a recorder would have captured its last sample."""
    step = round(STEP_S * process.rate) * frame_bytes
    start_s, count = monotonic(), round(seconds / STEP_S)
    for i in range(count):
        sleep(max(0.0, start_s + (i + 1) * STEP_S - monotonic()))
        process.feed([pcm[i * step : (i + 1) * step]])


def measure(process: PipedProcess, seconds: float) -> tuple[ProcessUsage, ProcessUsage, int]:
    """Return the usage after START_S seconds, the usage after `seconds` more, and the number of verdicts.

    Raises:
        ProcessError: the process dies, hangs, drops samples or misplaces a verdict.
    """
    with process:
        generator = AudioGenerator(0, process.rate, process.channels)
        frames = round((START_S + seconds) * process.rate)
        pcm = memoryview(b"".join(generator.segment(0, frames)))
        frame_bytes = len(pcm) // frames
        split = round(START_S * process.rate) * frame_bytes
        feed_in_real_time(process, pcm[:split], START_S, frame_bytes)
        before = process.usage()
        feed_in_real_time(process, pcm[split:], seconds, frame_bytes)
        after = process.usage()
        verdicts, lost = process.finish()
        if lost:
            raise ProcessError("dropped samples or misplaced a verdict")
        return before, after, verdicts


def main() -> None:
    """Measure, print the figures and exit with code 1 if a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="seconds of audio to measure, after the start-up")
    parser.add_argument("--raw", default="s16le:44100:2", help="format of the pipe, s16le:RATE:CHANNELS")
    parser.add_argument("--interval", type=float, default=5.0, help="seconds of audio between verdicts")
    parser.add_argument("--model", default="edge", help="name or directory of a model bundle")
    parser.add_argument("--serve", action="store_true", help="measure `serve` instead of `stream`")
    arguments = parser.parse_args()
    command = "serve" if arguments.serve else "stream"
    try:
        process = (ServeProcess if arguments.serve else StreamProcess)(
            arguments.raw, arguments.interval, arguments.model
        )
        before, after, count = measure(process, arguments.seconds)
    except ProcessError as error:
        sys.exit(f"live_cost: genre-edge {command} {error}")
    cpu_percent = 100 * (after.cpu_s - before.cpu_s) / arguments.seconds
    peak_mb = after.peak_bytes / 1e6
    print(f"{arguments.raw}, {arguments.seconds:g} s, {count} verdicts")
    print(f"{cpu_percent:.2f} % of one core; start-up: {before.cpu_s:.2f} s of CPU")
    print(f"peak resident memory {peak_mb:.1f} MB; anonymous memory {after.own_bytes / 1e6:.1f} MB")
    written_bytes = after.written_bytes - before.written_bytes
    print(f"{after.wakeups - before.wakeups} wake-ups, {written_bytes} bytes written to disks")
    max_percent, max_mb = LIMITS[command]
    if cpu_percent > max_percent or peak_mb > max_mb or written_bytes:
        sys.exit("live_cost: a limit is exceeded")


if __name__ == "__main__":
    main()
