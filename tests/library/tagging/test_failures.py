"""Kills, full disks and I/O errors while tags are written: every file is old or new, and the next run goes on."""

import errno
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TIMEOUT_S, Cli
from tests.helpers.tagging import digests, result, write_database
from tools.library.kill_tagging import kill_once, make_library, run

SUFFIXES = ("mp3", "flac", "wav")


@pytest.mark.slow
def test_kills_at_random_moments(tmp_path: Path) -> None:
    """After each of twelve kills the files are old or new, and the next run finishes the work.

    `python -m tools.library.kill_tagging` tries 300.
    """
    library = make_library(tmp_path, 7)
    generator = random.Random(1)
    n_killed = sum(kill_once(library, verb, generator.uniform(0, 0.3)) for _ in range(6) for verb in ("apply", "undo"))
    assert n_killed > 0
    assert run(library.command("undo")) == 2  # nothing is left


class FailingRuns:
    """Runs of `genre-edge tag` in a library of three files, in which writes fail."""

    def __init__(self, folder: Path, fail_io: Path, audio_files: dict[str, bytes], cli: Cli) -> None:
        self.folder, self._fail_io, self._cli = folder, fail_io, cli
        self.music = folder / "music"
        self.music.mkdir()
        for suffix in SUFFIXES:
            (self.music / f"song.{suffix}").write_bytes(audio_files[suffix])
        self.database = write_database(folder / "library.db", map(result, sorted(self.music.iterdir())))
        self.old = digests(self.music)
        assert self.run("plan", "--out", folder / "plan").returncode == 0
        assert self.run("apply", folder / "plan").returncode == 0
        self.new = digests(self.music)
        assert self.run("undo").returncode == 0

    def run(self, *arguments: object, **environment: object) -> "subprocess.CompletedProcess[str]":
        """Run `genre-edge tag ARGUMENTS --db ...` with variables for the library that lets writes fail."""
        extra = {"LD_PRELOAD": str(self._fail_io)} | {key: str(value) for key, value in environment.items()}
        env = os.environ | (extra if environment else {})
        return self._cli("tag", *arguments, "--db", self.database, env=env)

    def count(self, *arguments: object) -> int:
        """Return how many writes and fsyncs a command makes."""
        path = self.folder / "count"
        assert self.run(*arguments, FAIL_COUNT=path).returncode == 0
        return int(path.read_text())

    def check_old_or_new(self) -> None:
        """Each file must be the old or the new one, and no temporary file may be left."""
        found = digests(self.music)
        assert found.keys() == self.old.keys()
        assert all(digest in (self.old[name], self.new[name]) for name, digest in found.items())


@pytest.mark.slow
@pytest.mark.native
@pytest.mark.parametrize(("code", "lasts"), [(errno.ENOSPC, True), (errno.EIO, False)], ids=["disk full", "I/O error"])
def test_failing_writes(
    code: int, lasts: bool, tmp_path: Path, fail_io: Path, audio_files: dict[str, bytes], cli: Cli
) -> None:
    """A write or an fsync that fails, from the first to the last: a message, and no damage; then the work goes on."""
    runs = FailingRuns(tmp_path, fail_io, audio_files, cli)
    commands = {"apply": ("apply", tmp_path / "plan"), "undo": ("undo",)}
    counts = {name: runs.count(*command) for name, command in commands.items()}
    assert min(counts.values()) > 10
    generator = random.Random(code)
    failing = {"FAIL_ERRNO": code} | ({"FAIL_ALL": 1} if lasts else {})
    n_failed = 0
    for _ in range(4):
        for name, command in commands.items():
            done = runs.run(*command, FAIL_AT=generator.randint(1, counts[name]), **failing)
            runs.check_old_or_new()
            assert done.returncode in (0, 1), done
            assert (done.returncode == 1) == bool(done.stderr), done
            assert all(line.startswith("genre-edge: ") for line in done.stderr.splitlines())
            n_failed += done.returncode
            while runs.run(*command).returncode == 0 and name == "undo":
                pass
            assert digests(runs.music) == (runs.new if name == "apply" else runs.old)
    assert n_failed >= 2


def test_missing_mutagen(tmp_path: Path, database: Path) -> None:
    """Without mutagen, one line says how to install it."""
    program = "import sys; sys.modules['mutagen'] = None; from genre_edge.__main__ import main; main()"
    for arguments in (["plan", "--out", "plan"], ["apply", "plan"]):
        command = [sys.executable, "-c", program, "tag", *arguments, "--db", str(database)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "genre-edge: tagging needs mutagen; run: pip install 'genre-edge[library]'\n"
