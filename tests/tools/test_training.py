"""tools/train_and_export.py and tools/evaluate.py, end to end on a small made-up corpus, and their figures."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genre_edge.model.prediction import Model
from tests.conftest import ROOT

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
from sklearn.metrics import confusion_matrix, recall_score

from tools.training import data, report

GENRES = ("high", "low", "mid")
Run = "subprocess.CompletedProcess[str]"


def run(tool: str, *arguments: object, check: bool = True) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "tools" / tool), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert not check or done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """45 tracks of three "genres" that a child could tell apart by their loudest bands."""
    folder = tmp_path_factory.mktemp("archive")
    rng = np.random.default_rng(0)
    mel = rng.integers(0, 60, (45, 128, 130), dtype=np.uint8)
    rows = []
    for row in range(45):
        genre = row % 3
        mel[row, 40 * genre : 40 * genre + 40] += 150
        split = "train" if row < 30 else "valid"
        rows.append({"row": row, "track": f"t{row}", "genre": ("low", "mid", "high")[genre], "split": split})
    np.savez(folder / "mel.npz", mel=mel)
    with (folder / "tracks.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder / "mel.npz", folder / "tracks.csv"


@pytest.fixture(scope="module")
def trained(archive: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The paper's network, three epochs."""
    out = tmp_path_factory.mktemp("run")
    words = ["--mels", archive[0], "--tracks", archive[1], "--architecture", "paper", "--out", out]
    run("train_and_export.py", *words, "--epochs", 3, "--random-splits", 2)
    return out


def test_the_bundle_works_and_carries_its_figures(trained: Path) -> None:
    bundle = Model(trained / "bundle").bundle
    assert tuple(bundle.labels) == GENRES
    assert bundle.metrics["holdout"]["n"] == 15
    assert bundle.metrics["epochs"] == 3
    assert len(bundle.metrics["random_splits"]["test_accuracy"]) == 2
    card = (trained / "bundle" / "MODEL_CARD.md").read_text()
    assert bundle.sha256 in card and str(trained) not in card


def test_evaluate_prints_the_figures_that_the_bundle_states(trained: Path, archive: tuple[Path, Path]) -> None:
    words = ("--bundle", trained / "bundle", "--mels", archive[0], "--tracks", archive[1], "--split", "valid")
    found = json.loads(run("evaluate.py", *words, "--format", "json", "--per-track").stdout)
    assert list(found) == ["n", "accuracy", "ci95", "per_genre", "labels", "confusion", "tracks"]
    stated = Model(trained / "bundle").bundle.metrics["holdout"]
    assert {key: found[key] for key in stated} == stated
    assert len(found["tracks"]) == 15
    table = run("evaluate.py", *words).stdout
    assert table.startswith("15 tracks, accuracy ") and "t44" not in table


def test_a_folder_a_genre_with_an_unreadable_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for genre, band in (("low", 300), ("high", 4000)):
        (tmp_path / genre).mkdir()
        for i in range(3):
            t = np.arange(3 * 22050) / 22050
            y = 0.3 * np.sin(2 * np.pi * band * t) + 0.01 * rng.standard_normal(len(t))
            soundfile.write(tmp_path / genre / f"{genre}.{i}.wav", y, 22050)
    (tmp_path / "low" / "low.9.wav").write_text("damaged")
    done = run(
        "train_and_export.py",
        "--audio",
        tmp_path,
        "--architecture",
        "paper",
        "--out",
        tmp_path / "out",
        "--epochs",
        1,
    )
    assert "low.9.wav: not an audio file that can be read" in done.stderr
    words = ("--bundle", tmp_path / "out" / "bundle", "--audio", tmp_path, "--format", "json")
    evaluated = run("evaluate.py", *words)
    assert json.loads(evaluated.stdout)["n"] == 6
    assert evaluated.stderr.count("skipped: ") == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--mels", "x.npz", "--architecture", "paper", "--out", "o"], "go together"),
        (["--audio", "nowhere", "--architecture", "paper", "--out", "o"], "no audio in folders"),
        (["--mels", "m", "--tracks", "t", "--architecture", "paper660", "--out", "o"], "needs --audio"),
        (["--audio", "a", "--architecture", "edge", "--out", "o"], "--listen goes with --architecture edge"),
        (["--audio", "a", "--architecture", "paper", "--out", "o", "--not-music", "n"], "go with --architecture edge"),
        (["--audio", "a", "--architecture", "paper", "--out", "o", "--then-use-all"], "go with --architecture edge"),
    ],
)
def test_wrong_usage(words: list[str], complaint: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "train_and_export.py"), *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode != 0
    assert complaint in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("row,track,split\n0,a,train\n", "no column genre"),
        ("row,track,genre,split\n", "no tracks"),
        ("row,track,genre,split\n45,a,low,train\n", "row '45' is none of the archive's 45"),
        ("row,track,genre,split\n-1,a,low,train\n", "row '-1' is none of the archive's 45"),
    ],
)
def test_a_table_that_does_not_fit_is_told(
    archive: tuple[Path, Path], tmp_path: Path, text: str, complaint: str
) -> None:
    (tmp_path / "tracks.csv").write_text(text)
    with pytest.raises(SystemExit, match=complaint):
        data.load_archive(archive[0], tmp_path / "tracks.csv")
    (tmp_path / "mel.npz").write_text("no archive")
    for path in (tmp_path / "mel.npz", tmp_path / "missing.npz"):
        with pytest.raises(SystemExit, match="no mel archive"):
            data.load_archive(path, archive[1])


def test_few_tracks_show_a_calibration_error_by_chance() -> None:
    rng = np.random.default_rng(3)
    for n in (60, 2000):
        p = np.stack([x := rng.uniform(0.5, 1, n), 1 - x], axis=1)
        # `true` is drawn from p, so that every confidence is exactly right.
        found = [report.calibration_error(p, (rng.random(n) > p[:, 0]).astype(int)) for _ in range(300)]
        mean, most = report.calibration_error_by_chance(p)
        assert mean == pytest.approx(np.mean(found), rel=0.1) and most == pytest.approx(
            np.quantile(found, 0.95), rel=0.2
        )
        assert (mean < 0.03) == (n == 2000)


def test_figures_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    labels = ["a", "b", "c"]
    true, heard = rng.choice(labels, (2, 60)).tolist()
    found = report.figures(labels, true, heard)
    assert found["confusion"] == confusion_matrix(true, heard, labels=labels).tolist()
    recalls = recall_score(true, heard, labels=labels, average=None)
    assert list(found["per_genre"].values()) == pytest.approx(recalls.tolist(), abs=1e-4)
    silent = report.figures(labels, ["a", "b"], [None, "b"])
    assert silent["accuracy"] == 0.5 and silent["confusion"] == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_wilson_against_its_published_example() -> None:
    # Newcombe 1998, table I: 81 of 263.
    assert report.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert report.wilson(0, 10)[0] == 0 and report.wilson(10, 10)[1] == pytest.approx(1)


def test_calibration_finds_what_was_planted() -> None:
    rng = np.random.default_rng(2)
    true = rng.integers(0, 4, 3000)
    sharp = np.array([rng.gumbel(size=4) + 2.0 * np.eye(4)[t] for t in true])
    drawn = np.array([rng.choice(4, p=np.exp(row) / np.exp(row).sum()) for row in sharp])
    assert report.fit_temperature([row[None] * 3 for row in sharp], drawn) == pytest.approx(3, rel=0.1)
    p = np.array([[0.3, 0.7], [0.6, 0.4], [0.9, 0.1], [0.95, 0.05]])
    assert report.coverage(p, np.array([1, 0, 0, 1]), 0.7) == {"coverage": 0.75, "accuracy_when_sure": 0.6667}
    assert report.coverage(p, np.array([1, 0, 0, 1]), 1.0) == {"coverage": 0.0, "accuracy_when_sure": 0.0}
    assert report.calibration_error(np.array([[0.75, 0.25]] * 4), np.array([0, 0, 0, 1])) == 0
    assert report.reliability(p, np.array([1, 0, 0, 1])) == [
        {"tracks": 1, "confidence": 0.6, "accuracy": 1.0},
        {"tracks": 1, "confidence": 0.7, "accuracy": 1.0},
        {"tracks": 2, "confidence": 0.925, "accuracy": 0.5},
    ]
    assert [point["coverage"] for point in report.coverage_curve(p, true[:4])] == [1] * 7 + [0.75, 0.5, 0.5]
