"""Kill `genre-edge scan` at random moments, and check that nothing is lost, doubled or left behind.

    python -m tools.library.kill_scan --kills 300 --files 500

Each run is killed (-9) at a random moment, half of them after one of its worker processes; the next run goes on. After
each kill, the database must be intact and each of its rows must be that of an uninterrupted scan, and no process and no
temporary file may be left. A scan that ends must have all rows; the next one starts from nothing. Exit code 1 if
anything else is found.
"""

import argparse
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from genre_edge.library.schema import TABLES
from tools.audio_corpus.run_program import session_processes
from tools.library.kills import DamageError, expect, write_audio

_PROCESSES_S = 60.0  # until all processes of a killed scan have ended
_BAD_FILES = {"empty.wav": b"", "text.mp3": b"no audio\n" * 99, "cut.flac": b"fLaC\0\0\0\x22", "zeros.ogg": bytes(5000)}
_VARYING = ("id", "scanned_at")  # columns that depend on the time of a scan, or the order of its results

Row = tuple[object, ...]


@dataclass(frozen=True)
class Library:
    """A library in a folder, with a database and a folder of temporary files beside it."""

    folder: Path

    @property
    def music(self) -> Path:
        """The folder of the audio files."""
        return self.folder / "music"

    @property
    def database(self) -> Path:
        """The database."""
        return self.folder / "library.db"

    @property
    def temporary(self) -> Path:
        """The folder of temporary files."""
        return self.folder / "temporary"

    def start(self) -> "subprocess.Popen[bytes]":
        """Start a scan in a session of its own."""
        command = [sys.executable, "-m", "genre_edge", "scan", str(self.music), "--db", str(self.database)]
        return subprocess.Popen(
            [*command, "--jobs", "2", "--model", "nano"],
            env={**os.environ, "TMPDIR": str(self.temporary)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def rows(self) -> dict[str, Row]:
        """Return the rows by path; there are none before the first one is written.

        Raises:
            DamageError: the database is damaged.
        """
        if not self.database.exists():
            return {}
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            ((intact,),) = connection.execute("PRAGMA integrity_check").fetchall()
            expect(intact == "ok", f"the database is damaged: {intact}")
            columns = [name for _, name, *_ in connection.execute("PRAGMA table_info (files)")]
            if not columns:
                return {}
            expect(f"{columns[-1]} " in TABLES, "the database has another schema")
            chosen = ", ".join(name for name in columns if name not in _VARYING)
            found = connection.execute(f"SELECT path, {chosen} FROM files").fetchall()
        expect(len({path for path, *_ in found}) == len(found), "a file has two rows")
        return {path: tuple(row) for path, *row in found}

    def check_leftovers(self, names: set[str]) -> None:
        """Raise a DamageError if a temporary file is there, or another file among the music."""
        others = {path.name for path in self.music.iterdir()} - names
        others |= {path.name for path in self.temporary.iterdir()}
        expect(not others, f"left behind: {others}")


def make_library(folder: Path, n_files: int) -> Library:
    """Write audio files and some bad ones."""
    library = Library(folder)
    library.music.mkdir()
    library.temporary.mkdir()
    for name, content in _BAD_FILES.items():
        (library.music / name).write_bytes(content)
    for number in range(n_files - len(_BAD_FILES)):
        write_audio(library.music, number, seconds=2.0)
    return library


def kill_once(
    process: "subprocess.Popen[bytes]", delay_s: float, worker_delay_s: float | None, generator: random.Random
) -> bool:
    """Kill a scan after a time, and one of its workers before if there is a time for it.

    Returns:
        True if the scan was killed, False if it had ended before.

    Raises:
        DamageError: a process of the scan goes on.
    """
    if worker_delay_s is not None:
        time.sleep(worker_delay_s)
        delay_s -= worker_delay_s
        workers = [pid for pid in session_processes(process.pid) if b"worker_process" in _command(pid)]
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(generator.choice(workers), signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(delay_s)
    process.kill()
    was_killed = process.wait() == -signal.SIGKILL
    deadline_s = time.monotonic() + _PROCESSES_S
    while session_processes(process.pid):
        expect(time.monotonic() < deadline_s, "a process of the killed scan goes on")
        time.sleep(0.01)
    return was_killed


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def check_rows(rows: dict[str, Row], expected: dict[str, Row]) -> None:
    """Raise a DamageError unless each row is that of an uninterrupted scan."""
    for path, row in rows.items():
        expect(path in expected, f"{path!r} has a row, but not after an uninterrupted scan")
        expect(row == expected[path], f"the row of {path!r} differs from that of an uninterrupted scan")


def run_kills(library: Library, n_kills: int, generator: random.Random) -> tuple[int, int]:
    """Kill scans `n_kills` times; return how many of them ended, and how many rows each has.

    Raises:
        DamageError: something is damaged.
    """
    names = {path.name for path in library.music.iterdir()}
    start_s = time.monotonic()
    library.start().wait()
    duration_s = time.monotonic() - start_s
    expected = library.rows()
    expect(len(expected) == len(names), f"{len(expected)} rows for {len(names)} files")
    library.check_leftovers(names)
    library.database.unlink()
    n_done = n_ended = 0
    while n_done < n_kills:
        process, delay_s = library.start(), generator.uniform(0, duration_s)
        worker_delay_s = generator.uniform(0, delay_s) if generator.random() < 0.5 else None
        n_done += kill_once(process, delay_s, worker_delay_s, generator)
        rows = library.rows()
        check_rows(rows, expected)
        library.check_leftovers(names)
        if process.returncode != -signal.SIGKILL:
            expect(rows == expected, f"{len(rows)} of {len(expected)} rows after a scan that ended")
            others = {path.name for path in library.folder.iterdir()} - {"source.wav"}
            expect(others == {"music", "temporary", "library.db"}, f"left behind: {others}")
            library.database.unlink()
            n_ended += 1
    return n_ended, len(expected)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library = make_library(Path(folder), arguments.files)
        try:
            n_ended, n_rows = run_kills(library, arguments.kills, random.Random(arguments.seed))
        except DamageError as error:
            sys.exit(f"damage: {error}")
    print(f"{arguments.kills} kills, {n_ended} scans of {n_rows} files ended in between: no damage")


if __name__ == "__main__":
    main()
