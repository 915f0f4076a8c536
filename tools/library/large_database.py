"""Time a scan that has nothing to do, and queries, in a library of many files.

    python -m tools.library.large_database --files 100000

Writes small files and a database that has a row for each, as after a scan. Then times `genre-edge scan` as a whole
process, and queries as users and the commands make them, each the median of `--rounds`.
"""

import argparse
import functools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from genre_edge.library.database import FileRow, LibraryDatabase
from genre_edge.library.statistics import statistics
from genre_edge.model.prediction import Model

QUERIES = {
    "files of a genre": "SELECT path FROM files WHERE genre = 'rock' AND confidence >= 0.9 AND gone_at IS NULL",
    "a file": "SELECT * FROM files WHERE path = (SELECT path FROM files WHERE id = 4711)",
    "doubtful files": "SELECT path FROM files WHERE genre IS NULL AND error IS NULL ORDER BY confidence LIMIT 20",
    "failures": "SELECT path, error FROM files WHERE error IS NOT NULL",
    "files with the same audio": "SELECT path FROM files WHERE audio_digest = '0000000000001267'",
}


def write_library(music: Path, database: Path, n_files: int, model: str) -> None:
    """Write the files, twelve in a folder, and their rows."""
    bundle, rng = Model(model).bundle, random.Random(0)
    rows = []
    for number in range(n_files):
        album = music / f"{number // 1200:03d}" / f"{number // 12:05d}"
        if number % 12 == 0:
            album.mkdir(parents=True)
        path = album / f"{number % 12:02d} song.mp3"
        path.write_bytes(b"%d" % number)
        status = path.stat()
        genre, confidence = rng.choice(bundle.labels), round(rng.random(), 4)
        is_named = confidence > 0.3
        rows.append(
            FileRow(
                *(str(path), status.st_size, status.st_mtime_ns, f"{number:016x}", "2026-01-01T00:00:00+00:00"),
                *(f"{bundle.name} {bundle.version}", bundle.sha256, 1.0),
                error="the file is damaged" if number % 997 == 0 else None,
                genre=genre if is_named else None,
                confidence=confidence,
                reason=None if is_named else "low_confidence",
                classified_s=240.0,
                duration_s=240.0,
                genres=json.dumps([{"genre": genre, "probability": confidence}]),
            )
        )
    with LibraryDatabase(database) as opened:
        opened.write((row, []) for row in rows)


def median_s(work: Callable[[], object], rounds: int) -> float:
    """Return the median time of some calls."""
    times = []
    for _ in range(rounds):
        start_s = time.perf_counter()
        work()
        times.append(time.perf_counter() - start_s)
    return median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default="edge")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as temporary:
        music, path = Path(temporary) / "music", Path(temporary) / "music.db"
        write_library(music, path, arguments.files, arguments.model)
        command = [sys.executable, "-m", "genre_edge", "scan", str(music), "--db", str(path)]
        command += ["--model", arguments.model]

        def scan() -> None:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            assert done.stdout == f"0 classified, 0 moved, 0 gone, {arguments.files} unchanged, 0 failed\n", done.stdout

        print(f"scan of {arguments.files} files, nothing to do: {median_s(scan, arguments.rounds):.2f} s", flush=True)
        with LibraryDatabase(path, must_exist=True) as database:
            for name, query in QUERIES.items():
                milliseconds = 1000 * median_s(functools.partial(database.query, query), arguments.rounds)
                print(f"{name}: {milliseconds:.1f} ms")
            print(f"counts of a report: {1000 * median_s(lambda: statistics(database, 20), arguments.rounds):.1f} ms")


if __name__ == "__main__":
    main()
