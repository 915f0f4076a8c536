"""Parts of the training recipes: training loop and head."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from tools.training import fit, head
from tools.training.data import Track

SETTINGS = head.Regression(0.01)
SCHEDULE = fit.Schedule(epochs=3, batch_size=8, learning_rate=0.01)


def small_network() -> Any:
    """Return an untrained network with dropout, `(k, 4)` -> `(k, 2)`."""
    import keras

    layers = keras.layers
    return keras.Sequential([layers.Input((4,)), layers.Dense(16, "relu"), layers.Dropout(0.5), layers.Dense(2)])


def epoch(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets of an epoch, determined by its number."""
    x = np.random.default_rng(number).normal(size=(32, 4)).astype(np.float32)
    return x, np.stack([x.sum(axis=1), x[:, 0]], axis=1)


def run(checkpoint: Path, seed: int = 0, data: fit.EpochData = epoch) -> list[float]:
    _, history = fit.fit(small_network, "mse", data, SCHEDULE, checkpoint, {"network": "small"}, seed)
    return [metrics["loss"] for metrics in history]


@pytest.mark.train
def test_fit_resumes_interrupted_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A resumed run has the losses of an uninterrupted one; a checkpoint of another run is refused."""

    def interrupted(number: int) -> tuple[np.ndarray, np.ndarray]:
        if number == 1:
            raise KeyboardInterrupt
        return epoch(number)

    uninterrupted = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "resumed", data=interrupted)
    capsys.readouterr()
    assert run(tmp_path / "resumed") == pytest.approx(uninterrupted, rel=1e-3)
    assert "epoch 1 of 3" not in (out := capsys.readouterr().out) and "epoch 3 of 3: loss " in out
    assert run(tmp_path / "resumed") == pytest.approx(uninterrupted, rel=1e-3)  # already finished
    with pytest.raises(SystemExit, match=r"belongs to another run \(different: seed\)"):
        run(tmp_path / "whole", seed=1)


def test_schedule_rates() -> None:
    """A cosine schedule decays to nearly 0; the other schedule is constant."""
    rates = [SCHEDULE.rate(i) for i in range(1, SCHEDULE.epochs)]
    assert rates == sorted(rates, reverse=True) and 0 < rates[-1] < 0.003
    assert {fit.Schedule(5, 8, 0.01, cosine=False).rate(i) for i in range(5)} == {0.01}


def some_tracks() -> tuple[list[Track], list[np.ndarray], np.ndarray]:
    """Return 60 tracks of three genres and 20 artists, a network's outputs for 4 patches of each, and the classes."""
    rng = np.random.default_rng(7)
    classes = np.repeat([0, 1, 2], 20)
    empty = np.empty((4, 0), dtype=np.float32)
    tracks = [Track(f"t{i}", "abc"[c], "", empty, f"artist {i // 3}") for i, c in enumerate(classes)]
    outputs = [rng.normal(size=(4, 6)) + 4 * np.eye(6)[c] for c in classes]
    return tracks, outputs, classes


def test_folds_are_artist_disjoint() -> None:
    """All tracks of an artist are in one fold; each fold has tracks of each genre."""
    tracks, _, _ = some_tracks()
    fold = head.folds(tracks, 0)
    for genre in "abc":
        own = [(track.group, k) for track, k in zip(tracks, fold, strict=True) if track.genre == genre]
        assert len(set(own)) == len({group for group, _ in own})
        assert set(k for _, k in own) == set(range(head.FOLDS))
    assert not np.array_equal(fold, head.folds(tracks, 1))
    alone = [Track(t.name, t.genre, "", t.frames) for t in tracks]
    assert np.bincount(head.folds(alone, 0)).tolist() == [12] * head.FOLDS


def fit_to(copies: list[head.Outputs], classes: np.ndarray) -> Callable[[np.ndarray], head.LinearLayer]:
    """Return the function from the indices of tracks to the layer that is fitted to them."""
    return lambda train: head.fit_genre_layer([copies[i] for i in train], classes[train], SETTINGS)


def test_cross_validated_logits_exclude_own_fold() -> None:
    """A track's logits do not depend on the labels of its own fold."""
    tracks, outputs, classes = some_tracks()
    fold = head.folds(tracks, 0)
    copies = [[rows] for rows in outputs]
    logits = head.cross_validated_logits(copies, fold, fit_to(copies, classes))
    assert np.mean([rows.mean(axis=0).argmax() == c for rows, c in zip(logits, classes, strict=True)]) > 0.9
    # After a change of one fold's labels, only the logits of the other folds change.
    moved = np.where(fold == 2, (classes + 1) % 3, classes)
    same = [
        np.array_equal(a, b)
        for a, b in zip(logits, head.cross_validated_logits(copies, fold, fit_to(copies, moved)), strict=True)
    ]
    assert np.array_equal(same, fold == 2)


def test_genre_layer_with_degraded_copies() -> None:
    """A feature that is unreliable in noisy copies gets less weight; only the first copy is evaluated."""
    _, outputs, classes = some_tracks()
    noisy = [rows + 8 * np.random.default_rng(i).normal(size=(4, 1)) * np.eye(6)[0] for i, rows in enumerate(outputs)]
    copies = [list(pair) for pair in zip(outputs, noisy, strict=True)]
    clean_only = head.fit_genre_layer([[rows] for rows in outputs], classes, SETTINGS)
    both = head.fit_genre_layer(copies, classes, SETTINGS)
    assert np.abs(both.weights[0]).max() < 0.7 * np.abs(clean_only.weights[0]).max()
    fold = head.folds(some_tracks()[0], 0)
    logits = head.cross_validated_logits(copies, fold, fit_to(copies, classes))
    others = [copy for copy, k in zip(copies, fold, strict=True) if k != 0]
    layer = head.fit_genre_layer(others, classes[fold != 0], SETTINGS)
    first = int(np.flatnonzero(fold == 0)[0])
    np.testing.assert_array_equal(logits[first], layer(outputs[first]))


def test_genre_layer_repeated_copies() -> None:
    """Two equal copies of a track are as one."""
    _, outputs, classes = some_tracks()
    once = head.fit_genre_layer([[rows] for rows in outputs], classes, SETTINGS)
    twice = head.fit_genre_layer([[rows, rows] for rows in outputs], classes, SETTINGS)
    np.testing.assert_allclose(twice.weights, once.weights, atol=1e-4)


def test_genre_layer_weights() -> None:
    """A track of weight 2 is as two tracks; balanced classes weigh the same, whatever their tracks weigh."""
    _, outputs, classes = some_tracks()
    copies, weight = [[rows] for rows in outputs], np.where(classes == 0, 2.0, 1.0)
    doubled = [i for i, w in enumerate(weight) for _ in range(int(w))]
    repeated = head.fit_genre_layer([copies[i] for i in doubled], classes[doubled], SETTINGS)
    weighted = head.fit_genre_layer(copies, classes, SETTINGS, weight)
    np.testing.assert_allclose(weighted.weights, repeated.weights, atol=1e-3)
    even = head.fit_genre_layer(copies, classes, SETTINGS).bias
    balanced = head.fit_genre_layer(copies, classes, replace(SETTINGS, balanced=True), weight)
    assert np.ptp(balanced.bias - even) < 0.1 < np.ptp(weighted.bias - even)


def test_genre_layer_with_other_examples() -> None:
    """An example is as a track of one patch."""
    _, outputs, classes = some_tracks()
    copies, weight = [[rows] for rows in outputs], np.linspace(0.5, 1.5, 60)
    means = np.stack([rows.mean(axis=0) for rows in outputs])
    others = head.WeightedExamples(means[40:], classes[40:], weight[40:])
    expected = head.fit_genre_layer(copies, classes, SETTINGS, weight).weights
    layer = head.fit_genre_layer(copies[:40], classes[:40], SETTINGS, weight[:40], others)
    np.testing.assert_allclose(layer.weights, expected, atol=1e-4)


def test_genre_layer_balances_tracks_alone() -> None:
    """However heavy other examples of a genre are, the tracks of all genres weigh the same."""
    _, outputs, classes = some_tracks()
    copies, weight = [[rows] for rows in outputs], np.linspace(0.5, 1.5, 60)
    means = np.stack([rows.mean(axis=0) for rows in outputs])
    others = head.WeightedExamples(means[:5], np.zeros(5, dtype=int), np.full(5, 12.0))
    layer = head.fit_genre_layer(copies, classes, replace(SETTINGS, balanced=True), weight, others)
    balanced = weight * weight.sum() / 3 / np.array([weight[classes == c].sum() for c in range(3)])[classes]
    x, y = np.concatenate([means, means[:5]]), np.concatenate([classes, others.classes])
    expected = head.fit_regression(x, y, SETTINGS, np.concatenate([balanced, others.weight]))
    np.testing.assert_allclose(layer.weights, expected.weights, atol=1e-6)


def test_weighted_examples_of_shares() -> None:
    """Each row is an example of its classes; small shares are left out, but not the largest of a row."""
    shares = np.array([[0.6, 0.39, 0.01], [0.005, 0.005, 0.99]])
    examples = head.WeightedExamples.of_shares(np.array([[5.0], [7.0]]), shares, 0.02)
    rows = zip(examples.features[:, 0], examples.classes, examples.weight, strict=True)
    assert sorted(rows) == [(5, 0, pytest.approx(0.6 / 0.99)), (5, 1, pytest.approx(0.39 / 0.99)), (7, 2, 1)]
    flat = head.WeightedExamples.of_shares(np.zeros((1, 1)), np.full((1, 100), 0.01), 0.02)
    np.testing.assert_allclose(flat.weight, np.full(100, 0.01))
    assert head.WeightedExamples.of_shares(np.zeros((2, 1)), shares).times(3).weight.sum() == pytest.approx(6)


def test_regression_with_scales() -> None:
    """A feature with a smaller scale has a smaller weight; scales multiplied by f and C by 1 / f^2 change nothing."""
    rng = np.random.default_rng(0)
    classes = np.arange(300) % 2
    x = classes[:, None] + rng.normal(size=(300, 2))
    even, uneven, all_smaller = (
        head.fit_regression(x, classes, head.Regression(c, scale=np.array(scale))).weights.ravel()
        for c, scale in ((0.1, (1, 1)), (0.1, (1, 0.35)), (0.4, (0.5, 0.5)))
    )
    assert abs(uneven[1]) < 0.6 * abs(even[1]) and abs(uneven[0]) > abs(even[0])
    np.testing.assert_allclose(all_smaller, even, rtol=0.02)
    np.testing.assert_allclose(head.fit_regression(x, classes, head.Regression(0.1)).weights.ravel(), even, rtol=1e-9)


def test_check_groups_single_artist() -> None:
    """A genre whose tracks are all by one artist is refused."""
    tracks, _, _ = some_tracks()
    head.check_groups(tracks)
    single = [replace(track, group="all") if track.genre == "b" else track for track in tracks]
    with pytest.raises(SystemExit, match="genre 'b': 20 tracks of one artist"):
        head.check_groups(single)


def test_genre_layer_of_two_genres() -> None:
    """Two genres have two outputs with opposite signs."""
    _, outputs, classes = some_tracks()
    layer = head.fit_genre_layer([[rows] for rows in outputs[:40]], classes[:40], SETTINGS)
    assert layer.weights.shape == (6, 2)
    np.testing.assert_allclose(layer(outputs[0]).sum(axis=1), 0, atol=1e-9)
    assert [layer(rows).mean(axis=0).argmax() for rows in outputs[:40]] == classes[:40].tolist()
