"""tools/evaluate.py: which tracks it takes, what it warns of, and what it says of bad input."""

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.conftest import ROOT

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
from genre_edge.model.bundle import MODELS, Bundle
from tools import evaluate
from tools.training import data

HEAD = "row,track,genre,split,audio\n"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four tracks of noise, three of split valid; two of those have audio."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    np.savez(folder / "mel.npz", mel=rng.integers(0, 255, (4, 128, 60), dtype=np.uint8))
    np.save(folder / "mel.npy", np.zeros(3))
    (folder / "empty.npz").write_bytes(b"")
    (folder / "broken.npz").write_bytes((folder / "mel.npz").read_bytes()[:3000])
    for name in ("a", "b"):
        soundfile.write(folder / f"{name}.wav", 0.1 * rng.standard_normal(4 * 22050), 22050)
    (folder / "tracks.csv").write_text(
        f"{HEAD}0,t0,metal,valid,a.wav\n1,t1,jazz,valid,b.wav\n2,t2,jazz,valid,\n3,t3,jazz,train,a.wav\n"
    )
    return folder


def evaluated(corpus: Path, words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "tools" / "evaluate.py"), *words.split()]
    done = subprocess.run(command, cwd=corpus, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def names(done: "subprocess.CompletedProcess[str]") -> list[str]:
    assert done.returncode == 0, done.stderr
    return [track["track"] for track in json.loads(done.stdout)["tracks"]]


def test_audio_and_archive_of_the_same_tracks(corpus: Path) -> None:
    words = "--bundle edge --tracks tracks.csv --split valid --format json --per-track"
    archive, audio = evaluated(corpus, f"{words} --mels mel.npz"), evaluated(corpus, f"{words} --audio .")
    assert names(archive) == ["t0", "t1", "t2"] and names(audio) == ["t0", "t1"]
    warning = "warning: edge has learnt from split 'valid'"
    assert [done.stderr.count(warning) for done in (archive, audio)] == [1, 1]


@pytest.mark.parametrize(
    ("metrics", "split", "tracks", "warned"),
    [
        ({"holdout_split": "valid"}, "valid", "t.csv", None),
        ({"holdout_split": "valid", "refitted": {}}, "valid", "t.csv", "from split 'valid'"),
        ({"holdout_split": "valid", "refitted": {}}, "other", "t.csv", None),
        ({"holdout_split": "valid"}, "train", "t.csv", "from split 'train'"),
        ({"holdout_split": "valid"}, None, "t.csv", "from a part of them"),
        ({"holdout_split": "random 0.2"}, None, None, "from a part of them"),
        ({"holdout_split": "valid", "refitted": {}}, None, None, None),
        ({}, None, None, None),
    ],
)
def test_a_warning_where_the_bundle_knows_the_tracks(
    metrics: dict[str, Any],
    split: str | None,
    tracks: str | None,
    warned: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = replace(Bundle.load(MODELS / "edge"), metrics=metrics)
    evaluate.warn_of_known_tracks(bundle, argparse.Namespace(bundle="mine", split=split, tracks=tracks))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (warned is not None) and all(str(warned) in line for line in lines)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--mels mel.npy --tracks tracks.csv", "mel.npy: no mel archive: one array without a name"),
        ("--mels empty.npz --tracks tracks.csv", "empty.npz: no mel archive"),
        ("--mels broken.npz --tracks tracks.csv", "broken.npz: no mel archive"),
        ("--mels mel.npz --tracks nowhere.csv", "nowhere.csv"),
        ("--mels mel.npz", "--mels needs --tracks"),
        ("--audio . --split valid", "--split needs --tracks"),
        ("--audio . --tracks tracks.csv --split other", "no tracks of split 'other'"),
        ("--audio nowhere --tracks tracks.csv", "skipped: nowhere/a.wav"),
    ],
)
def test_bad_input_is_told_in_a_line(corpus: Path, words: str, complaint: str) -> None:
    done = evaluated(corpus, f"--bundle edge {words}")
    assert done.returncode != 0 and complaint in done.stderr


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        (HEAD + "0,t0,metal,valid,\n,t1,jazz\n", r"tracks.csv, line 3: no row"),
        (HEAD + "0,t0\n", r"line 2: no genre"),
        (HEAD + "0,t0,,valid,\n", r"line 2: no genre"),
        (HEAD + "0,,,valid,\n", r"line 2: no track, genre"),
        (HEAD + f"0,t0,{'x' * 200000},valid,\n", r"field larger"),
        ("", r"no column genre, row, track"),
    ],
)
def test_a_bad_line_of_the_table_is_named(table: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "tracks.csv").write_text(table)
    with pytest.raises(SystemExit, match=complaint):
        data.read_csv(tmp_path / "tracks.csv")


def test_a_table_from_a_spreadsheet(tmp_path: Path) -> None:
    """A byte order mark in front, and short lines."""
    (tmp_path / "tracks.csv").write_text(f"{HEAD}0,t0,metal,valid\n", encoding="utf-8-sig")
    (row,) = data.read_csv(tmp_path / "tracks.csv", "valid")
    assert (row["row"], row["audio"], row["artist_group"]) == ("0", "", "")


def test_the_archive_fits_its_own_front_end_only(corpus: Path) -> None:
    done = evaluated(corpus, f"--bundle {ROOT}/tests/data/tiny --mels mel.npz --tracks tracks.csv")
    assert done.returncode != 0 and "is not the archive's" in done.stderr
