"""tools/train_and_export.py and tools/evaluate.py from end to end on a small synthetic corpus."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genre_edge.model.prediction import Model
from tests.helpers.training import run_main, run_process, write_archive

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from tools import evaluate, train_and_export
from tools.training import data

GENRES = ("high", "low", "mid")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """45 tracks of three genres that differ in their loudest bands."""
    folder = tmp_path_factory.mktemp("archive")
    mel = np.random.default_rng(0).integers(0, 60, (45, 128, 130), dtype=np.uint8)
    for row in range(45):
        first = 40 * (row % 3)
        mel[row, first : first + 40] += 150
    write_archive(folder, mel, [("low", "mid", "high")[row % 3] for row in range(45)], n_train=30)
    return folder


@pytest.fixture(scope="module")
def trained(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the paper's network with two epochs."""
    out = tmp_path_factory.mktemp("run")
    arguments = ["--mels", archive / "mel.npz", "--tracks", archive / "tracks.csv", "--architecture", "paper"]
    done = run_main(train_and_export, *arguments, "--out", out, "--epochs", 2, "--random-splits", 2)
    assert done.code == 0, done.stderr
    return out


@pytest.mark.train
def test_bundle_has_metrics(trained: Path) -> None:
    """The exported bundle loads and carries its figures; its card does not show the local path."""
    bundle = Model(trained / "bundle").bundle
    assert tuple(bundle.labels) == GENRES
    assert bundle.metrics["holdout"]["n"] == 15
    assert bundle.metrics["epochs"] == 2
    assert len(bundle.metrics["random_splits"]["test_accuracy"]) == 2
    card = (trained / "bundle" / "MODEL_CARD.md").read_text()
    assert bundle.sha256 in card and str(trained) not in card
    assert "python -m tools.train_and_export --mels mel.npz" in card


@pytest.mark.train
def test_evaluate_reproduces_bundle_metrics(trained: Path, archive: Path) -> None:
    """evaluate prints the figures that the bundle states for its holdout."""
    arguments = ("--bundle", trained / "bundle", "--mels", archive / "mel.npz", "--tracks", archive / "tracks.csv")
    arguments = (*arguments, "--split", "valid")
    result = json.loads(run_main(evaluate, *arguments, "--format", "json", "--per-track").stdout)
    assert list(result) == ["n", "accuracy", "ci95", "per_genre", "labels", "confusion", "tracks"]
    stated = Model(trained / "bundle").bundle.metrics["holdout"]
    assert {key: result[key] for key in stated} == stated
    assert len(result["tracks"]) == 15
    table = run_main(evaluate, *arguments).stdout
    assert table.startswith("15 tracks, accuracy ") and "t44" not in table


@pytest.mark.train
def test_genre_folders_with_unreadable_file(tmp_path: Path) -> None:
    """Training and evaluation on one folder per genre report a damaged file and skip it."""
    rng = np.random.default_rng(0)
    for genre, band in (("low", 300), ("high", 4000)):
        (tmp_path / genre).mkdir()
        for i in range(3):
            t = np.arange(3 * 22050) / 22050
            y = 0.3 * np.sin(2 * np.pi * band * t) + 0.01 * rng.standard_normal(len(t))
            soundfile.write(tmp_path / genre / f"{genre}.{i}.wav", y, 22050)
    (tmp_path / "low" / "low.9.wav").write_text("damaged")
    arguments = ("--audio", tmp_path, "--architecture", "paper", "--out", tmp_path / "out", "--epochs", 1)
    done = run_main(train_and_export, *arguments)
    assert done.code == 0 and "low.9.wav: not an audio file that can be read" in done.stderr
    arguments = ("--bundle", tmp_path / "out" / "bundle", "--audio", tmp_path, "--format", "json")
    evaluated = run_main(evaluate, *arguments)
    assert json.loads(evaluated.stdout)["n"] == 6
    assert evaluated.stderr.count("skipped: ") == 1


HEADS_ONLY = ["--audio", "a", "--architecture", "edge", "--heads-only", "--out", "o"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mels", "x.npz", "--architecture", "paper", "--out", "o"], "--mels needs --tracks"),
        (["--audio", "nowhere", "--architecture", "paper", "--out", "o"], "no audio files in folders named by genre"),
        (["--mels", "m", "--tracks", "t", "--architecture", "paper660", "--out", "o"], "needs --audio"),
        (["--audio", "a", "--architecture", "edge", "--out", "o"], "--teacher or --heads-only is required by --arch"),
        (["--audio", "a", "--architecture", "paper", "--out", "o", "--not-music", "n"], "--not-music needs --arch"),
        (["--audio", "a", "--architecture", "paper", "--out", "o", "--then-use-all"], "needs --architecture edge"),
        (["--out", "o"], "one of the arguments --audio --mels is required"),
        (
            ["--audio", "a", "--mels", "m", "--tracks", "t", "--architecture", "paper", "--out", "o"],
            "together need --arch",
        ),
        (["--audio", "a", "--architecture", "paper", "--out", "o", "--heads-only"], "--heads-only needs --arch"),
        (["--audio", "a", "--out", "o", "--heads-only"], "--heads-only needs --from-scratch"),
        (["--audio", "a", "--out", "o", "--warm-start"], "--warm-start needs --from-scratch"),
        (["--audio", "a", "--architecture", "paper", "--out", "o", "--warm-start"], "--warm-start needs --arch"),
        (
            ["--audio", "a", "--architecture", "edge", "--out", "o", "--warm-start", "--heads-only"],
            "--heads-only cannot be combined with --warm-start",
        ),
        (["--audio", "a", "--architecture", "edge", "--out", "o", "--warm-start"], "--teacher or --heads-only is"),
        (["--audio", "a", "--architecture", "edge", "--out", "o", "--base", "b"], "--base cannot be combined with"),
        (["--audio", "a", "--architecture", "edge", "--out", "o", "--heads-only"], "--unlabelled is required"),
        (["--audio", "a", "--architecture", "edge", "paper", "--out", "o"], "only edge and nano"),
        ([*HEADS_ONLY, "--unlabelled", "m/x", "n/x", "--not-music", "noise"], "need different names"),
        ([*HEADS_ONLY, "--unlabelled", "labelled", "--not-music", "noise"], "none of them 'labelled'"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong or missing options and empty folders are named in the message."""
    monkeypatch.chdir(tmp_path)
    done = run_main(train_and_export, *arguments)
    assert done.code != 0 and message in done.stderr


@pytest.mark.slow
def test_train_and_export_as_program(tmp_path: Path) -> None:
    """`python -m tools.train_and_export` exits with a message and no traceback."""
    arguments = ("--audio", tmp_path, "--architecture", "paper", "--out", tmp_path / "out")
    done = run_process("train_and_export", *arguments)
    assert done.returncode == 1 and done.stderr == f"{tmp_path}: no audio files in folders named by genre\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("row,track,split\n0,a,train\n", "missing column genre"),
        ("row,track,genre,split\n", "no tracks"),
        ("row,track,genre,split\n45,a,low,train\n", "row '45' is not one of the archive's 45 rows"),
        ("row,track,genre,split\n-1,a,low,train\n", "row '-1' is not one of the archive's 45 rows"),
    ],
)
def test_load_archive_mismatched_table(archive: Path, tmp_path: Path, text: str, message: str) -> None:
    """A table that does not match the archive, and files that are not archives, are named in the message."""
    (tmp_path / "tracks.csv").write_text(text)
    with pytest.raises(SystemExit, match=message):
        data.load_archive(archive / "mel.npz", tmp_path / "tracks.csv")
    (tmp_path / "mel.npz").write_text("no archive")
    for path in (tmp_path / "mel.npz", tmp_path / "missing.npz"):
        with pytest.raises(SystemExit, match="not a mel archive"):
            data.load_archive(path, archive / "tracks.csv")
