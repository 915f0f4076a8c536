"""Parts of the training recipes: training loop, head, batch normalisation, fine-tuning."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from sklearn.linear_model import Ridge

from tools.training import fit, float_network, head, recipes, robust_finetune
from tools.training.architectures import ARCHITECTURES
from tools.training.data import Track

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


def test_cross_validated_logits_exclude_own_fold() -> None:
    """A track's logits do not depend on the labels of its own fold."""
    tracks, outputs, classes = some_tracks()
    fold = head.folds(tracks, 0)
    logits = head.cross_validated_logits([outputs], classes, fold)
    assert np.mean([rows.mean(axis=0).argmax() == c for rows, c in zip(logits, classes, strict=True)]) > 0.9
    # After a change of one fold's labels, only the logits of the other folds change.
    moved = np.where(fold == 2, (classes + 1) % 3, classes)
    same = [
        np.array_equal(a, b) for a, b in zip(logits, head.cross_validated_logits([outputs], moved, fold), strict=True)
    ]
    assert np.array_equal(same, fold == 2)


def test_genre_layer_with_degraded_copies() -> None:
    """A feature that is unreliable in noisy copies gets less weight; only the first copy is evaluated."""
    _, outputs, classes = some_tracks()
    noisy = [rows + 8 * np.random.default_rng(i).normal(size=(4, 1)) * np.eye(6)[0] for i, rows in enumerate(outputs)]
    clean_only = head.fit_genre_layer([outputs], classes)
    both = head.fit_genre_layer([outputs, noisy], classes)
    assert np.abs(both.weights[0]).max() < 0.7 * np.abs(clean_only.weights[0]).max()
    fold = head.folds(some_tracks()[0], 0)
    logits = head.cross_validated_logits([outputs, noisy], classes, fold)
    layer = head.fit_genre_layer(
        [[x for x, k in zip(c, fold, strict=True) if k != 0] for c in (outputs, noisy)], classes[fold != 0]
    )
    first = int(np.flatnonzero(fold == 0)[0])
    np.testing.assert_array_equal(logits[first], layer(outputs[first]))


def test_check_groups_single_artist() -> None:
    """A genre whose tracks are all by one artist is refused."""
    tracks, _, _ = some_tracks()
    head.check_groups(tracks)
    single = [replace(track, group="all") if track.genre == "b" else track for track in tracks]
    with pytest.raises(SystemExit, match="genre 'b': 20 tracks of one artist"):
        head.check_groups(single)


def test_training_audio_excludes_holdout(tmp_path: Path) -> None:
    """Held-out files are excluded by name, or by folder and name where several genres have a file of that name."""
    tone = np.sin(np.arange(22050 * 3) / 9)
    for place in ("a/01", "a/02", "b/01", "b/02", "elsewhere/02", "elsewhere/odd"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / f"{place}.wav", tone, 22050)
    empty = np.empty((4, 0), dtype=np.float32)
    train = [Track("01", "a", "", empty), Track("02", "b", "", empty)]
    holdout = [Track("02", "a", "", empty), Track("01", "b", "", empty), Track("odd", "b", "", empty)]
    job = recipes.TrainingJob(ARCHITECTURES["edge"], ["a", "b"], 1, 0, tmp_path, listen=(tmp_path,))
    paths = recipes._training_audio(job, train, holdout)
    assert [str(path.relative_to(tmp_path).with_suffix("")) for path in paths] == ["a/01", "b/02", "elsewhere/02"]


@pytest.mark.train
def test_attach_head() -> None:
    """The merged network gives the layer's outputs for the network's outputs."""
    import keras

    _, outputs, classes = some_tracks()
    layer = head.concatenate(
        head.fit_genre_layer([outputs], classes), head.fit_not_music_layer(outputs[:40], outputs[40:])
    )
    inputs = keras.Input((5,))
    network = keras.Model(inputs, keras.layers.Dense(6)(keras.layers.Dense(8, "relu")(inputs)))
    keras.utils.clear_session()  # automatic names start again, as in a process that has loaded the network
    x = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    np.testing.assert_allclose(head.attach_head(network, layer)(x), layer(np.asarray(network(x))), atol=1e-5)
    odds = [layer(rows).mean(axis=0)[-1] for rows in outputs]
    assert max(odds[:40]) < min(odds[40:])  # the third genre stands in for non-music


def residual_network() -> Any:
    """Return a residual network whose batch normalisations have statistics of other data."""
    import keras

    layers = keras.layers
    inputs = keras.Input((8, 6, 1))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(5, 3, padding="same", use_bias=False)(inputs)))
    y = layers.BatchNormalization()(layers.Conv2D(5, 3, padding="same", use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(layers.Add()([x, y]))
    network = keras.Model(inputs, layers.Dense(3)(x))
    rng = np.random.default_rng(0)
    network.set_weights([rng.uniform(0.1, 1, w.shape) for w in network.get_weights()])
    return network


@pytest.mark.train
def test_recalibrate_batchnorm() -> None:
    """The outputs stay the same, and the moving statistics become those of the data."""
    x = np.random.default_rng(1).normal(2, 3, (64, 8, 6, 1)).astype(np.float32)
    network = residual_network()
    before = np.asarray(network(x, training=False))
    float_network.recalibrate_batchnorm(network, x)
    np.testing.assert_allclose(network(x, training=False), before, rtol=1e-4, atol=1e-4)
    # Training and inference mode agree, because the statistics are those of this data.
    np.testing.assert_allclose(network(x, training=True), before, rtol=1e-3, atol=1e-3)


@pytest.mark.train
def test_with_linear_head() -> None:
    """The network with a new last layer gives the regression's predictions."""
    x = np.random.default_rng(1).normal(size=(64, 8, 6, 1)).astype(np.float32)
    backbone = float_network.backbone(residual_network())
    features = np.asarray(backbone(x))
    assert features.shape == (64, 5)
    regression = Ridge(alpha=0.1).fit(features, features[:, :2] ** 2)
    np.testing.assert_allclose(
        float_network.with_linear_head(backbone, regression)(x), regression.predict(features), atol=1e-4
    )


@pytest.mark.train
def test_robust_finetune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fine-tuning makes a random network less sensitive to noise and leaves the original network unchanged."""
    import keras

    monkeypatch.setattr(robust_finetune, "PATCHES_PER_EPOCH", 600)
    monkeypatch.setattr(robust_finetune, "VALIDATION_PATCHES", 100)
    layers, rng = keras.layers, np.random.default_rng(0)
    edge = replace(ARCHITECTURES["edge"], patch_frames=6)
    inputs = keras.Input(edge.shape)
    hidden = layers.Dense(32, "relu")(layers.Flatten()(layers.AveragePooling2D((16, 3))(inputs)))
    network = keras.Model(inputs, layers.Dense(4)(hidden))
    before = network.get_weights()
    sources = [
        [robust_finetune.Recording(rng.normal(-40, 12, (128, 1)) + rng.normal(0, 3, (128, 60)), step) for _ in range(8)]
        for step in (1, 2)
    ]
    schedule = fit.Schedule(epochs=8, batch_size=50, learning_rate=3e-3)
    finetuned, history = robust_finetune.robust_finetune(
        network, "standard", sources, edge, schedule, tmp_path, {}, seed=0
    )
    assert history[-1]["kept_noise"] > history[0]["kept_noise"] and history[-1]["loss"] < history[0]["loss"]
    assert history[-1]["kept_smooth"] > 0.5
    assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))
    assert not np.array_equal(before[0], finetuned.get_weights()[0])


def test_genre_layer_of_two_genres() -> None:
    """Two genres have two outputs with opposite signs."""
    _, outputs, classes = some_tracks()
    layer = head.fit_genre_layer([outputs[:40]], classes[:40])
    assert layer.weights.shape == (6, 2)
    np.testing.assert_allclose(layer(outputs[0]).sum(axis=1), 0, atol=1e-9)
    assert [layer(rows).mean(axis=0).argmax() for rows in outputs[:40]] == classes[:40].tolist()
