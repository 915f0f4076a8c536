"""Kill `genre-edge tag apply` and `tag undo` at random moments, and check that nothing is damaged.

    python -m tools.library.kill_tagging --kills 300

After each kill (-9), every file must be the old or the new one, byte for byte. The next run must finish the work, leave
no temporary file and an intact journal, and undo must restore every file. Exit code 1 if anything else is found.
"""

import argparse
import hashlib
import json
import multiprocessing
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

import soundfile

from genre_edge import cli
from genre_edge.library.database import FileRow, LibraryDatabase
from genre_edge.library.tagging.audio_bytes import audio_digest
from tools.library.kills import FORMATS, DamageError, expect, write_audio

# A process without threads forks the commands: a fork of this one could wait for ever for a lock that another thread
# held at that moment, such as SQLite's.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["genre_edge.cli.tag"])


@dataclass
class Library:
    """A library in a folder, its database and plan, and the digests of its files before and after tagging."""

    folder: Path
    old: dict[Path, str]
    new: dict[Path, str]

    @property
    def music(self) -> Path:
        """The folder of the audio files."""
        return self.folder / "music"

    def command(self, verb: str) -> list[str]:
        """Return the arguments of `genre-edge` for "plan", "apply" or "undo"."""
        plan, db = str(self.folder / "plan.tsv"), ["--db", str(self.folder / "library.db")]
        return ["tag", verb, *{"plan": ["--out", plan], "apply": [plan], "undo": []}[verb], *db]


def make_library(folder: Path, n_files: int) -> Library:
    """Write audio files and a database, tag the files once to know the new ones, and undo that.

    Raises:
        DamageError: tagging or undo does not do what it should even without a kill.
    """
    library = Library(folder, {}, {})
    library.music.mkdir()
    files = [write_audio(library.music, number) for number in range(n_files)]
    with LibraryDatabase(folder / "library.db") as database:
        database.write((_row(file), []) for file in files)
    library.old = {file: _digest(file) for file in files}
    audio, sound = [*map(audio_digest, files)], [*map(_decode, files)]
    for verb in ("plan", "apply"):
        expect(run(library.command(verb)) == 0, f"{verb} failed")
    library.new = {file: _digest(file) for file in files}
    expect(all(library.old[file] != library.new[file] for file in files), "a file is not tagged")
    expect([*map(audio_digest, files)] == audio, "tagging changes the bytes of the audio")
    expect([*map(_decode, files)] == sound, "tagging changes the decoded audio")
    expect(run(library.command("undo")) == 0, "undo failed")
    check(library, (library.old,))
    return library


def kill_once(library: Library, verb: str, delay_s: float) -> bool:
    """Start apply or undo, kill it after a time, check the files, and let the next run finish the work.

    Returns:
        True if the command was killed, False if it had ended before.

    Raises:
        DamageError: something is damaged.
    """
    was_killed = run(library.command(verb), delay_s) == -signal.SIGKILL
    check(library, (library.old, library.new), may_have_leftovers=True)
    expect(run(library.command(verb)) in (0, 2), f"{verb} fails after a kill")  # 2: nothing is left to undo
    if verb == "undo":
        while run(library.command(verb)) == 0:
            pass  # a killed apply and its successor are two runs
    check(library, (library.new if verb == "apply" else library.old,))
    _check_journal(library, len(library.new) if verb == "apply" else 0)
    return was_killed


def check(library: Library, states: tuple[dict[Path, str], ...], may_have_leftovers: bool = False) -> None:
    """Raise a DamageError unless each file has its digest in one of the states, and no other file is there."""
    for file in library.old:
        digest = _digest(file)
        expect(any(state[file] == digest for state in states), f"{file.name} is neither old nor new")
    others = {path.name for path in library.music.iterdir()} - {file.name for file in library.old}
    expect(may_have_leftovers or not others, f"left behind: {others}")


def run(arguments: list[str], kill_after_s: float | None = None) -> int:
    """Run `genre-edge ARGUMENTS` in a process; return its exit code, negative for the signal that ended it."""
    process = _CONTEXT.Process(target=_run_command, args=(arguments,))
    process.start()
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _run_command(arguments: list[str]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    sys.argv = ["genre-edge", *arguments]
    try:
        code = cli._run()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        code = 99  # a traceback
    os._exit(code)


def _check_journal(library: Library, n_applied: int) -> None:
    connection = sqlite3.connect(library.folder / "library.db.tags")
    try:
        ((intact,),) = connection.execute("PRAGMA integrity_check").fetchall()
        states = dict(connection.execute("SELECT state, count(*) FROM changes GROUP BY state").fetchall())
        ((n_open,),) = connection.execute("SELECT count(*) FROM runs WHERE NOT is_finished").fetchall()
    finally:
        connection.close()
    expect(intact == "ok", f"the journal is damaged: {intact}")
    expect(set(states) <= {"applied", "undone"} and not n_open, f"the journal has open changes: {states}")
    expect(states.get("applied", 0) == n_applied, f"the journal has {states} where {n_applied} are applied")


def _row(file: Path) -> FileRow:
    status = file.stat()
    genres = json.dumps([{"genre": "rock", "probability": 0.7}, {"genre": "pop", "probability": 0.2}])
    scanned = "2026-01-01T00:00:00+00:00"
    return FileRow(
        *(str(file), status.st_size, status.st_mtime_ns, None, scanned, "edge 5", "ab" * 32, 1.0),
        genre="rock",
        confidence=0.7,
        genres=genres,
    )


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _decode(file: Path) -> str:
    """Return the digest of the decoded audio; of an m4a, by ffmpeg."""
    if file.suffix[1:] in FORMATS:
        return hashlib.sha256(soundfile.read(file, dtype="float32")[0].tobytes()).hexdigest()
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", str(file), "-f", "f32le", "-"]
    return hashlib.sha256(subprocess.run(command, check=True, capture_output=True).stdout).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300, help="number of kills, of apply and undo alternately")
    parser.add_argument("--files", type=int, default=21)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        library = make_library(Path(folder), arguments.files)
        start_s = time.monotonic()
        run(library.command("apply"))
        duration_s = time.monotonic() - start_s
        run(library.command("undo"))
        n_kills = {"apply": 0, "undo": 0}
        try:
            while sum(n_kills.values()) < arguments.kills:
                for verb in n_kills:
                    n_kills[verb] += kill_once(library, verb, generator.uniform(0, duration_s))
        except DamageError as error:
            sys.exit(f"damage after {sum(n_kills.values())} kills: {error}")
    print(f"{n_kills['apply']} kills of apply and {n_kills['undo']} of undo, {arguments.files} files: no damage")


if __name__ == "__main__":
    main()
