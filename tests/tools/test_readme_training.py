"""README's section "Train your own genres": its three commands, on 40 made clips of four genres."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from tests.conftest import ROOT, TIMEOUT_S
from tests.helpers.made_genres import GENRES, write_music

pytestmark = pytest.mark.train
PROGRAMS = {"python": [sys.executable], "genre-edge": [sys.executable, "-m", "genre_edge"]}


def section_commands() -> list[list[str]]:
    """Return the words of the section's commands, of its code block and its text, without those of pip."""
    section = (ROOT / "README.md").read_text().split("\n## Train your own genres\n")[1].split("\n## ")[0]
    lines = [line for code in re.findall(r"```sh\n(.*?)```|`([^`]+)`", section, re.DOTALL) for line in code]
    commands = [shlex.split(line) for text in lines for line in text.splitlines() if line]
    return [words for words in commands if words and words[0] in PROGRAMS]


def run_in(folder: Path, words: list[str], *more: str) -> str:
    """Run a command of the section in a folder and return its standard output."""
    done = subprocess.run(
        [*PROGRAMS[words[0]], *words[1:], *more], cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the music that the section names: 40 clips to learn from, 12 others."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "tools").symlink_to(ROOT / "tools")
    write_music(folder / "my_music", n=10, seed=0)
    write_music(folder / "other_music", n=3, seed=1)
    return folder


def test_readme_training_commands(folder: Path) -> None:
    """A bundle is trained on 40 clips, classifies new clips by name, and is measured on all of them."""
    train, classify, evaluate = section_commands()
    report = run_in(folder, train)
    assert report.startswith("40 tracks, accuracy ") and "bundle: runs/mine/bundle" in report
    assert json.loads((folder / "runs/mine/bundle/bundle.json").read_text())["labels"] == sorted(GENRES)

    clips = [f"other_music/{genre}/0.wav" for genre in GENRES]
    verdicts = json.loads(run_in(folder, classify, *clips, "--format", "json"))
    assert [verdict["source"] for verdict in verdicts] == clips
    assert [verdict["genre"] for verdict in verdicts] == list(GENRES)

    measured = json.loads(run_in(folder, evaluate, "--format", "json"))
    assert measured["n"] == 12 and measured["accuracy"] > 0.75
