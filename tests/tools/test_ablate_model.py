"""tools/ablate_model.py: messages for unusable runs; test_training_edge.py runs it on a finished run."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from tools import ablate_model
from tools.training.data import Track


def ablate(folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> None:
    arguments = f"--run {folder}/run --mels {folder}/mel.npz --tracks {folder}/tracks.csv"
    monkeypatch.setattr(sys, "argv", ["ablate_model", *arguments.split(), *more])
    ablate_model.main()


def test_ablate_unfinished_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run without a fine-tuned network is refused."""
    with pytest.raises(SystemExit, match=r"run: not a finished run of .* --architecture edge"):
        ablate(tmp_path, monkeypatch)
    checkpoint = tmp_path / "run" / "checkpoint"
    checkpoint.mkdir(parents=True)
    (checkpoint / "network.keras").write_text("distilled only")
    with pytest.raises(SystemExit, match=r"run: not a finished run of .* --architecture edge"):
        ablate(tmp_path, monkeypatch)


def test_ablate_checks_inputs_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page, archive and splits are checked before the evaluation starts."""
    checkpoint = tmp_path / "run" / "checkpoint" / "robust"
    checkpoint.mkdir(parents=True)
    (checkpoint / "network.keras").write_text("a network")
    page = tmp_path / "page.md"
    page.write_text("no marks")
    with pytest.raises(SystemExit, match=r"page\.md has no lines"):
        ablate(tmp_path, monkeypatch, "--write", str(page))
    with pytest.raises(SystemExit, match=r"mel\.npz: not a mel archive"):
        ablate(tmp_path, monkeypatch)
    np.savez(tmp_path / "mel.npz", mel=np.zeros((1, 128, 50), dtype=np.uint8))
    (tmp_path / "tracks.csv").write_text("row,track,genre,split\n0,t0,jazz,train\n")
    with pytest.raises(SystemExit, match="no tracks of split 'valid'"):
        ablate(tmp_path, monkeypatch)


def test_ablate_teacher_row_needs_targets(tmp_path: Path) -> None:
    """The teacher has a row only if the run has its targets for the tracks' audio."""
    frames = np.empty((128, 0), dtype=np.float32)
    genres, splits = ["jazz", "rock"] * 10, ["train"] * 10 + ["valid"] * 10
    tracks = [Track(f"t{i}", genre, split, frames) for i, (genre, split) in enumerate(zip(genres, splits, strict=True))]
    lines = [f"{i},t{i},{track.genre},{track.split},{i}.wav\n" for i, track in enumerate(tracks)]
    (tmp_path / "tracks.csv").write_text("row,track,genre,split,audio\n" + "".join(lines))
    table, run = ablate_model.AblationTable(tracks), tmp_path / "run"
    header = list(table.rows)
    ablate_model.evaluate_teacher(table, tmp_path / "tracks.csv", run)
    for i in range(20):
        (tmp_path / f"{i}.wav").write_text(f"sound {i}")
    ablate_model.evaluate_teacher(table, tmp_path / "tracks.csv", run)
    assert table.rows == header
    (run / "teacher_targets").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(20):
        name = hashlib.sha256(f"sound {i}".encode()).hexdigest()[:24]
        np.savez(run / "teacher_targets" / f"{name}.npz", targets=rng.normal(size=(3, 6)) + 3 * np.eye(6)[i % 2])
    ablate_model.evaluate_teacher(table, tmp_path / "tracks.csv", run)
    assert table.rows[-1].startswith("| the teacher itself, on the 20 tracks with audio (10 of valid) | 100.0 %")
