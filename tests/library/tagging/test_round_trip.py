"""plan -> apply -> undo: the files are tagged, and then what they were, bit for bit."""

from pathlib import Path

from tests.conftest import Cli
from tests.helpers.tagging import FORMATS, digests, genres_by_mutagen


def test_round_trip_all_formats(invoke: Cli, tmp_path: Path, music: Path, database: Path) -> None:
    """All formats get both genres in order, and undo restores every byte."""
    before = digests(music)
    plan = tmp_path / "plan.tsv"
    assert invoke("tag", "plan", "--db", database, "--out", plan, "--top", 2).returncode == 0
    done = invoke("tag", "apply", plan, "--db", database)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{len(FORMATS)} files tagged\n"
    for path in music.iterdir():
        assert genres_by_mutagen(path) == ["Rock", "Pop"], path
    done = invoke("tag", "undo", "--db", database)
    assert (done.returncode, done.stdout) == (0, f"{len(FORMATS)} files restored\n")
    assert digests(music) == before
