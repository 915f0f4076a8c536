"""The edge recipe from end to end, with a small network and a teacher whose outputs are band levels."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model import interpreter
from genre_edge.model.prediction import Model
from tests.helpers.training import run_main, small_student, write_archive
from tools import ablate_model, train_and_export
from tools.training import augment, bundle_export, float_network, quantise, recipes, robust_finetune, teacher
from tools.training.architectures import ARCHITECTURES

RATE = 22050
BANDS = {"low": 200, "mid": 1500, "high": 6000}


class BandLevels:
    """Teacher whose outputs are the levels of 8 bands relative to the patch's mean."""

    def __init__(self, checkpoint: Path) -> None:
        pass

    def targets(self, patches: np.ndarray) -> np.ndarray:
        bands = patches.reshape(len(patches), teacher.PATCH_FRAMES, 8, 12).mean(axis=(1, 3))
        return bands - bands.mean(axis=1, keepdims=True)


def tone(f: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(4 * RATE) / RATE
    return 0.3 * np.sin(2 * np.pi * f * rng.uniform(0.9, 1.1) * t) + 0.01 * rng.standard_normal(len(t))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the recipe in out/ and a second one in further/ that starts from the first one's bundle."""
    folder = tmp_path_factory.mktemp("edge")
    rng = np.random.default_rng(0)
    mel = rng.integers(0, 60, (30, 128, 50), dtype=np.uint8)
    for row in range(30):
        first = (5, 45, 95)[row % 3]
        mel[row, first : first + 8] += 180
    write_archive(folder, mel, [list(BANDS)[row % 3] for row in range(30)], n_train=18)
    for part in ("listen", "noise"):
        (folder / part).mkdir()
    for i in range(42):  # t12 to t29 are named like tracks; t18 to t29 are held out
        soundfile.write(folder / "listen" / f"t{i + 12}.wav", tone(list(BANDS.values())[i % 3], i), RATE)
    for i in range(6):
        soundfile.write(folder / "noise" / f"{i}.wav", 0.1 * rng.standard_normal(4 * RATE), RATE)
    arguments = f"--mels {folder}/mel.npz --tracks {folder}/tracks.csv --architecture edge --epochs 6 --then-use-all"
    arguments += f" --listen {folder}/listen --not-music {folder}/noise"
    train(f"{arguments} --out {folder}/out")
    train(f"{arguments} --out {folder}/further --start-from {folder}/out/measured --epochs 3")
    return folder / "out"


def train(arguments: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, "edge", replace(ARCHITECTURES["edge"], build=small_student))
        patch.setattr(teacher, "Teacher", BandLevels)
        patch.setattr(teacher, "fetch", lambda directory: directory / "unused")
        patch.setattr(float_network, "TOLERANCE", 10.0)  # after a short training, music exceeds the int8 ranges
        patch.setattr(augment, "DEGRADED_SHARE", 0.0)  # a band limit may remove a tone entirely
        patch.setattr(recipes, "degraded_copies", lambda tracks, seed: [[track.frames for track in tracks]])
        patch.setattr(bundle_export, "_check_loss", lambda *figures: None)
        patch.setattr(robust_finetune, "PATCHES_PER_EPOCH", 256)
        patch.setattr(robust_finetune, "VALIDATION_PATCHES", 50)
        done = run_main(train_and_export, *arguments.split())
    assert done.code == 0, done.stderr


@pytest.mark.train
def test_holdout_audio_is_not_used(trained: Path) -> None:
    """Held-out tracks' audio is excluded from distillation, also when the last layer is fitted to all tracks."""
    measured, final = (Model(trained / name).bundle for name in ("measured", "bundle"))
    assert measured.metrics["songs_heard"] == 30 and final.metrics["songs_heard"] == 30
    assert final.metrics["refitted"]["songs_heard"] == 30 and final.metrics["refitted"]["tracks"] == 30
    assert final.metrics["holdout"] == measured.metrics["holdout"] and final.metrics["holdout"]["n"] == 12
    assert len(final.metrics["folds"]) == recipes.FOLD_SEEDS
    assert final.sha256 != measured.sha256


@pytest.mark.train
def test_start_from_bundle(trained: Path) -> None:
    """A run from a bundle skips distillation, fine-tunes without the holdout and names the bundle's hash."""
    old, new = (Model(trained.parent / name / "measured").bundle for name in ("out", "further"))
    assert new.metrics["songs_heard"] == 30 and new.metrics["epochs"] == 0 and new.metrics["tough_epochs"] == 1
    assert old.metrics["tough_epochs"] == 2
    assert new.metrics["begun_from"] == old.sha256 and old.metrics["begun_from"] is None
    state = json.loads((trained.parent / "further" / "checkpoint" / "robust" / "state.json").read_text())
    assert state["identity"]["tracks"] == sorted(f"t{i}" for i in range(18))


@pytest.mark.train
def test_not_music_output(trained: Path) -> None:
    """The last output is larger for noise than for tones; a short training separates them only a little."""
    model = Model(trained / "bundle")
    assert model.bundle.not_music == recipes.NOT_MUSIC_THRESHOLD and model.bundle.n_outputs == 4

    def not_music(y: np.ndarray) -> float:
        frames = MelSpectrogram(model.bundle.mel).db(y.astype(np.float32))
        return float(model.probabilities(frames[:, : model.bundle.patch_frames])[-1])

    noises = [0.1 * np.random.default_rng(seed).standard_normal(4 * RATE) for seed in range(6)]
    tones = [tone(f, seed) for f in BANDS.values() for seed in (98, 99)]
    assert np.mean([not_music(y) for y in noises]) > np.mean([not_music(y) for y in tones]) + 0.05


@pytest.mark.train
def test_ablation_updates_page(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ablation study replaces the marked part of the page with a row per step."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- ablation:begin -->\nstale\n<!-- ablation:end -->\nafter\n")
    arguments = f"--run {trained} --mels {trained.parent}/mel.npz --tracks {trained.parent}/tracks.csv --write {page}"
    monkeypatch.setattr(ablate_model, "SEEDS", 2)
    monkeypatch.setattr(ablate_model, "EDGE", replace(ablate_model.EDGE, build=small_student))
    monkeypatch.setattr(ablate_model, "FROM_LABELS", replace(ablate_model.FROM_LABELS, epochs=1))
    assert run_main(ablate_model, *arguments.split()).code == 0
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "stale" not in text
    rows = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert "untrained" in rows[0] and "distilled" in rows[1] and "no teacher" in rows[-1]
    finetuned = [row for row in rows if "fine-tuned" in row]
    assert len(finetuned) == 5 and "copies" in finetuned[1] and all(row.count("%") == 5 for row in finetuned)
    assert all(0 <= float(row.split(" | ")[1].split()[0]) <= 100 for row in rows)


@pytest.mark.train
def test_card_of_distilled_bundle(trained: Path) -> None:
    """The card has hash, refit and command, with no local paths; after a start from a bundle, that bundle's hash."""
    card = (trained / "bundle" / "MODEL_CARD.md").read_text()
    bundle = Model(trained / "bundle").bundle
    for text in (bundle.sha256, "fitted again, to all 30 tracks", "--listen listen --not-music noise"):
        assert text in card
    assert str(trained.parent) not in card
    further = (trained.parent / "further" / "bundle" / "MODEL_CARD.md").read_text()
    assert "--start-from measured" in further and str(trained.parent) not in further
    assert Model(trained / "measured").bundle.sha256 in further


@pytest.mark.train
def test_student_quantises_to_int8() -> None:
    """The real student converts to int8 operations only; most outputs for calibration patches are close to float."""
    edge = ARCHITECTURES["edge"]
    network = edge.build(edge.shape, 4)
    x = np.random.default_rng(0).normal(size=(20, *edge.shape)).astype(np.float32)
    runtime = interpreter.create(quantise.to_int8(network, x))
    (details,), (result,) = runtime.get_input_details(), runtime.get_output_details()
    assert tuple(details["shape"]) == (1, *edge.shape) and details["dtype"] == result["dtype"] == np.int8
    scale, zero = details["quantization"]
    runtime.set_tensor(details["index"], np.clip(np.round(x[:1] / scale + zero), -128, 127).astype(np.int8))
    runtime.invoke()
    scale, zero = result["quantization"]
    exact = np.asarray(network(x[:1], training=False))
    rounded = (runtime.get_tensor(result["index"]).astype(float) - zero) * scale
    np.testing.assert_allclose(rounded, exact, atol=0.1 * np.abs(exact).max())
