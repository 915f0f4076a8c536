"""tools/evaluate.py: selection of tracks, the warning about training tracks, messages for bad input."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.conftest import ROOT
from tests.helpers.training import Finished, run_main, run_process

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from genre_edge.model.bundle import MODELS, Bundle
from tools import evaluate
from tools.training import data

HEAD = "row,track,genre,split,audio\n"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four tracks of noise, three of split train; two of those have audio."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    np.savez(folder / "mel.npz", mel=rng.integers(0, 255, (4, 128, 60), dtype=np.uint8))
    np.save(folder / "mel.npy", np.zeros(3))
    (folder / "empty.npz").write_bytes(b"")
    (folder / "broken.npz").write_bytes((folder / "mel.npz").read_bytes()[:3000])
    for name in ("a", "b"):
        soundfile.write(folder / f"{name}.wav", 0.1 * rng.standard_normal(4 * 22050), 22050)
    (folder / "tracks.csv").write_text(
        f"{HEAD}0,t0,metal,train,a.wav\n1,t1,jazz,train,b.wav\n2,t2,jazz,train,\n3,t3,jazz,valid,a.wav\n"
    )
    return folder


def run_evaluate(corpus: Path, arguments: str) -> Finished:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(corpus)
        return run_main(evaluate, *arguments.split())


def names(done: Finished) -> list[str]:
    assert done.code == 0, done.stderr
    return [track["track"] for track in json.loads(done.stdout)["tracks"]]


def test_evaluate_archive_and_audio(corpus: Path) -> None:
    """Archive and audio give the same tracks, except those without audio; both warn about training tracks."""
    arguments = "--bundle paper --tracks tracks.csv --split train --format json --per-track"
    archive, audio = run_evaluate(corpus, f"{arguments} --mels mel.npz"), run_evaluate(corpus, f"{arguments} --audio .")
    assert names(archive) == ["t0", "t1", "t2"] and names(audio) == ["t0", "t1"]
    warning = "warning: if paper was made from these tracks, it was trained on split 'train'"
    assert [done.stderr.count(warning) for done in (archive, audio)] == [1, 1]


@pytest.mark.parametrize(
    ("metrics", "split", "tracks", "warned"),
    [
        ({"holdout_split": "valid"}, "valid", "t.csv", None),
        ({"holdout_split": "valid", "refitted": {}}, "valid", "t.csv", "trained on split 'valid'"),
        ({"holdout_split": "valid", "refitted": {}}, "other", "t.csv", None),
        ({"holdout_split": "valid"}, "train", "t.csv", "trained on split 'train'"),
        ({"holdout_split": "valid"}, None, "t.csv", "trained on a part of them"),
        ({"holdout_split": "random 0.2"}, None, None, "trained on a part of them"),
        ({"holdout_split": "valid", "refitted": {}}, None, None, None),
        ({}, None, None, None),
    ],
)
def test_warning_about_training_tracks(
    metrics: dict[str, Any],
    split: str | None,
    tracks: str | None,
    warned: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A warning is printed if the bundle's metrics say that it was trained on the tracks or a part of them."""
    bundle = replace(Bundle.load(MODELS / "edge"), metrics=metrics)
    evaluate.warn_of_training_tracks(bundle, argparse.Namespace(bundle="mine", split=split, tracks=tracks))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (warned is not None) and all(str(warned) in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--mels mel.npy --tracks tracks.csv", "mel.npy: not a mel archive: it holds a single unnamed array"),
        ("--mels empty.npz --tracks tracks.csv", "empty.npz: not a mel archive"),
        ("--mels broken.npz --tracks tracks.csv", "broken.npz: not a mel archive"),
        ("--mels mel.npz --tracks nowhere.csv", "nowhere.csv"),
        ("--mels mel.npz", "--mels needs --tracks"),
        ("--audio . --split valid", "--split needs --tracks"),
        ("--audio . --tracks tracks.csv --split other", "no tracks of split 'other'"),
        ("--audio nowhere --tracks tracks.csv", "skipped: nowhere/a.wav"),
    ],
)
def test_evaluate_bad_input(corpus: Path, arguments: str, message: str) -> None:
    """Bad input ends the program with a message that names the file or option."""
    done = run_evaluate(corpus, f"--bundle paper {arguments}")
    assert done.code != 0 and message in done.stderr


def test_evaluate_as_program(corpus: Path) -> None:
    """`python -m tools.evaluate` exits with a line on stderr and no traceback."""
    done = run_process("evaluate", "--bundle", "missing", "--audio", corpus)
    assert done.returncode == 1 and done.stderr.startswith("error: ") and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (HEAD + "0,t0,metal,valid,\n,t1,jazz\n", r"tracks.csv, line 3: missing row"),
        (HEAD + "0,t0\n", r"line 2: missing genre"),
        (HEAD + "0,t0,,valid,\n", r"line 2: missing genre"),
        (HEAD + "0,,,valid,\n", r"line 2: missing track, genre"),
        (HEAD + f"0,t0,{'x' * 200000},valid,\n", r"field larger"),
        ("", r"missing column genre, row, track"),
    ],
)
def test_read_csv_bad_line(table: str, message: str, tmp_path: Path) -> None:
    """A bad line of the table is named by its number."""
    (tmp_path / "tracks.csv").write_text(table)
    with pytest.raises(SystemExit, match=message):
        data.read_csv(tmp_path / "tracks.csv")


def test_read_csv_from_spreadsheet(tmp_path: Path) -> None:
    """A byte order mark and lines with too few fields are accepted."""
    (tmp_path / "tracks.csv").write_text(f"{HEAD}0,t0,metal,valid\n", encoding="utf-8-sig")
    (row,) = data.read_csv(tmp_path / "tracks.csv", "valid")
    assert (row["row"], row["audio"], row["artist_group"]) == ("0", "", "")


def test_evaluate_other_front_end(corpus: Path) -> None:
    """A bundle with another front end than the archive's is refused."""
    done = run_evaluate(corpus, f"--bundle {ROOT}/tests/data/tiny --mels mel.npz --tracks tracks.csv")
    assert done.code != 0 and "is not the archive's" in done.stderr
