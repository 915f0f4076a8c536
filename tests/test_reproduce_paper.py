"""tools/reproduce_paper.py as its user runs it: a rehearsal on made-up data, and what it refuses."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import ROOT

pytest.importorskip("tensorflow", reason="the study needs the extra 'train'")
pytest.importorskip("librosa", reason="imitations need the extra 'train'")

GENRES = ("jazz", "metal", "pop")
RATE = 22050


def archive(folder: Path, genres: tuple[str, ...] = GENRES, corrupt: bool = False) -> list[str]:
    """A mel archive of made-up tracks, six a genre; the options that name it."""
    rng = np.random.default_rng(0)
    rows = [(genre, i) for genre in genres for i in range(8)]
    mel = rng.integers(0, 120, (len(rows), 128, 60), dtype=np.uint8)
    for row, (genre, _) in enumerate(rows):
        first = 40 * genres.index(genre)
        mel[row, first : first + 40] += 100
    if corrupt:
        mel[3] = 0
    np.savez(folder / "mel.npz", mel=mel)
    with (folder / "tracks.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["row", "track", "genre", "split", "artist_group"])
        for row, (genre, i) in enumerate(rows):
            split = "valid" if i in (2, 5) else "excluded" if i == 7 else "train"
            table.writerow([row, f"{genre}.{i}", genre, split, f"{genre}{i % 3}"])
    return ["--mels", str(folder / "mel.npz"), "--tracks", str(folder / "tracks.csv")]


def songs(folder: Path, genres: tuple[str, ...] = GENRES) -> Path:
    rng = np.random.default_rng(1)
    for k, genre in enumerate(genres):
        (folder / "songs" / genre).mkdir(parents=True)
        for i in range(3):
            t = np.arange(30 * RATE) / RATE
            y = 0.1 * rng.standard_normal(len(t)) + 0.2 * np.sin(2 * np.pi * 300 * (k + 1) * t)
            soundfile.write(folder / "songs" / genre / f"{i}.wav", y, RATE)
    return folder / "songs"


def run(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "tools" / "reproduce_paper.py"), "--quick", "--out", str(folder / "out")]
    command += ["--write", str(folder / "page.md"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_rehearsal_writes_the_page_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    options = [*archive(tmp_path), "--songs", str(songs(tmp_path)), "--audio", str(tmp_path / "songs")]
    done = run(tmp_path, *options)
    assert done.returncode == 0, done.stderr[-2000:]
    page = (tmp_path / "page.md").read_text()
    assert "nan" not in page and str(tmp_path) not in page
    assert "24 of GTZAN's 1000 (15 `train`, 6 `valid`, 3 `excluded`" in page
    table = re.findall(r"^\| ([^|]+) \| ([\d.]+) ± .*\|$", page, flags=re.MULTILINE)
    assert len(table) >= 8 and ("logistic regression", "100.0") in table  # such genres anybody tells apart
    assert all(f"\n| {genre} | " in page for genre in GENRES)
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page)
    assert len(pictures) == 8
    drawn = {name: (tmp_path / name).read_bytes() for name in pictures}
    assert all(svg.startswith(b"<?xml") for svg in drawn.values())
    for genre in GENRES:
        y, rate = soundfile.read(tmp_path / "out" / f"imitation.{genre}.wav")
        assert rate == RATE and len(y) > 9 * RATE and np.abs(y).max() > 0.5

    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    again = run(tmp_path, *options)
    assert again.returncode == 0 and (tmp_path / "page.md").read_text() == page
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == kept
    assert {name: (tmp_path / name).read_bytes() for name in pictures} == drawn


@pytest.mark.parametrize(
    ("genres", "corrupt", "with_songs", "reason"),
    [
        (("jazz",), False, (), "tracks.csv: one genre only (jazz)"),
        (GENRES, True, (), "tracks.csv: track 'jazz.3' is corrupt"),
        (GENRES, False, ("jazz", "pop"), "songs: no song of 29 s or more in a folder 'metal'"),
    ],
)
def test_bad_input_is_told_before_hours_are_spent(
    tmp_path: Path, genres: tuple[str, ...], corrupt: bool, with_songs: tuple[str, ...], reason: str
) -> None:
    options = archive(tmp_path, genres, corrupt)
    if with_songs:
        options += ["--songs", str(songs(tmp_path, with_songs))]
    done = run(tmp_path, *options)
    lines = [line for line in done.stderr.splitlines() if reason in line]
    assert done.returncode == 1 and len(lines) == 1 and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists() and not (tmp_path / "page.md").exists()
