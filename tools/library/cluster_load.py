"""Scan many small files with a Dask cluster on this computer, and watch the memory of its scheduler.

    python -m tools.library.cluster_load --files 10000 --workers 2

Starts a scheduler and workers as a user does, scans songs of one second that it has written, and checks that each file
has one row. Prints the scheduler's and the client's resident memory on the way. Exit code 1 if a row is missing or
doubled.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
from pyarrow import parquet

from tools.audio_corpus.run_program import session_processes

SAMPLE_S = 2.0
_START_S = 240.0  # for the scheduler


def write_songs(folder: Path, n_files: int) -> None:
    """Write songs of one second of different noises, a hundred in a folder."""
    rng = np.random.default_rng(0)
    for number in range(n_files):
        album = folder / f"{number // 100:04d}"
        album.mkdir(parents=True, exist_ok=True)
        soundfile.write(album / f"{number:06d}.wav", 0.1 * rng.standard_normal(8000), 8000)


@contextmanager
def dask(*arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a Dask command in a session of its own; end all of its processes after the context."""
    command = [sys.executable, "-m", "dask", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
        for pid in session_processes(process.pid):
            os.kill(pid, 9)


def scheduler_address(process: "subprocess.Popen[bytes]", file: Path) -> str:
    """Wait for the file that a scheduler writes when it listens; return its address.

    Raises:
        SystemExit: the scheduler has ended, or has not started in time.
    """
    deadline_s = time.monotonic() + _START_S
    while not file.exists():
        if (code := process.poll()) is not None:
            sys.exit(f"the scheduler has ended with exit code {code}")
        if time.monotonic() >= deadline_s:
            sys.exit(f"the scheduler has not started within {_START_S:.0f} s")
        time.sleep(0.1)
    address: str = json.loads(file.read_text())["address"]
    return address


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MB (10^6 bytes); 0 if it has ended."""
    try:
        n_pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return n_pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def scan(music: Path, folder: Path, n_workers: int) -> tuple[list[tuple[float, float, float]], str]:
    """Scan the songs; return (seconds, MB of the scheduler, MB of the client) by time, and what the scan prints."""
    file, out = str(folder / "scheduler.json"), str(folder / "out")
    options = ("--scheduler-file", file, "--no-dashboard")
    with (
        dask("scheduler", "--host", "127.0.0.1", "--port", "0", *options) as scheduler,
        dask("worker", *options, "--nworkers", str(n_workers), "--nthreads", "1", "--local-directory", str(folder)),
    ):
        address = scheduler_address(scheduler, Path(file))
        command = [sys.executable, "-m", "genre_edge", "scan", str(music), "--scheduler", address, "--out", out]
        client = subprocess.Popen([*command, "--model", "nano"], stdout=subprocess.PIPE, text=True)
        start_s, samples = time.monotonic(), []
        while client.poll() is None:
            samples.append((time.monotonic() - start_s, resident_mb(scheduler.pid), resident_mb(client.pid)))
            time.sleep(SAMPLE_S)
        assert client.stdout is not None
        return samples, client.stdout.read().strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as temporary:
        folder = Path(temporary)
        write_songs(folder / "music", arguments.files)
        samples, printed = scan(folder / "music", folder, arguments.workers)
        partitions = sorted((folder / "out").glob("*.parquet"))
        paths = [path for name in partitions for path in parquet.read_table(name)["path"].to_pylist()]
        others = {path.name for path in (folder / "out").iterdir()} - {path.name for path in partitions}
    print(printed)
    for seconds, scheduler_mb, client_mb in samples[:: max(1, len(samples) // 10)]:
        print(f"{seconds:6.0f} s  scheduler {scheduler_mb:4.0f} MB  client {client_mb:4.0f} MB")
    peaks = max(sample[1] for sample in samples), max(sample[2] for sample in samples)
    print(
        f"{len(partitions)} partitions, {len(paths)} rows; peak: scheduler {peaks[0]:.0f} MB, client {peaks[1]:.0f} MB"
    )
    if len(paths) != arguments.files or len(set(paths)) != len(paths) or others:
        sys.exit(f"{len(set(paths))} different paths in {len(paths)} rows; other files: {others}")


if __name__ == "__main__":
    main()
