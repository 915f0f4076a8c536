"""tools.reproduce_paper: a rehearsal on synthetic data, and the messages for bad input."""

import csv
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import ROOT

pytest.importorskip("sklearn", reason="the study needs the extra 'train'")
pytest.importorskip("librosa", reason="imitations need the extra 'train'")
from tools import reproduce_paper
from tools.paper.imitation import synthesis

pytestmark = pytest.mark.train

GENRES = ("jazz", "metal", "pop")
RATE = 22050


def archive(folder: Path, genres: tuple[str, ...] = GENRES, corrupt: bool = False) -> list[str]:
    """Write a mel archive of synthetic tracks, eight per genre; return the options that name it."""
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
    """Write three songs of 30 s per genre; return their folder."""
    rng = np.random.default_rng(1)
    for k, genre in enumerate(genres):
        (folder / "songs" / genre).mkdir(parents=True)
        for i in range(3):
            t = np.arange(30 * RATE) / RATE
            y = 0.1 * rng.standard_normal(len(t)) + 0.2 * np.sin(2 * np.pi * 300 * (k + 1) * t)
            soundfile.write(folder / "songs" / genre / f"{i}.wav", y, RATE)
    return folder / "songs"


@pytest.fixture
def eager() -> Iterator[None]:
    """Run TensorFlow eagerly: for a few steps, tracing graphs takes longer than running them."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def rehearse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run the program with --quick in this process; the cache is in `tmp_path / "out"`."""

    def run(*options: str) -> None:
        arguments = ["reproduce_paper.py", "--quick", "--out", str(tmp_path / "out"), *options]
        monkeypatch.setattr(sys, "argv", arguments)
        reproduce_paper.main()

    return run


@pytest.mark.filterwarnings("ignore:Even though the:UserWarning")
@pytest.mark.usefixtures("eager")
def test_rehearsal_writes_page_and_resumes_from_cache(
    tmp_path: Path, rehearse: Callable[..., None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run writes page, figures and imitations; the second one reads all results from the cache."""
    monkeypatch.setattr(synthesis, "ITERATIONS", 2)
    for name, value in {"QUICK_EPOCHS": 1, "QUICK_STEPS": 1, "IMITATION_S": 31.0}.items():
        monkeypatch.setattr(reproduce_paper, name, value)
    options = [*archive(tmp_path), "--songs", str(songs(tmp_path)), "--audio", str(tmp_path / "songs")]
    full_study = tmp_path / "out" / "logistic-regression.random-0.json"  # a cached result of the full study
    full_study.parent.mkdir()
    full_study.write_text("cached")
    rehearse(*options)
    out = tmp_path / "out" / "rehearsal"
    assert capsys.readouterr().out == f"{out / 'reproduction.md'}\n"
    page = (out / "reproduction.md").read_text()
    assert "nan" not in page and str(tmp_path) not in page
    assert "This is a rehearsal" in page and "as log-mel spectrograms of 128 bands and 60 frames." in page
    assert "24 of GTZAN's 1000 (15 `train`, 6 `valid`, 3 `excluded`" in " ".join(page.split())
    command = "--quick --out out --mels mel.npz --tracks tracks.csv --songs songs --audio songs"
    assert f"python -m tools.reproduce_paper {command}\n" in page
    table = re.findall(r"^\| ([^|]+) \| ([\d.]+) ± .*\|$", page, flags=re.MULTILINE)
    assert len(table) >= 8 and ("logistic regression", "100.0") in table  # the synthetic genres are separable
    assert all(len(re.findall(rf"^\| {genre} \| ", page, flags=re.MULTILINE)) == 2 for genre in GENRES)
    assert len(re.findall(r"^\| the paper's CNN, \d+ frames \|", page, flags=re.MULTILINE)) == 3
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page)
    assert len(pictures) == 8
    drawn = {name: (out / name).read_bytes() for name in pictures}
    assert all(svg.startswith(b"<?xml") for svg in drawn.values())
    for genre in GENRES:
        y, rate = soundfile.read(out / f"imitation.{genre}.wav")
        assert rate == RATE and len(y) > 4.5 * RATE and np.abs(y).max() > 0.5

    cached = [*out.glob("*.json"), *out.glob("*.wav")]
    times = {path: path.stat().st_mtime_ns for path in cached}
    rehearse(*options)
    assert (out / "reproduction.md").read_text() == page
    assert {path: path.stat().st_mtime_ns for path in [*out.glob("*.json"), *out.glob("*.wav")]} == times
    assert {name: (out / name).read_bytes() for name in pictures} == drawn
    assert full_study.read_text() == "cached"


def test_output_paths_of_study_and_rehearsal_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rehearsal has a cache and a page of its own."""
    monkeypatch.setattr(sys, "argv", ["x", "--mels", "a", "--tracks", "b"])
    whole = reproduce_paper.output_paths(reproduce_paper.parse_arguments())
    monkeypatch.setattr(sys, "argv", ["x", "--mels", "a", "--tracks", "b", "--quick"])
    rehearsal = reproduce_paper.output_paths(reproduce_paper.parse_arguments())
    assert whole == (Path("runs/reproduction"), ROOT / "docs" / "reproduction.md")
    assert rehearsal == (Path("runs/reproduction/rehearsal"), Path("runs/reproduction/rehearsal/reproduction.md"))


def change(folder: Path, **columns: str) -> None:
    """Change columns of one row of the table."""
    path = folder / "tracks.csv"
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    for name, value in columns.items():
        rows[4][rows[0].index(name)] = value
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture
def assert_rejected(
    tmp_path: Path, rehearse: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> Callable[..., None]:
    """Assert that the program ends with a one-line message (exit code 1) before it writes anything."""

    def check(options: list[str], reason: str) -> None:
        with pytest.raises(SystemExit) as ended:
            rehearse(*options)
        assert ended.value.code == f"{tmp_path}/{reason}"
        assert [line for line in capsys.readouterr().err.splitlines() if "skipped" not in line] == []
        assert not (tmp_path / "out").exists()

    return check


@pytest.mark.parametrize(
    ("genres", "corrupt", "with_songs", "reason"),
    [
        (("jazz",), False, (), "tracks.csv: only one genre (jazz); the study needs at least two"),
        (GENRES, True, (), "tracks.csv: track 'jazz.3' has a constant or non-finite spectrogram"),
        (GENRES, False, ("jazz", "pop"), "songs: no usable song of 29 s or more in a folder 'metal'"),
    ],
)
def test_bad_input_is_rejected_before_training(
    tmp_path: Path,
    assert_rejected: Callable[..., None],
    genres: tuple[str, ...],
    corrupt: bool,
    with_songs: tuple[str, ...],
    reason: str,
) -> None:
    """Too few genres, corrupt spectrograms and missing songs are named in the message."""
    options = archive(tmp_path, genres, corrupt)
    if with_songs:
        options += ["--songs", str(songs(tmp_path, with_songs))]
    assert_rejected(options, reason)


def test_unusable_songs_are_rejected_before_training(tmp_path: Path, assert_rejected: Callable[..., None]) -> None:
    """Silent, truncated and non-finite songs are skipped; a genre without other songs is an error."""
    options = [*archive(tmp_path), "--songs", str(songs(tmp_path))]
    metal = tmp_path / "songs" / "metal"
    soundfile.write(metal / "0.wav", np.zeros(30 * RATE), RATE)
    soundfile.write(metal / "1.flac", 0.1 * np.random.default_rng(0).standard_normal(30 * RATE), RATE)
    whole = (metal / "1.flac").read_bytes()
    (metal / "1.wav").unlink()
    (metal / "1.flac").write_bytes(whole[: len(whole) // 4])
    soundfile.write(metal / "2.wav", np.full(30 * RATE, np.nan), RATE, subtype="FLOAT")
    assert_rejected(options, "songs: no usable song of 29 s or more in a folder 'metal'")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"genre": ""}, "tracks.csv, line 5: missing genre"),
        ({"split": " "}, "tracks.csv: entry 4 has no split"),
        ({"track": ""}, "tracks.csv, line 5: missing track"),
        ({"row": "x"}, "tracks.csv: row 'x' is not one of the archive's 24 rows"),
    ],
)
def test_table_with_empty_fields_is_rejected(
    tmp_path: Path, assert_rejected: Callable[..., None], columns: dict[str, str], reason: str
) -> None:
    """The message names the line or entry and its empty column."""
    options = archive(tmp_path)
    change(tmp_path, **columns)
    assert_rejected(options, reason)


@pytest.mark.parametrize(
    ("entry", "message"),
    [("24,x", ", line 26: missing genre"), ("24,x,pop,train,a,b", ": entry 25 has too many fields")],
)
def test_table_with_wrong_number_of_fields_is_rejected(
    tmp_path: Path, assert_rejected: Callable[..., None], entry: str, message: str
) -> None:
    """The message names the line or entry."""
    options = archive(tmp_path)
    with (tmp_path / "tracks.csv").open("a") as file:
        file.write(entry + "\n")
    assert_rejected(options, f"tracks.csv{message}")


def test_too_few_tracks_are_rejected(tmp_path: Path, assert_rejected: Callable[..., None]) -> None:
    """Splits with fewer training tracks than the nearest-neighbours method needs are refused."""
    options = archive(tmp_path)
    lines = (tmp_path / "tracks.csv").read_text().splitlines()
    few = [line for line in lines if re.match(r"row|\d+,(jazz|pop)\.[12],", line)]
    (tmp_path / "tracks.csv").write_text("\n".join(few) + "\n")
    assert_rejected(options, "tracks.csv: too few tracks: random-0 has 2 training tracks, needs 5")
