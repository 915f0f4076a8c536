"""The heads of the distilled networks: genres fitted to tracks, styles to labels, sounds to recordings."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from tools.training import head
from tools.training.architectures import ARCHITECTURES
from tools.training.data import Track
from tools.training.distillation import (
    audioset,
    genre_head,
    headless,
    teacher_heads,
    track_copies,
)
from tools.training.distillation.style_calibration import Calibration
from tools.training.jobs import TrainingJob


def some_headless(monkeypatch: pytest.MonkeyPatch, labels: list[str]) -> headless.HeadlessStudent:
    """Return a student whose network is the identity: the features of a track's copy are its frames."""
    monkeypatch.setattr(headless, "Int8Features", lambda tflite: None)
    monkeypatch.setattr(track_copies, "copies", lambda track, seed: [track.frames])
    monkeypatch.setattr(headless.examples, "track_outputs", lambda network, frames, architecture: frames)
    job = TrainingJob(ARCHITECTURES["edge"], labels, 0, 0, Path())
    layer = head.LinearLayer(np.zeros((4, len(audioset.STYLES))), np.zeros(len(audioset.STYLES)))
    return headless.HeadlessStudent(job, SimpleNamespace(tflite=b""), layer, layer, np.zeros((1, 4)), 1, {})


def test_tracks_of_the_same_name_have_their_own_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """01.wav of one genre is not 01.wav of another."""
    tracks = [Track("01", g, "", np.full((3, 4), float(i)), "", Path(g, "01.wav")) for i, g in enumerate(("a", "b"))]
    student = some_headless(monkeypatch, ["a", "b"])
    student._embed(tracks)
    assert [student._copies_of(track)[0][0, 0] for track in tracks] == [0, 1]


def test_tracks_without_audio_have_less_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """They count a quarter in the regression, and not at all in the folds' figures."""
    rng, fitted = np.random.default_rng(0), []

    def fit(model: object, copies: object, classes: object, weight: np.ndarray, others: object) -> head.LinearLayer:
        fitted.append(weight)
        return head.LinearLayer(np.zeros((4, 2)), np.zeros(2))

    monkeypatch.setattr(genre_head.GenreHead, "fit", fit)
    counted: list[int] = []
    monkeypatch.setattr(headless.report, "track_accuracy", lambda logits, true: counted.append(len(true)) or 0.0)
    tracks = [
        Track(str(i), "ab"[i % 2], "", rng.normal(size=(2, 4)), "", Path(f"{i}.wav") if i < 30 else None)
        for i in range(40)
    ]
    student = some_headless(monkeypatch, ["a", "b"])
    student._embed(tracks)
    _, _, metrics = student._genres(tracks)
    weight = np.array([1.0] * 30 + [0.25] * 10)
    folds = [head.folds(tracks, seed) for seed in range(headless.FOLD_SEEDS)]
    expected = [weight[fold != k].tolist() for fold in folds for k in range(head.FOLDS)]
    assert [each.tolist() for each in fitted] == [*expected, weight.tolist()]
    assert counted == [30] * headless.FOLD_SEEDS and metrics["tracks_without_audio"] == 10


def test_styles_of_a_fold_are_calibrated_on_other_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The genres' prior is calibrated without the tracks that it is tested on; tracks without audio do not count."""
    names = ("jazz", "rock")
    tracks = [
        Track(str(i), names[i % 2], "", np.full((2, 4), i), "", Path(f"{i}.wav") if i < 20 else None) for i in range(24)
    ]
    calibrated: list[list[int]] = []

    def fit(styles: object, clean: list[np.ndarray], genres: list[str], each: bool = True) -> Calibration:
        assert not each or len(calibrated) > headless.FOLD_SEEDS * head.FOLDS
        calibrated.append([int(rows[0, 0]) for rows in clean])
        assert genres == [names[i % 2] for i in calibrated[-1]]
        n = len(audioset.STYLES)
        return Calibration(np.full(n, 2.0), np.full(n, float(len(clean))))

    priors: list[float] = []
    original = genre_head.GenreHead.of

    def of(styles: head.LinearLayer, labels: list[str]) -> genre_head.GenreHead:
        priors.append(float(styles.bias[0]))
        return original(styles, labels)

    monkeypatch.setattr(headless.style_calibration, "fit", fit)
    monkeypatch.setattr(genre_head.GenreHead, "of", of)
    student = some_headless(monkeypatch, list(names))
    student._embed(tracks)
    student._genres(tracks)
    folds = [head.folds(tracks, seed)[:20] for seed in range(headless.FOLD_SEEDS)]
    expected = [np.flatnonzero(fold != k).tolist() for fold in folds for k in range(head.FOLDS)]
    assert calibrated == [*expected, list(range(20))]
    assert priors == [len(chosen) for chosen in calibrated]
    monkeypatch.setattr(headless.teacher_heads, "fit_to_recordings", lambda sounds, *patches: sounds)
    student.sounds = head.LinearLayer(np.zeros((4, 4)), np.zeros(4))
    layer, _, _, metrics = student._heads(tracks)
    styles = slice(2, 2 + len(audioset.STYLES))
    assert (layer.bias[styles] == 20).all()
    assert metrics["style_calibration"]["slope"] == [2.0] * len(audioset.STYLES)


def test_pseudo_labels_of_a_fold_depend_on_other_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each regression gets views that are labelled without the tracks that it is tested on."""
    tracks = [Track(str(i), "ab"[i % 2], "", np.full((2, 4), i % 2), "", Path(f"{i}.wav")) for i in range(20)]
    seen: list[list[str]] = []

    class Unlabelled:
        features = np.empty((8, 4))

        def examples(self, tracks: list[Track], classes: np.ndarray, weight: np.ndarray) -> head.WeightedExamples:
            assert [track.genre for track in tracks] == ["ab"[c] for c in classes] and len(weight) == len(tracks)
            seen.append([track.name for track in tracks])
            return head.WeightedExamples(np.full((1, 4), 2.0), np.array([0]), np.array([100.0]))

    student = some_headless(monkeypatch, ["a", "b"])
    student._embed(tracks)
    alone, _, _ = student._genres(tracks)
    student.pseudo_labels = Unlabelled()
    examples, original = [], genre_head.GenreHead.fit

    def fit(model: genre_head.GenreHead, *arguments: object) -> head.LinearLayer:
        examples.append(float(arguments[-1].weight[0]))
        return original(model, *arguments)

    monkeypatch.setattr(genre_head.GenreHead, "fit", fit)
    beside, _, metrics = student._genres(tracks)
    folds = [head.folds(tracks, seed) for seed in range(headless.FOLD_SEEDS)]
    expected = [[t.name for t, f in zip(tracks, fold, strict=True) if f != k] for fold in folds for k in range(5)]
    assert seen == [*expected, [track.name for track in tracks]]
    assert examples == [100.0] * len(seen)
    assert alone(np.full(4, 2.0)).argmax() == 1 and beside(np.full(4, 2.0)).argmax() == 0
    assert metrics["pseudo_labelled_views"] == 8


def test_recall_is_that_of_all_divisions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A genre that only the first of three divisions predicts has a recall of a third."""
    monkeypatch.setattr(headless.head, "folds", lambda tracks, seed: seed)

    def logits(copies: list[object], seed: int, fit: object) -> list[np.ndarray]:
        return [np.eye(2)[[c, c]] * 4 for c in (np.arange(20) % 2 if seed == 0 else np.zeros(20, dtype=int))]

    monkeypatch.setattr(headless.head, "cross_validated_logits", logits)
    monkeypatch.setattr(genre_head.GenreHead, "fit", lambda *arguments: None)
    tracks = [Track(str(i), "ab"[i % 2], "", np.zeros((2, 4)), "", Path(f"{i}.wav")) for i in range(20)]
    student = some_headless(monkeypatch, ["a", "b"])
    student._embed(tracks)
    _, temperature, metrics = student._genres(tracks)
    assert metrics["folds"] == [1.0, 0.5, 0.5] and metrics["folds_by_genre"] == {"a": 1.0, "b": 0.3333}
    assert 1 / (1 + np.exp(-4 / temperature)) == pytest.approx(2 / 3, abs=0.02)  # the share that is right
    assert metrics["folds_calibration_error"] < 0.02


def test_genre_head_is_linear_in_the_features() -> None:
    """The fitted layer equals the regression on features and styles plus the weighted prior."""
    rng, labels = np.random.default_rng(0), ["jazz", "zydeco", "rock"]
    styles = head.LinearLayer(rng.normal(size=(24, len(audioset.STYLES))), rng.normal(size=len(audioset.STYLES)))
    model = genre_head.GenreHead.of(styles, labels)
    copies = [[rng.normal(size=(3, 24)) for _ in range(1 + i % 2)] for i in range(12)]
    classes, weight = np.arange(12) % 3, rng.uniform(0.5, 1, 12)
    layer = model.fit(copies, classes, weight)
    features = [[np.concatenate([rows, styles(rows)], axis=1) for rows in outputs] for outputs in copies]
    expected = head.fit_genre_layer(features, classes, genre_head.SETTINGS, weight)
    others = head.WeightedExamples(copies[0][0], np.arange(3), np.ones(3))
    with_others = model.fit(copies, classes, weight, others)
    their_features = head.WeightedExamples(features[0][0], np.arange(3), np.ones(3))
    expected_with_others = head.fit_genre_layer(features, classes, genre_head.SETTINGS, weight, their_features)
    rows, names = copies[0][0], [style.name for style in audioset.STYLES.values()]
    prior = np.insert(styles(rows)[:, [names.index("jazz"), names.index("rock")]], 1, 0, axis=1)
    np.testing.assert_allclose(layer(rows), expected(features[0][0]) + genre_head.PRIOR_WEIGHT * prior, atol=1e-6)
    rows = features[0][0]
    assert np.abs(expected_with_others(rows) - expected(rows)).max() > 0.01
    change = with_others(copies[0][0]) - layer(copies[0][0])
    np.testing.assert_allclose(change, expected_with_others(rows) - expected(rows), atol=1e-6)


def test_style_layer_gives_the_teachers_probabilities() -> None:
    """A shift of the student's logits is corrected."""
    rng, n = np.random.default_rng(0), audioset.N_CLASSES
    features, own = rng.normal(size=(400, 24)), head.LinearLayer(rng.normal(0, 0.2, (24, n)), rng.normal(size=n))
    probabilities = 1 / (1 + np.exp(-(3 * own(features) - 1)))
    layer = teacher_heads.style_layer(own, teacher_heads.Examples(features, own(features), probabilities))
    classes = list(audioset.STYLES)
    np.testing.assert_allclose(1 / (1 + np.exp(-layer(features))), probabilities[:, classes], atol=0.02)


def test_sounds_are_fitted_to_recordings() -> None:
    """A music share of 0.4 for music and 0.1 for noise becomes nearly 1 and 0; the other sounds keep their order."""
    layer = teacher_heads.LinearLayer(np.eye(4), np.zeros(4))
    rng = np.random.default_rng(0)
    music = np.log([0.4, 0.1, 0.1, 0.4]) + rng.normal(0, 0.1, (200, 4))
    noise = np.log([0.1, 0.2, 0.1, 0.6]) + rng.normal(0, 0.1, (200, 4))
    fitted = teacher_heads.fit_to_recordings(layer, music, noise)
    shares = [np.exp(fitted(rows)) / np.exp(fitted(rows)).sum(axis=1, keepdims=True) for rows in (music, noise)]
    assert shares[0][:, 0].mean() > 0.9 and shares[1][:, 0].mean() < 0.1
    assert np.array_equal(fitted(noise)[:, 1:].argsort(), noise[:, 1:].argsort())


def test_sound_shares() -> None:
    """Music has the probability of music or singing; the rest is shared; instruments alone count for nothing."""
    p = np.full((4, audioset.N_CLASSES), 0.01)
    p[0, audioset.MUSIC] = 0.9
    p[1, audioset.SINGING.start] = 0.8
    p[2, audioset.ANIMALS.start] = 0.7
    p[3, [audioset.SPEECH.start, audioset.INSTRUMENTS.start]] = 0.6, 0.9
    shares = teacher_heads.sound_shares(p)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares.argmax(axis=1).tolist() == [0, 0, 2, 1]
    assert shares[0, 0] == pytest.approx(0.9) and shares[1, 0] == pytest.approx(0.8)
