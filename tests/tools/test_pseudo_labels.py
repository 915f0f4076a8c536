"""Genres of unlabelled music, predicted from the teacher's outputs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from tools.training import head
from tools.training.architectures import ARCHITECTURES
from tools.training.data import Track
from tools.training.distillation import audioset, pseudo_labels, views
from tools.training.distillation.pseudo_labels import Labeller, PseudoLabels
from tools.training.distillation.recordings import Recording
from tools.training.jobs import TrainingJob


class MeanTeacher:
    """A teacher whose embedding is the mean of a patch's bands, and whose logits are their indices."""

    def __init__(self) -> None:
        self.patches = 0

    def outputs(self, x: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        self.patches += len(x)
        return [np.empty(0), x.mean(axis=(2, 3))], np.tile(np.arange(audioset.N_CLASSES), (len(x), 1))


def some_tracks() -> list[Track]:
    """Return 12 tracks of two genres with treble or bass; half of them have an archived spectrogram."""
    rng, tracks = np.random.default_rng(0), []
    for i in range(12):
        slope = np.linspace(0, -40, 128)[:: 1 if i % 2 else -1, None]
        frames = [(slope + rng.normal(0, 1, (128, 600))).astype(np.float32) for _ in range(2)]
        tracks.append(Track("same", "ab"[i % 2], "", frames[0], "", Path(f"{i}.wav"), frames[1] if i < 6 else None))
    return tracks


def test_labeller() -> None:
    """It is fitted to embedding and styles of tracks and of archived spectrograms, each computed once."""
    tracks, teacher, classes = some_tracks(), MeanTeacher(), np.arange(12) % 2
    labeller = Labeller(teacher, ARCHITECTURES["nano"])  # type: ignore[arg-type]
    layer = labeller.fit(tracks, classes, np.ones(12))
    n_patches = len(labeller._track_outputs(tracks[0])[0])
    assert teacher.patches == (12 + 6) * n_patches
    labeller.fit(tracks[:8], classes[:8], np.ones(8))
    assert teacher.patches == (12 + 6) * n_patches
    copies = [labeller._track_outputs(track) for track in tracks]
    assert [len(outputs) for outputs in copies] == [2] * 6 + [1] * 6
    assert copies[0][0].shape == (n_patches, 128 + len(audioset.STYLES))
    assert copies[0][0][0, 128:].tolist() == list(audioset.STYLES)
    assert [layer(outputs[0]).mean(axis=0).argmax() for outputs in copies] == classes.tolist()


def test_examples_of_views() -> None:
    """Each view has the same weight, shared by its likely genres; together they weigh WEIGHT times the tracks."""
    log_odds = np.log([[0.6, 0.39, 0.01], [0.005, 0.005, 0.99], [0.2, 0.3, 0.5]])
    calls = []

    def fit(*arguments: Any) -> head.LinearLayer:
        calls.append(arguments)
        return head.LinearLayer(np.eye(3), np.zeros(3))

    features, weight = np.arange(6.0).reshape(3, 2), np.array([1.0, 0.25, 1.0])
    labels = PseudoLabels(SimpleNamespace(fit=fit), features, log_odds)  # type: ignore[arg-type]
    tracks, classes = some_tracks()[:3], np.array([0, 1, 2])
    examples = labels.examples(tracks, classes, weight)
    assert calls == [(tracks, classes, weight)]
    expected = head.WeightedExamples.of_shares(features, np.exp(log_odds), pseudo_labels.LEAST_SHARE)
    assert np.array_equal(examples.features, expected.features) and np.array_equal(examples.classes, expected.classes)
    np.testing.assert_allclose(examples.weight, expected.weight * pseudo_labels.WEIGHT * 2.25 / 3)


def test_views_are_those_of_unlabelled_music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The student gets the degraded view, the labeller the other one; no other recordings are used."""
    job = TrainingJob(ARCHITECTURES["nano"], ["a", "b"], 0, 5, tmp_path, unlabelled=(tmp_path / "x", tmp_path / "y"))
    sources = "labelled", "x", "noise", "y", "labelled"
    found = [Recording(str(i), source, tmp_path / f"{i}.npy", 9) for i, source in enumerate(sources)]
    used: list[str] = []

    class Maker:
        def __init__(self, recordings: list[Recording]) -> None:
            used.extend(recording.name for recording in recordings)

        def batch(self, batch: views.Batch, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
            x = rng.random((batch.size, 1)).astype(np.float16)
            return x, x + 1

    monkeypatch.setattr(pseudo_labels.views, "ViewMaker", Maker)
    monkeypatch.setattr(pseudo_labels, "BATCHES", 3)
    labeller = SimpleNamespace(outputs=lambda y: 10 * y)
    labels = PseudoLabels.of(labeller, lambda x: 100 * x, job, found)  # type: ignore[arg-type]
    assert used == ["1", "3"] and len(labels.features) == 3 * pseudo_labels.BATCH.size
    np.testing.assert_allclose(labels.outputs, labels.features / 10 + 10, rtol=1e-2)
    with pytest.raises(SystemExit, match=r"x, .*y: no audio"):
        PseudoLabels.of(labeller, lambda x: x, job, found[::2])  # type: ignore[arg-type]
