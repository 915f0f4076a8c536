"""The edge recipe from end to end, with a teacher that says the loudness of a few bands."""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model.prediction import Model
from tools import ablate_model, train_and_export
from tools.training import augment, recipes, ship, teacher, toughen, unquantised

RATE = 22050
BANDS = {"low": 200, "mid": 1500, "high": 6000}


class LoudBands:
    """Bands of 12, their mean less the patch's."""

    def __init__(self, checkpoint: Path) -> None:
        pass

    def targets(self, patches: np.ndarray) -> np.ndarray:
        bands = patches.reshape(len(patches), teacher.PATCH_FRAMES, 8, 12).mean(axis=(1, 3))
        return bands - bands.mean(axis=1, keepdims=True)


def sound(f: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(4 * RATE) / RATE
    return 0.3 * np.sin(2 * np.pi * f * rng.uniform(0.9, 1.1) * t) + 0.01 * rng.standard_normal(len(t))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("edge")
    rng = np.random.default_rng(0)
    mel = rng.integers(0, 60, (30, 128, 50), dtype=np.uint8)
    rows = []
    for row in range(30):
        place = (5, 45, 95)[row % 3]
        mel[row, place : place + 8] += 180
        split = "train" if row < 18 else "valid"
        rows.append({"row": row, "track": f"t{row}", "genre": list(BANDS)[row % 3], "split": split})
    np.savez(folder / "mel.npz", mel=mel)
    with (folder / "tracks.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    for part in ("listen", "noise"):
        (folder / part).mkdir()
    for i in range(42):  # t12 to t29 sound like tracks, the last 12 of them held out
        soundfile.write(folder / "listen" / f"t{i + 12}.wav", sound(list(BANDS.values())[i % 3], i), RATE)
    for i in range(6):
        soundfile.write(folder / "noise" / f"{i}.wav", 0.1 * rng.standard_normal(4 * RATE), RATE)
    words = f"--mels {folder}/mel.npz --tracks {folder}/tracks.csv --architecture edge --epochs 12 --then-use-all"
    words += f" --listen {folder}/listen --not-music {folder}/noise"
    run(f"{words} --out {folder}/out")
    run(f"{words} --out {folder}/further --start-from {folder}/out/measured --epochs 3")
    return folder / "out"


def run(words: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train_and_export.py", *words.split()])
        patch.setattr(teacher, "Teacher", LoudBands)
        patch.setattr(teacher, "fetch", lambda directory: directory / "nothing")
        patch.setattr(unquantised, "TOLERANCE", 10.0)  # so short a training leaves ranges that music exceeds
        patch.setattr(augment, "ROUGH", 0.0)  # tones have nothing left where their bands are cut
        patch.setattr(recipes, "copies", lambda tracks, seed: [[track.frames for track in tracks]])
        patch.setattr(ship, "_check_loss", lambda *figures: None)
        patch.setattr(toughen, "PATCHES", 256)
        patch.setattr(toughen, "WATCHED", 50)
        train_and_export.main()


def test_the_holdout_is_not_even_listened_to(trained: Path) -> None:
    measured, final = (Model(trained / name).bundle for name in ("measured", "bundle"))
    assert measured.metrics["songs_heard"] == 30 and final.metrics["songs_heard"] == 30
    assert final.metrics["refitted"]["songs_heard"] == 30 and final.metrics["refitted"]["tracks"] == 30
    assert final.metrics["holdout"] == measured.metrics["holdout"] and final.metrics["holdout"]["n"] == 12
    assert len(final.metrics["folds"]) == recipes.FOLD_SEEDS
    assert final.sha256 != measured.sha256


def test_a_bundle_is_a_beginning(trained: Path) -> None:
    """Its layers go on learning; the teacher is heard for the last one only, and nothing of the holdout is."""
    old, new = (Model(trained.parent / name / "measured").bundle for name in ("out", "further"))
    assert new.metrics["songs_heard"] == 30 and new.metrics["epochs"] == 0 and new.metrics["tough_epochs"] == 1
    assert old.metrics["tough_epochs"] == 5
    assert new.metrics["begun_from"] == old.sha256 and old.metrics["begun_from"] is None
    state = json.loads((trained.parent / "further" / "checkpoint" / "tough" / "state.json").read_text())
    assert state["identity"]["tracks"] == sorted(f"t{i}" for i in range(18))


def test_the_bundle_finds_noise_less_like_music(trained: Path) -> None:
    """A few steps of training teach little; that the right output says it is what the recipe must see to."""
    model = Model(trained / "bundle")
    assert model.bundle.not_music == recipes.NOT_MUSIC and model.bundle.n_outputs == 4

    def not_music(y: np.ndarray) -> float:
        frames = MelSpectrogram(model.bundle.mel).db(y.astype(np.float32))
        return float(model.probabilities(frames[:, : model.bundle.patch_frames])[-1])

    noises = [0.1 * np.random.default_rng(seed).standard_normal(4 * RATE) for seed in range(6)]
    tones = [sound(f, seed) for f in BANDS.values() for seed in (98, 99)]
    assert np.mean([not_music(y) for y in noises]) > np.mean([not_music(y) for y in tones]) + 0.05


def test_the_ablation_fills_its_page(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- ablation:begin -->\nstale\n<!-- ablation:end -->\nafter\n")
    words = f"--run {trained} --mels {trained.parent}/mel.npz --tracks {trained.parent}/tracks.csv --write {page}"
    monkeypatch.setattr(sys, "argv", ["ablate_model.py", *words.split()])
    monkeypatch.setattr(ablate_model, "FROM_LABELS", replace(ablate_model.FROM_LABELS, epochs=1))
    ablate_model.main()
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "stale" not in text
    rows = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert "untrained" in rows[0] and "distilled" in rows[1] and "no teacher" in rows[-1]
    tough = [row for row in rows if "toughened" in row]
    assert len(tough) == 5 and "copies" in tough[1] and all(row.count("%") == 5 for row in tough)
    assert all(0 <= float(row.split(" | ")[1].split()[0]) <= 100 for row in rows)


def test_the_card_tells_how_it_was_made(trained: Path) -> None:
    card = (trained / "bundle" / "MODEL_CARD.md").read_text()
    bundle = Model(trained / "bundle").bundle
    for text in (bundle.sha256, "fitted again, to all 30 tracks", "--listen listen --not-music noise"):
        assert text in card
    assert str(trained.parent) not in card
    further = (trained.parent / "further" / "bundle" / "MODEL_CARD.md").read_text()
    assert "--start-from measured" in further and str(trained.parent) not in further
    assert Model(trained / "measured").bundle.sha256 in further
