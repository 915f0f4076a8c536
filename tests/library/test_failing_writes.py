"""A full disk and I/O errors while a scan, an export or a report is written."""

import errno
import os
import random
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from genre_edge.library.database import FileRow, LibraryDatabase
from tests.conftest import Cli
from tests.helpers.audio import music

FAILURES = pytest.mark.parametrize(
    ("code", "lasts"), [(errno.ENOSPC, True), (errno.EIO, False)], ids=["disk full", "I/O error"]
)


def rows(database: Path) -> dict[str, FileRow]:
    """Return the rows by path, without the time of the scan; the database must be intact."""
    if not database.exists():
        return {}
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if not connection.execute("SELECT * FROM sqlite_master").fetchall():
            return {}
    with LibraryDatabase(database, must_exist=True) as opened:
        return {row.path: replace(row, scanned_at="") for row in opened.rows()}


class Failing:
    """Runs of `genre-edge` in which a write fails."""

    def __init__(self, folder: Path, fail_io: Path, cli: Cli) -> None:
        self._folder, self._fail_io, self._cli = folder, fail_io, cli

    def run(self, *arguments: object, **environment: object) -> "subprocess.CompletedProcess[str]":
        """Run `genre-edge ARGUMENTS` with variables for the library that lets writes fail."""
        extra = {"LD_PRELOAD": str(self._fail_io)} | {key: str(value) for key, value in environment.items()}
        done = self._cli(*arguments, env=os.environ | (extra if environment else {}))
        assert done.returncode in (0, 1), done
        assert (done.returncode == 1) == bool(done.stderr), done
        assert all(line.startswith("genre-edge: ") for line in done.stderr.splitlines()), done
        return done

    def positions(self, n: int, *arguments: object) -> list[int]:
        """Return `n` numbers of writes and fsyncs of a command, the last one among them."""
        path = self._folder / "count"
        self.run(*arguments, FAIL_COUNT=path)
        count = int(path.read_text())
        path.unlink()
        assert count > 3
        return [*random.Random(count).sample(range(1, count), min(n, count) - 1), count]


@pytest.mark.slow
@pytest.mark.native
@FAILURES
def test_scan(code: int, lasts: bool, tmp_path: Path, fail_io: Path, cli: Cli) -> None:
    """A failing write costs no earlier row and is named in one line; the next scan has all rows."""
    (tmp_path / "music").mkdir()
    for i in range(3):
        soundfile.write(tmp_path / "music" / f"{i}.wav", music(2, 22050, seed=i), 22050)
    failing, database = Failing(tmp_path, fail_io, cli), tmp_path / "library.db"
    command = ("scan", tmp_path / "music", "--db", database, "--model", "nano", "--jobs", 1)
    positions = failing.positions(5, *command)
    expected = rows(database)
    assert len(expected) == 3
    n_failed = 0
    for position in positions:
        database.unlink()
        options = {"FAIL_AT": position, "FAIL_ERRNO": code} | ({"FAIL_ALL": 1} if lasts else {})
        done = failing.run(*command, **options)
        n_failed += done.returncode
        if done.returncode == 1:
            assert str(database) in done.stderr
        found = rows(database)
        assert all(expected[path] == row for path, row in found.items())
        failing.run(*command)
        assert rows(database) == expected
        assert {path.name for path in tmp_path.iterdir()} == {"music", "library.db"}
    assert n_failed >= 2


@pytest.mark.slow
@pytest.mark.native
@FAILURES
@pytest.mark.parametrize("name", ["songs.csv", "songs.json", "songs.parquet", "report.html", "plan.tsv"])
def test_output_files(code: int, lasts: bool, name: str, tmp_path: Path, fail_io: Path, cli: Cli) -> None:
    """A failing write leaves the old output or the new one, and no temporary file."""
    (tmp_path / "music").mkdir()
    soundfile.write(tmp_path / "music" / "a.wav", music(3, 22050), 22050)
    failing, database, output = Failing(tmp_path, fail_io, cli), tmp_path / "library.db", tmp_path / name
    failing.run("scan", tmp_path / "music", "--db", database, "--model", "nano")
    commands: dict[str, tuple[object, ...]] = {
        "report": ("report", "--db", database, "--html", output),
        "plan": ("tag", "plan", "--db", database, "--out", output),
        "songs": ("export", "--db", database, "--out", output, "--format", output.suffix[1:]),
    }
    command = commands[output.stem]
    failing.run(*command)
    new = output.read_bytes()
    messages = ""
    for position in failing.positions(6, *command):
        output.write_bytes(b"old")
        done = failing.run(*command, FAIL_AT=position, FAIL_ERRNO=code, **({"FAIL_ALL": 1} if lasts else {}))
        assert output.read_bytes() in ((b"old", new) if done.returncode else (new,))
        left = {path.name for path in tmp_path.iterdir()} - {"music", name}
        assert left <= {"library.db", "library.db-wal", "library.db-shm"}
        assert done.returncode == 0 or str(output) in done.stderr or str(database) in done.stderr
        messages += done.stderr
    assert str(output) in messages
