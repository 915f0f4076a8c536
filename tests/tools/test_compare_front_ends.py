"""Students with the information of cheaper front ends, and their comparison."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
from genre_edge.model.preprocessing import normalise
from tests.helpers.training import UntrainedTeacher, run_main, small_design, write_corpus
from tools import compare_front_ends
from tools.compare_front_ends import Comparison
from tools.training import head
from tools.training.architectures import ARCHITECTURES
from tools.training.data import Track
from tools.training.distillation import (
    audioset,
    backbone,
    efficientat,
    function_matching,
    shipped,
    student_network,
    students,
)
from tools.training.distillation.effects import Effects
from tools.training.distillation.recordings import Recording
from tools.training.distillation.reduction import reduced
from tools.training.distillation.students import Reduction
from tools.training.quantise import to_int8


def patch_db(seed: int, n: int = 100) -> np.ndarray:
    """Return a patch in dB whose lower bands are louder, `(128, n)`."""
    level = np.linspace(0, -30, 128)[:, None]
    return (level + np.random.default_rng(seed).normal(0, 6, (128, n))).astype(np.float32)


def network_input(x: np.ndarray) -> np.ndarray:
    return normalise(x.astype(np.float32), students.NORMALISATION, students.TOP_DB, students.MEL)


def naive_cells(power: np.ndarray, width: float) -> np.ndarray:
    """Average the last axis over cells of a width, in a hundred parts of each element."""
    n, parts = power.shape[-1], 100
    fine = np.repeat(power, parts, axis=-1)
    cell = np.floor((np.arange(n * parts) + 0.5) / parts / width).astype(int)
    means = np.stack([fine[..., cell == c].mean(axis=-1) for c in range(cell[-1] + 1)], axis=-1)
    return means[..., np.floor((np.arange(n) + 0.5) / width).astype(int)]


@pytest.mark.parametrize(
    "reduction",
    [
        Reduction(),
        Reduction(frames_per_s=25),
        Reduction(frames_per_s=43),
        Reduction(frames_per_s=12.9),
        Reduction(n_mels=96),
        Reduction(sr=22050),
        Reduction(frames_per_s=50, n_mels=64, sr=16000),
    ],
)
def test_reduced_patches(reduction: Reduction) -> None:
    """They are the normalised means of the powers, as computed slowly."""
    x = network_input(patch_db(0))
    floor = 10 ** (-students.TOP_DB / 10)
    power = np.exp(5 * x.astype(float) - 3.3) - floor
    power = naive_cells(naive_cells(power, 100 / reduction.frames_per_s).T, 128 / reduction.n_mels).T
    power[Effects(students.MEL).band_hz > reduction.sr / 2] = 0
    expected = (np.log(power / power.mean() + floor) + 3.3) / 5
    result = reduced(x[None, ..., None], reduction).numpy()[0, ..., 0]
    np.testing.assert_allclose(result, expected, atol=0.02 if reduction.frames_per_s in (43, 12.9) else 2e-3)


def test_reduced_patches_without_a_reduction() -> None:
    x = network_input(patch_db(1))[None, ..., None]
    np.testing.assert_allclose(reduced(x, Reduction()), x, atol=1e-3)


def test_reduced_patches_lose_what_is_faster() -> None:
    """Frames that alternate in pairs are alike at 25 frames a second, and stay at 50."""
    x = patch_db(2, 1) + np.where(np.arange(80) // 2 % 2, 10, 0)
    x = network_input(x)[None, ..., None]
    fast, slow = (reduced(x, Reduction(frames_per_s=rate)).numpy().std(axis=2).max() for rate in (50, 25))
    assert fast > 0.2 and slow < 1e-5


@pytest.mark.train
def test_comparison(tmp_path: Path) -> None:
    """A row for each front end with patches of 5 s, and for the shipped one with 3 and 10 s.

    The run resumes with its first weights, and uses no sound of held-out tracks.
    """
    data = write_corpus(tmp_path)
    (tmp_path / "nano").mkdir()
    network, rng = student_network.network(small_design(), 2), np.random.default_rng(0)
    network.set_weights([w + 0.1 * rng.random(w.shape) for w in network.get_weights()])
    patches = rng.normal(size=(4, 128, students.PATCH_FRAMES, 1)).astype(np.float32)
    (tmp_path / "nano" / "model.tflite").write_bytes(to_int8(network, patches))
    words = f"--audio {data} --tracks {data}/tracks.csv --teacher {data}/t.pt --unlabelled {data}/music"
    words += f" --not-music {data}/noise --steps 2 --out {data}/out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(students.DESIGNS, "nano", small_design())
        patch.setitem(ARCHITECTURES, "nano", replace(ARCHITECTURES["nano"], student=small_design()))
        patch.setattr(efficientat, "load_weights", lambda path: None)
        patch.setattr(efficientat, "Teacher", UntrainedTeacher)
        patch.setattr(shipped, "bundle_path", lambda name: tmp_path / name)
        used: list[str] = []
        load = backbone.load_recordings

        def recorded(*arguments: Any) -> list[Recording]:
            found: list[Recording] = load(*arguments)
            used.extend(recording.name for recording in found)
            return found

        patch.setattr(backbone, "load_recordings", recorded)
        for name, value in (("VALIDATION_RECORDINGS", 2), ("VALIDATION_BATCHES", 1), ("START_BATCHES", 4)):
            patch.setattr(function_matching, name, value)
        patch.setattr(compare_front_ends, "FRONT_ENDS", {"all, 1.5 x": None, "slow": Reduction(frames_per_s=5)})
        done = run_main(compare_front_ends, *words.split())
        (tmp_path / "nano" / "model.tflite").write_bytes(b"another version")
        again = run_main(compare_front_ends, *words.split())
    assert done.code == 0, done.stderr
    table = done.stdout[done.stdout.index(compare_front_ends.HEADER) :]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert [row[:2] for row in rows] == [
        ["all, 1.5 x", "5 s"],
        ["slow", "5 s"],
        ["all, 1.5 x", "3 s"],
        ["all, 1.5 x", "10 s"],
    ]
    assert rows[0][2] != rows[1][2] and "start: all" in done.stdout
    assert "18" not in used and "20" not in used and "copy" not in used and {"0", "17"} <= set(used)
    assert again.stdout == table and "start:" not in again.stdout


def test_measurements_of_a_perfect_student() -> None:
    """A student with the teacher's outputs explains all of them; other outputs or random genres have lower figures."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(128, audioset.N_CLASSES))
    teacher = SimpleNamespace(outputs=lambda x: (None, x.mean(axis=(2, 3)) @ weights))
    layer = head.LinearLayer(weights, np.zeros(audioset.N_CLASSES))
    student = SimpleNamespace(
        stage_outputs=lambda x: [x.mean(axis=(2, 3))],
        logits_of=lambda classes: head.LinearLayer(layer.weights[:, classes], layer.bias[classes]),
    )
    tracks = []
    for i in range(60):
        slope = np.linspace(0, -20, 128)[:: 1 if i % 2 else -1, None]
        frames = (slope + rng.normal(0, 6, (128, int(rng.integers(400, 1200))))).astype(np.float32)
        tracks.append(Track(str(i), ("jazz", "rock")[i % 2], "", frames, "", Path(f"{i}.wav")))
    compared = Comparison(teacher, ARCHITECTURES["nano"], tracks[:40], tracks[40:])  # type: ignore[arg-type]
    assert compared.cells(student) == ["1.000", "100.0 %", "100.0, 100.0, 100.0 %"]  # type: ignore[arg-type]
    shuffled = [replace(track, genre=("jazz", "rock")[int(rng.integers(2))]) for track in tracks]
    other = Comparison(teacher, ARCHITECTURES["nano"], shuffled[:40], shuffled[40:])  # type: ignore[arg-type]
    student.stage_outputs = lambda x: [x.mean(axis=(2, 3)) + 1.0]
    explained, valid, _ = other.cells(student)  # type: ignore[arg-type]
    assert float(explained) < 1 and float(valid.rstrip(" %")) < 85
