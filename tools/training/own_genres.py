"""Own genres: a new last layer on a bundle's features, fitted to a user's songs, measured, and written as a bundle."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from genre_edge.model import interpreter
from genre_edge.model.bundle import Bundle
from genre_edge.model.prediction import Model
from genre_edge.system import signals
from tools.training import head, report, tflite_head
from tools.training.embedding import Embedder
from tools.training.genre_folders import Song, without_few_groups
from tools.training.head import LinearLayer, Outputs, Regression

CANDIDATES = [Regression(10.0**e, balanced=True, least_deviation=0.5) for e in np.arange(-2.5, 0.6, 0.5)]
EARLY_SCALE = 0.35  # of features of early layers; docs/model.md has the accuracies of others
MARGIN = 1.3  # of the output's range over that of the songs' logits
MAX_TEMPERATURE = 900.0  # a bundle allows 1000
THRESHOLD, ABOVE_CHANCE = 0.33, 1.2  # the least confidence, and the least multiple of a guess's, that names a genre


@dataclass(frozen=True)
class GenreModel:
    """A last layer for some genres: logits, and the temperature that calibrates a song's mean probabilities."""

    layer: LinearLayer
    temperature: float
    c: float

    def probabilities(self, features: Outputs) -> np.ndarray:
        """Return the mean probabilities over each song's patches, `(songs, genres)`."""
        return report.track_means([self.layer(rows) for rows in features], self.temperature)


def features_of(songs: list[Song]) -> Outputs:
    """Return the features of each song."""
    return [song.embedding.features for song in songs]


def fit(songs: list[Song], labels: list[str], base: Embedder, seed: int) -> GenreModel:
    """Fit a last layer: every song has the same weight, and every genre the same prior probability.

    Regularisation and temperature have the highest likelihood in cross-validation.
    """
    copies, classes = [[rows] for rows in features_of(songs)], classes_of(songs, labels)
    fold = head.folds(without_few_groups(songs, 2)[0], seed)
    best = np.inf
    scale = feature_scale(tflite_head.last_layer(base.tflite).weights[:, len(base.bundle.labels) :])

    def layer(settings: Regression, train: np.ndarray) -> LinearLayer:
        return head.fit_genre_layer([copies[i] for i in train], classes[train], settings)

    for settings in (replace(candidate, scale=scale) for candidate in CANDIDATES):
        with threadpool_limits(1):  # more threads only wait for each other on matrices this small
            logits = head.cross_validated_logits(copies, fold, partial(layer, settings))
        temperature = report.fit_temperature(logits, classes)
        p = report.track_means(logits, temperature)
        loss = -np.log(p[np.arange(len(classes)), classes]).mean()
        if loss < best:
            best, chosen = loss, (settings, temperature)
    settings, temperature = chosen
    return GenreModel(layer(settings, np.arange(len(songs))), temperature, settings.c)


def feature_scale(others: np.ndarray) -> np.ndarray:
    """Return the scale of each feature in the regression: 1 for the embedding, less for features of early layers.

    A regression on few songs overfits these many features. Styles and sounds are linear in the embedding, so
    their weights for other features are 0.

    Args:
        others: weights of the styles and sounds, `(features, outputs)`; without outputs, all scales are 1.
    """
    return np.where(others.any(axis=1) | (others.shape[1] == 0), 1.0, EARLY_SCALE)


def classes_of(songs: list[Song], labels: list[str]) -> np.ndarray:
    """Return the index of each song's label, `(songs,)`."""
    return np.array([labels.index(song.genre) for song in songs])


def to_int8(base: Embedder, model: GenreModel, songs: list[Song]) -> tuple[bytes, float]:
    """Return (network, temperature): the base network with the new layer instead of its genres' outputs.

    The output's quantisation stays, so that the other outputs do. The logits are therefore scaled and shifted to fill
    its range; the temperature undoes the scale, and a shift of all genres changes no probability.
    """
    logits = np.concatenate([model.layer(rows) for rows in features_of(songs)])
    low, high = tflite_head.last_layer(base.tflite).outputs.limits
    gain = (high - low) / (MARGIN * max(np.ptp(logits), 1e-6))
    gain = min(gain, MAX_TEMPERATURE / model.temperature)
    shift = (low + high) / 2 - gain * (logits.min() + logits.max()) / 2
    weights, bias = gain * model.layer.weights, gain * model.layer.bias + shift
    network = tflite_head.replace_outputs(base.tflite, base.bundle.layout.labels, weights, bias)
    return network, round(gain * model.temperature, 4)


def int8_logits(tflite: bytes, n_labels: int, features: Outputs) -> Outputs:
    """Return the genre logits that the int8 network computes from features, `(patches, labels)` for each song."""
    quantisation = tflite_head.last_layer(tflite).features
    network = interpreter.create(tflite_head.only_last_layer(tflite))
    (source,), (sink,) = network.get_input_details(), network.get_output_details()
    scale, zero = sink["quantization"]

    def logits(row: np.ndarray) -> np.ndarray:
        stored = np.rint(row / quantisation.scale + quantisation.zero).astype(np.int8)
        network.set_tensor(source["index"], stored.reshape(source["shape"]))
        network.invoke()
        result: np.ndarray = (network.get_tensor(sink["index"])[0, :n_labels].astype(np.float64) - zero) * scale
        return result

    return [np.stack([logits(row) for row in rows]) for rows in features]


def predict(
    train: list[Song], test: list[Song], labels: list[str], base: Embedder, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fit to some songs and return the others' probabilities, `(songs, labels)`: of the int8 and of the float layer."""
    model = fit(train, labels, base, seed)
    tflite, temperature = to_int8(base, model, train)
    features = features_of(test)
    return report.track_means(int8_logits(tflite, len(labels), features), temperature), model.probabilities(features)


def measure(songs: list[Song], labels: list[str], base: Embedder, seed: int) -> dict[str, Any]:
    """Hold out each fifth of the songs in turn, fit to the others, and return the metrics of the int8 networks."""
    classes, fold = classes_of(songs, labels), head.folds(songs, seed)
    p, float_p = np.empty((len(songs), len(labels))), np.empty((len(songs), len(labels)))
    for number in np.unique(fold):
        own = np.flatnonzero(fold == number)
        train = [songs[i] for i in np.flatnonzero(fold != number)]
        p[own], float_p[own] = predict(train, [songs[i] for i in own], labels, base, seed)
    right = p.argmax(axis=1) == classes
    return {
        "holdout_split": "random fifths",
        "holdout": report.classification_metrics(
            labels, [song.genre for song in songs], [labels[i] for i in p.argmax(axis=1)]
        ),
        "fifths": [round(float(right[fold == number].mean()), 4) for number in np.unique(fold)],
        "float_accuracy": round(float((float_p.argmax(axis=1) == classes).mean()), 4),
        "int8_agreement": round(float((float_p.argmax(axis=1) == p.argmax(axis=1)).mean()), 4),
        "calibration_error": report.calibration_error(p, classes),
        "calibration_error_by_chance": report.calibration_error_by_chance(p)[0],
        "reliability": report.reliability(p, classes),
        **report.coverage(p, classes, threshold(len(labels))),
    }


def threshold(n_labels: int) -> float:
    """Return the confidence below which no genre is named: more than a guess among few genres has."""
    return round(max(THRESHOLD, ABOVE_CHANCE / n_labels), 2)


def build(songs: list[Song], labels: list[str], base: Embedder, seed: int) -> tuple[Bundle, bytes]:
    """Fit the last layer to all songs and return the bundle, with the base's texts and no metrics, and its network."""
    model = fit(songs, labels, base, seed)
    tflite, temperature = to_int8(base, model, songs)
    origin = {"name": base.bundle.name, "version": base.bundle.version, "sha256": base.bundle.sha256}
    bundle = replace(
        base.bundle,
        labels=labels,
        temperature=temperature,
        threshold=threshold(len(labels)),
        metrics={"base": origin, "regularisation": model.c},
        sha256=hashlib.sha256(tflite).hexdigest(),
    )
    return bundle, tflite


def save(bundle: Bundle, tflite: bytes, card: str, directory: Path) -> None:
    """Write a bundle's directory as a whole, after a check that it can be loaded.

    An earlier bundle at that place is replaced at the end.

    Raises:
        ModelError: the bundle cannot be loaded.
        OSError: it cannot be written.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bundle-", dir=directory.parent) as folder:
        new, old = Path(folder) / "new", Path(folder) / "old"
        bundle.save(new, tflite, card)
        Model(new)
        with signals.blocked():
            if directory.exists():
                directory.rename(old)
            new.rename(directory)
