"""The last layer, in closed form: logistic regressions on what a distilled network says of whole tracks.

The mean of what it says of a track's patches is linear in the patches, so the regression becomes one dense layer.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tools.training.data import Track

# Inverse strength of regularisation; for genres the likeliest on artist-disjoint folds of the training tracks.
GENRE_C, MUSIC_C = 0.01, 0.03
FOLDS = 5


@dataclass(frozen=True)
class Layer:
    """`features @ weights + bias` are log odds."""

    weights: np.ndarray
    bias: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        return features @ self.weights + self.bias


def _regression(means: np.ndarray, classes: np.ndarray, c: float, weight: str | None = None) -> Layer:
    scaler = StandardScaler().fit(means)
    model = LogisticRegression(C=c, max_iter=3000, class_weight=weight).fit(scaler.transform(means), classes)
    weights = (model.coef_ / scaler.scale_).T
    return Layer(weights, model.intercept_ - scaler.mean_ @ weights)


def check_groups(tracks: list[Track]) -> None:
    """Each genre must stay known when one of its artists is left out. Raises SystemExit."""
    for genre in sorted({track.genre for track in tracks}):
        groups = [track.group or track.name for track in tracks if track.genre == genre]
        if len(set(groups)) < 2:
            raise SystemExit(f"genre {genre!r}: {len(groups)} tracks of one artist; two artists are needed")


def genre_layer(copies: list[list[np.ndarray]], classes: np.ndarray) -> Layer:
    """Log odds of each class; `copies[k][i]` is what the network says of track i's patches, `(patches, features)`.

    The copies are the same tracks in other conditions, together worth as much as one.
    """
    means = np.stack([rows.mean(axis=0) for said in copies for rows in said])
    layer = _regression(means, np.tile(classes, len(copies)), GENRE_C / len(copies))
    if layer.weights.shape[1] > 1:
        return layer
    # Two classes have one decision: half of it for one, half against the other.
    both = np.array([-0.5, 0.5])
    return Layer(layer.weights * both, layer.bias * both)


def not_music_layer(music: list[np.ndarray], rest: list[np.ndarray]) -> Layer:
    """Log odds that something is no music, if both were equally common."""
    means = np.stack([rows.mean(axis=0) for rows in (*music, *rest)])
    return _regression(means, np.repeat([0, 1], [len(music), len(rest)]), MUSIC_C, "balanced")


def beside(*layers: Layer) -> Layer:
    """One layer with the outputs of all."""
    return Layer(np.concatenate([x.weights for x in layers], axis=1), np.concatenate([x.bias for x in layers]))


def crown(network: Any, layer: Layer) -> Any:
    """`network` with its last dense layer and `layer` in one."""
    import keras

    last = network.layers[-1]
    weights, bias = last.get_weights()
    # With a name of its own: those that Keras makes up may be taken in a network that was loaded.
    head = keras.layers.Dense(layer.weights.shape[1], name="crown")
    crowned = keras.Model(network.input, head(last.input))
    head.set_weights([weights @ layer.weights, bias @ layer.weights + layer.bias])
    return crowned


def folds(tracks: list[Track], seed: int) -> np.ndarray:
    """The fold of each track, 0 to FOLDS - 1: genres spread evenly, a genre's artist (`group`) in one fold only."""
    rng = np.random.default_rng(seed)
    result = np.empty(len(tracks), dtype=int)
    for genre in sorted({track.genre for track in tracks}):
        groups: dict[str, list[int]] = {}
        for i, track in enumerate(tracks):
            if track.genre == genre:
                groups.setdefault(track.group or f"alone {i}", []).append(i)
        sizes = np.zeros(FOLDS, dtype=int)
        names = list(groups)
        for k in sorted(rng.permutation(len(names)), key=lambda k: -len(groups[names[k]])):
            emptiest = int(sizes.argmin())
            result[groups[names[k]]] = emptiest
            sizes[emptiest] += len(groups[names[k]])
    return result


def held_out(copies: list[list[np.ndarray]], classes: np.ndarray, fold: np.ndarray) -> list[np.ndarray]:
    """Log odds of the patches of each track's first copy, by the regression that was fitted without its fold."""
    result: list[np.ndarray] = [np.empty(0)] * len(classes)
    for number in np.unique(fold):
        known = np.flatnonzero(fold != number)
        layer = genre_layer([[said[i] for i in known] for said in copies], classes[known])
        for i in np.flatnonzero(fold == number):
            result[i] = layer(copies[0][i])
    return result
