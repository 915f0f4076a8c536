"""tools/reproduce_paper.py as its user runs it: a rehearsal on made-up data, and what it refuses."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import ROOT

pytest.importorskip("tensorflow", reason="the study needs the extra 'train'")
pytest.importorskip("librosa", reason="imitations need the extra 'train'")
from tools import reproduce_paper

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
    return subprocess.run([*command, *options], capture_output=True, text=True, check=False)


def test_a_rehearsal_writes_the_page_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    options = [*archive(tmp_path), "--songs", str(songs(tmp_path)), "--audio", str(tmp_path / "songs")]
    real = tmp_path / "out" / "logistic-regression.random-0.json"  # what the whole study has kept
    real.parent.mkdir()
    real.write_text("kept")
    done = run(tmp_path, *options)
    assert done.returncode == 0, done.stderr[-2000:]
    out = tmp_path / "out" / "rehearsal"
    assert done.stdout == f"{out / 'reproduction.md'}\n"
    page = (out / "reproduction.md").read_text()
    assert "nan" not in page and str(tmp_path) not in page
    assert "This is a rehearsal" in page and "as log-mel spectrograms of 128 bands and 60 frames." in page
    assert "24 of GTZAN's 1000 (15 `train`, 6 `valid`, 3 `excluded`" in " ".join(page.split())
    assert "python -m tools.reproduce_paper --mels mel.npz --tracks tracks.csv --audio songs --songs songs" in page
    table = re.findall(r"^\| ([^|]+) \| ([\d.]+) ± .*\|$", page, flags=re.MULTILINE)
    assert len(table) >= 8 and ("logistic regression", "100.0") in table  # such genres anybody tells apart
    assert all(len(re.findall(rf"^\| {genre} \| ", page, flags=re.MULTILINE)) == 2 for genre in GENRES)
    assert len(re.findall(r"^\| the paper's CNN, \d+ frames \|", page, flags=re.MULTILINE)) == 3
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page)
    assert len(pictures) == 8
    drawn = {name: (out / name).read_bytes() for name in pictures}
    assert all(svg.startswith(b"<?xml") for svg in drawn.values())
    for genre in GENRES:
        y, rate = soundfile.read(out / f"imitation.{genre}.wav")
        assert rate == RATE and len(y) > 9 * RATE and np.abs(y).max() > 0.5

    answers = [*out.glob("*.json"), *out.glob("*.wav")]
    kept = {path: path.stat().st_mtime_ns for path in answers}
    again = run(tmp_path, *options)
    assert again.returncode == 0 and (out / "reproduction.md").read_text() == page
    assert {path: path.stat().st_mtime_ns for path in [*out.glob("*.json"), *out.glob("*.wav")]} == kept
    assert {name: (out / name).read_bytes() for name in pictures} == drawn
    assert real.read_text() == "kept"


def test_the_whole_study_and_its_rehearsal_write_to_different_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "--mels", "a", "--tracks", "b"])
    whole = reproduce_paper.places(reproduce_paper.parse_arguments())
    monkeypatch.setattr(sys, "argv", ["x", "--mels", "a", "--tracks", "b", "--quick"])
    rehearsal = reproduce_paper.places(reproduce_paper.parse_arguments())
    assert whole == (Path("runs/reproduction"), ROOT / "docs" / "reproduction.md")
    assert rehearsal == (Path("runs/reproduction/rehearsal"), Path("runs/reproduction/rehearsal/reproduction.md"))


def test_the_command_on_the_page_names_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["x", "--mels=/a/mel.npz", "--tracks", "b/tracks.csv", "--out=/x", "--songs=/s/my music/", "--quick"]
    monkeypatch.setattr(sys, "argv", words)
    found = reproduce_paper.public_command(reproduce_paper.parse_arguments())
    whole = "python -m tools.reproduce_paper --mels mel.npz --tracks tracks.csv --songs 'my music' --out x --quick"
    assert found == whole


def change(folder: Path, **columns: str) -> None:
    """Give one entry of the table other values."""
    path = folder / "tracks.csv"
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    for name, value in columns.items():
        rows[4][rows[0].index(name)] = value
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def refused(folder: Path, options: list[str], reason: str) -> None:
    done = run(folder, *options)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert [line for line in done.stderr.splitlines() if "skipped" not in line] == [f"{folder}/{reason}"]
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("genres", "corrupt", "with_songs", "reason"),
    [
        (("jazz",), False, (), "tracks.csv: one genre only (jazz); a study needs two or more"),
        (GENRES, True, (), "tracks.csv: track 'jazz.3' is corrupt: its spectrogram holds nothing"),
        (GENRES, False, ("jazz", "pop"), "songs: no usable song of 29 s or more in a folder 'metal'"),
    ],
)
def test_bad_input_is_told_before_hours_are_spent(
    tmp_path: Path, genres: tuple[str, ...], corrupt: bool, with_songs: tuple[str, ...], reason: str
) -> None:
    options = archive(tmp_path, genres, corrupt)
    if with_songs:
        options += ["--songs", str(songs(tmp_path, with_songs))]
    refused(tmp_path, options, reason)


def test_songs_that_cannot_be_imitated_are_told_before_hours_are_spent(tmp_path: Path) -> None:
    options = [*archive(tmp_path), "--songs", str(songs(tmp_path))]
    metal = tmp_path / "songs" / "metal"
    soundfile.write(metal / "0.wav", np.zeros(30 * RATE), RATE)
    soundfile.write(metal / "1.flac", 0.1 * np.random.default_rng(0).standard_normal(30 * RATE), RATE)
    whole = (metal / "1.flac").read_bytes()
    (metal / "1.wav").unlink()
    (metal / "1.flac").write_bytes(whole[: len(whole) // 4])
    soundfile.write(metal / "2.wav", np.full(30 * RATE, np.nan), RATE, subtype="FLOAT")
    refused(tmp_path, options, "songs: no usable song of 29 s or more in a folder 'metal'")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"genre": ""}, "tracks.csv, line 5: no genre"),
        ({"split": " "}, "tracks.csv: entry 4 has no split"),
        ({"track": ""}, "tracks.csv, line 5: no track"),
        ({"row": "x"}, "tracks.csv: row 'x' is not one of the archive's 24"),
    ],
)
def test_a_table_with_holes_is_refused(tmp_path: Path, columns: dict[str, str], reason: str) -> None:
    options = archive(tmp_path)
    change(tmp_path, **columns)
    refused(tmp_path, options, reason)


@pytest.mark.parametrize(
    ("entry", "fault"),
    [("24,x", ", line 26: no genre"), ("24,x,pop,train,a,b", ": entry 25 has too many fields")],
)
def test_a_line_of_the_table_that_is_too_short_or_too_long_is_refused(tmp_path: Path, entry: str, fault: str) -> None:
    options = archive(tmp_path)
    with (tmp_path / "tracks.csv").open("a") as file:
        file.write(entry + "\n")
    refused(tmp_path, options, f"tracks.csv{fault}")


def test_too_few_tracks_are_refused(tmp_path: Path) -> None:
    options = archive(tmp_path)
    lines = (tmp_path / "tracks.csv").read_text().splitlines()
    few = [line for line in lines if re.match(r"row|\d+,(jazz|pop)\.[12],", line)]
    (tmp_path / "tracks.csv").write_text("\n".join(few) + "\n")
    refused(tmp_path, options, "tracks.csv: too few tracks: random-0 has 2 to learn from, 5 are needed")
