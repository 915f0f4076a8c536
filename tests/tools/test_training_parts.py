"""The parts of the recipes: fitting, changes of patches, the last layer."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
import keras
from sklearn.linear_model import Ridge

from tools.training import augment, fit, head, recipes, toughen, unquantised
from tools.training.architectures import ARCHITECTURES
from tools.training.data import Track

SCHEDULE = fit.Schedule(epochs=3, batch_size=8, learning_rate=0.01)


def small_network() -> Any:
    layers = keras.layers
    return keras.Sequential([layers.Input((4,)), layers.Dense(16, "relu"), layers.Dropout(0.5), layers.Dense(2)])


def epoch(number: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(number).normal(size=(32, 4)).astype(np.float32)
    return x, np.stack([x.sum(axis=1), x[:, 0]], axis=1)


def run(checkpoint: Path, seed: int = 0, data: fit.Epoch = epoch) -> list[float]:
    _, history = fit.fit(small_network, "mse", data, SCHEDULE, checkpoint, {"network": "small"}, seed)
    return [figures["loss"] for figures in history]


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(number: int) -> tuple[np.ndarray, np.ndarray]:
        if number == 1:
            raise KeyboardInterrupt
        return epoch(number)

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "resumed", data=interrupted)
    capsys.readouterr()
    assert run(tmp_path / "resumed") == pytest.approx(whole, rel=1e-3)
    assert "epoch 1 of 3" not in (told := capsys.readouterr().out) and "epoch 3 of 3: loss " in told
    assert run(tmp_path / "resumed") == pytest.approx(whole, rel=1e-3)  # finished: nothing is left to do
    with pytest.raises(SystemExit, match=r"belongs to another run \(seed differ\)"):
        run(tmp_path / "whole", seed=1)


def test_a_cosine_falls_to_nearly_nothing_and_the_rest_stays() -> None:
    rates = [SCHEDULE.rate(i) for i in range(1, SCHEDULE.epochs)]
    assert rates == sorted(rates, reverse=True) and 0 < rates[-1] < 0.003
    assert {fit.Schedule(5, 8, 0.01, cosine=False).rate(i) for i in range(5)} == {0.01}


def test_changes_are_seeded_and_keep_shapes() -> None:
    x = np.random.default_rng(3).normal(0, 15, (40, 32, 12)).astype(np.float32)

    def changed(seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        return [augment.crop(x[0], 3, 20, 1.5, rng), augment.change(x, rng), augment.mask(x, rng)]

    first, again, other = changed(5), changed(5), changed(6)
    assert [(a.shape, a.dtype) for a in first] == [((32, 20), np.float32), (x.shape, np.float32), (x.shape, np.float32)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first[1:], other[1:], strict=True))
    hidden = first[2] == 0
    assert 0.02 < hidden.mean() < 0.9 and np.array_equal(first[2][~hidden], x[~hidden])


def test_a_change_is_one_gain_a_band_over_a_floor() -> None:
    x = np.random.default_rng(4).uniform(-20, 0, (20, 32, 12)).astype(np.float32)  # nothing near any floor
    gains = augment.change(x, np.random.default_rng(0)) - x
    assert np.ptp(gains, axis=2).max() < 1e-4
    assert np.abs(gains).max() > 3 and np.median(np.abs(np.diff(gains[:, :, 0], axis=1))) < 1  # smooth


def test_noise_adds_its_power() -> None:
    x = np.random.default_rng(4).uniform(-20, 0, (300, 32, 12)).astype(np.float32)
    noisy = augment.noisy(x, np.random.default_rng(1))
    power = 10 ** (x / 10)
    below = -10 * np.log10((10 ** (noisy / 10) - power).mean(axis=(1, 2)) / power.mean(axis=(1, 2)))
    assert (noisy > x - 1e-4).all() and noisy.dtype == np.float32
    assert 2.99 < below.min() < 5 and 28 < below.max() < 30.1


def test_narrow_bands_lose_their_ends_alone() -> None:
    x = np.random.default_rng(4).uniform(-20, 0, (300, 32, 12)).astype(np.float32)
    lost = (x - augment.cut_bands(x, np.random.default_rng(1))).min(axis=2)
    assert np.array_equal(lost[:, 5:16], np.zeros((300, 11)))  # the middle is always heard
    assert (lost >= 0).all() and (lost[:, -1] > 8).mean() > 0.5 and 0.2 < (lost[:, 0] > 8).mean() < 0.6


def test_a_telephone_leaves_its_band_alone_and_nothing_else() -> None:
    x = np.full((50, 128, 3), -20, dtype=np.float32)
    lost = (x - augment.telephone(x, np.random.default_rng(1)))[..., 0]
    assert not lost[:, 14:82].any() and (lost[:, [0, 7, 88, 127]] > 60).all()
    assert len({tuple(row > 0) for row in lost}) > 10


def test_roughening_leaves_some_as_they_are() -> None:
    x = np.random.default_rng(4).uniform(-20, 0, (300, 32, 12)).astype(np.float32)
    rough = augment.roughen(x, np.random.default_rng(1))
    same = (rough == x).all(axis=(1, 2))
    assert 0.35 < same.mean() < 0.55  # two thirds of two thirds
    assert np.array_equal(rough, augment.roughen(x, np.random.default_rng(1)))


def test_a_crop_goes_on_at_the_other_end() -> None:
    frames = np.arange(10, dtype=np.float32)[None] * np.ones((3, 1), dtype=np.float32)

    class Plain:
        def random(self) -> float:
            return 0.9  # neither speed nor pitch

    cropped = augment.crop(frames, 8, 4, 1, Plain())  # type: ignore[arg-type]
    assert cropped.tolist() == [[8, 9, 0, 1]] * 3
    assert augment.crop(frames, -2, 4, 2, Plain()).tolist() == [[8, 0, 2, 4]] * 3  # type: ignore[arg-type]


def test_mixup_blends_inputs_and_targets_alike() -> None:
    x = np.arange(50, dtype=np.float32)
    mixed, targets = augment.mixup(x[:, None, None], np.eye(50, dtype=np.float32), np.random.default_rng(0), 0.3)
    np.testing.assert_allclose(mixed[:, 0, 0], targets @ x, rtol=1e-4)
    assert 5 < (targets.max(axis=1) < 1).sum() < 30 and np.argmax(targets, axis=1).tolist() == list(range(50))


def some_tracks() -> tuple[list[Track], list[np.ndarray], np.ndarray]:
    """60 tracks of three genres and 20 artists; what a network says of each of 4 patches."""
    rng = np.random.default_rng(7)
    classes = np.repeat([0, 1, 2], 20)
    empty = np.empty((4, 0), dtype=np.float32)
    tracks = [Track(f"t{i}", "abc"[c], "", empty, f"artist {i // 3}") for i, c in enumerate(classes)]
    said = [rng.normal(size=(4, 6)) + 4 * np.eye(6)[c] for c in classes]
    return tracks, said, classes


def test_an_artist_is_in_one_fold() -> None:
    tracks, _, _ = some_tracks()
    fold = head.folds(tracks, 0)
    for genre in "abc":
        own = [(track.group, k) for track, k in zip(tracks, fold, strict=True) if track.genre == genre]
        assert len(set(own)) == len({group for group, _ in own})
        assert set(k for _, k in own) == set(range(head.FOLDS))
    assert not np.array_equal(fold, head.folds(tracks, 1))
    alone = [Track(t.name, t.genre, "", t.frames) for t in tracks]
    assert np.bincount(head.folds(alone, 0)).tolist() == [12] * head.FOLDS


def test_held_out_tracks_did_not_train_their_judge() -> None:
    tracks, said, classes = some_tracks()
    fold = head.folds(tracks, 0)
    right = head.held_out([said], classes, fold)
    assert np.mean([rows.mean(axis=0).argmax() == c for rows, c in zip(right, classes, strict=True)]) > 0.9
    # With one fold's labels moved on, only the other folds' judges change.
    moved = np.where(fold == 2, (classes + 1) % 3, classes)
    same = [np.array_equal(a, b) for a, b in zip(right, head.held_out([said], moved, fold), strict=True)]
    assert np.array_equal(same, fold == 2)


def test_copies_bear_what_they_show_and_judge_only_the_first() -> None:
    """A feature that noise spoils counts less once noisy copies are known; folds judge clean tracks."""
    _, said, classes = some_tracks()
    spoilt = [rows + 8 * np.random.default_rng(i).normal(size=(4, 1)) * np.eye(6)[0] for i, rows in enumerate(said)]
    alone, both = head.genre_layer([said], classes), head.genre_layer([said, spoilt], classes)
    assert np.abs(both.weights[0]).max() < 0.7 * np.abs(alone.weights[0]).max()
    fold = head.folds(some_tracks()[0], 0)
    judged = head.held_out([said, spoilt], classes, fold)
    layer = head.genre_layer(
        [[x for x, k in zip(c, fold, strict=True) if k != 0] for c in (said, spoilt)], classes[fold != 0]
    )
    first = int(np.flatnonzero(fold == 0)[0])
    np.testing.assert_array_equal(judged[first], layer(said[first]))


def test_a_genre_of_one_artist_is_refused_before_anything_is_heard() -> None:
    tracks, _, _ = some_tracks()
    head.check_groups(tracks)
    lonely = [replace(track, group="all") if track.genre == "b" else track for track in tracks]
    with pytest.raises(SystemExit, match="genre 'b': 20 tracks of one artist"):
        head.check_groups(lonely)


def test_what_is_held_out_is_not_heard(tmp_path: Path) -> None:
    """By name; by folder and name where other genres have files of that name."""
    tone = np.sin(np.arange(22050 * 3) / 9)
    for place in ("a/01", "a/02", "b/01", "b/02", "elsewhere/02", "elsewhere/odd"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / f"{place}.wav", tone, 22050)
    empty = np.empty((4, 0), dtype=np.float32)
    train = [Track("01", "a", "", empty), Track("02", "b", "", empty)]
    holdout = [Track("02", "a", "", empty), Track("01", "b", "", empty), Track("odd", "b", "", empty)]
    job = recipes.Job(ARCHITECTURES["edge"], ["a", "b"], 1, 0, tmp_path, listen=(tmp_path,))
    heard = [str(path.relative_to(tmp_path).with_suffix("")) for path in recipes._to_hear(job, train, holdout)]
    assert heard == ["a/01", "b/02", "elsewhere/02"]


def test_the_crowned_network_says_what_the_layer_says_of_it() -> None:
    _, said, classes = some_tracks()
    layer = head.beside(head.genre_layer([said], classes), head.not_music_layer(said[:40], said[40:]))
    inputs = keras.Input((5,))
    trunk = keras.Model(inputs, keras.layers.Dense(6)(keras.layers.Dense(8, "relu")(inputs)))
    keras.utils.clear_session()  # as in a process that has loaded it: names are given out anew
    x = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    np.testing.assert_allclose(head.crown(trunk, layer)(x), layer(np.asarray(trunk(x))), atol=1e-5)
    odds = [layer(rows).mean(axis=0)[-1] for rows in said]
    assert max(odds[:40]) < min(odds[40:])  # the third genre plays the noise


def residual_network() -> Any:
    """Two convolutions with normalisations that have seen other data, and a last layer."""
    layers = keras.layers
    inputs = keras.Input((8, 6, 1))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(5, 3, padding="same", use_bias=False)(inputs)))
    y = layers.BatchNormalization()(layers.Conv2D(5, 3, padding="same", use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(layers.Add()([x, y]))
    network = keras.Model(inputs, layers.Dense(3)(x))
    rng = np.random.default_rng(0)
    network.set_weights([rng.uniform(0.1, 1, w.shape) for w in network.get_weights()])
    return network


def test_an_awakened_network_says_the_same_and_knows_the_data() -> None:
    x = np.random.default_rng(1).normal(2, 3, (64, 8, 6, 1)).astype(np.float32)
    network = residual_network()
    before = np.asarray(network(x, training=False))
    unquantised.awaken(network, x)
    np.testing.assert_allclose(network(x, training=False), before, rtol=1e-4, atol=1e-4)
    # Only now do both modes agree: the statistics are this data's own.
    np.testing.assert_allclose(network(x, training=True), before, rtol=1e-3, atol=1e-3)


def test_a_new_last_layer_says_what_the_regression_says() -> None:
    x = np.random.default_rng(1).normal(size=(64, 8, 6, 1)).astype(np.float32)
    trunk = unquantised.trunk(residual_network())
    features = np.asarray(trunk(x))
    assert features.shape == (64, 5)
    regression = Ridge(alpha=0.1).fit(features, features[:, :2] ** 2)
    np.testing.assert_allclose(
        unquantised.with_last_layer(trunk, regression)(x), regression.predict(features), atol=1e-4
    )


def test_toughening_keeps_what_was_heard_and_bears_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that minds noise (its output is the level of the quietest band) learns to mind it less."""
    monkeypatch.setattr(toughen, "PATCHES", 600)
    monkeypatch.setattr(toughen, "WATCHED", 100)
    layers, rng = keras.layers, np.random.default_rng(0)
    edge = replace(ARCHITECTURES["edge"], patch_frames=6)
    inputs = keras.Input(edge.shape)
    hidden = layers.Dense(32, "relu")(layers.Flatten()(layers.AveragePooling2D((16, 3))(inputs)))
    network = keras.Model(inputs, layers.Dense(4)(hidden))
    said = network.get_weights()
    music = [[toughen.Music(rng.normal(-40, 12, (128, 1)) + rng.normal(0, 3, (128, 60)), step) for _ in range(8)]
             for step in (1, 2)]  # fmt: skip
    schedule = fit.Schedule(epochs=8, batch_size=50, learning_rate=3e-3)
    tough, history = toughen.toughen(network, "standard", music, edge, schedule, tmp_path, {}, seed=0)
    assert history[-1]["kept_noise"] > history[0]["kept_noise"] and history[-1]["loss"] < history[0]["loss"]
    assert history[-1]["kept_smooth"] > 0.5
    assert all(np.array_equal(a, b) for a, b in zip(said, network.get_weights(), strict=True))  # its own is untouched
    assert not np.array_equal(said[0], tough.get_weights()[0])


def test_two_genres_get_two_outputs() -> None:
    _, said, classes = some_tracks()
    layer = head.genre_layer([said[:40]], classes[:40])
    assert layer.weights.shape == (6, 2)
    np.testing.assert_allclose(layer(said[0]).sum(axis=1), 0, atol=1e-9)
    assert [layer(rows).mean(axis=0).argmax() for rows in said[:40]] == classes[:40].tolist()
