"""The last layer: logistic regressions on a distilled network's mean outputs per track.

The mean over a track's patches is linear in the patches, so the regression becomes one dense layer on each patch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from sklearn.linear_model import LogisticRegression

from tools.training.data import Track

FOLDS = 5
CONSTANT = 1e-12  # variance relative to the squared mean up to which a feature is constant but for rounding


class Labelled(Protocol):
    """A song with a genre. Songs of one artist or album share a `group`; "" means that it is unknown."""

    @property
    def genre(self) -> str: ...
    @property
    def group(self) -> str: ...


Outputs = list[np.ndarray]  # a network's outputs for each track's patches, each (patches, features)


@dataclass(frozen=True)
class LinearLayer:
    """A linear layer whose outputs are log odds: weights `(features, outputs)`, bias `(outputs,)`."""

    weights: np.ndarray
    bias: np.ndarray

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Return log odds, `(k, outputs)`, of features `(k, features)`."""
        log_odds: np.ndarray = features @ self.weights + self.bias
        return log_odds

    def times(self, factor: float) -> LinearLayer:
        """Return the layer with its outputs multiplied by `factor`."""
        return LinearLayer(factor * self.weights, factor * self.bias)

    def plus(self, other: LinearLayer) -> LinearLayer:
        """Return the layer whose outputs are the sums of both layers' outputs."""
        return LinearLayer(self.weights + other.weights, self.bias + other.bias)


@dataclass(frozen=True)
class WeightedExamples:
    """Examples for a regression, each with a class and a weight.

    Attributes:
        features: `(k, features)`.
        classes: index of each example's label, `(k,)`.
        weight: `(k,)`.
    """

    features: np.ndarray
    classes: np.ndarray
    weight: np.ndarray

    @classmethod
    def of_shares(cls, features: np.ndarray, shares: np.ndarray, least_share: float = 0.0) -> WeightedExamples:
        """Return each row as an example of its classes, weighted by their shares.

        Args:
            features: `(k, features)`.
            shares: of the classes, `(k, classes)`; each row sums to 1.
            least_share: smaller shares are left out, but for a row's largest one.
        """
        kept = np.where(shares < np.minimum(least_share, shares.max(axis=1, keepdims=True)), 0.0, shares)
        kept /= kept.sum(axis=1, keepdims=True)
        classes, row = kept.T.nonzero()
        return cls(features[row], classes, kept[row, classes])

    def times(self, factor: float) -> WeightedExamples:
        """Return the examples with their weights multiplied by `factor`."""
        return replace(self, weight=factor * self.weight)


@dataclass(frozen=True)
class Regression:
    """Settings of a logistic regression.

    Attributes:
        c: inverse regularisation strength.
        balanced: whether `fit_genre_layer` gives the tracks of each genre the same weight together.
        least_deviation: features that deviate less are not scaled up to deviation 1 but by this one, relative to the
            root mean square of all deviations. Large weights of rare features would cost the others their int8 steps.
        dtype: precision of the fit (single precision with scikit-learn releases whose solver has it).
        scale: the deviation that each feature is scaled to, `(features,)`; None for 1. The weights of a feature with a
            smaller one are more strongly regularised.
    """

    c: float
    balanced: bool = False
    least_deviation: float = 0.0
    dtype: type[np.floating[Any]] = np.float64
    scale: np.ndarray | None = field(default=None, compare=False)


def fit_regression(
    x: np.ndarray, classes: np.ndarray, settings: Regression, weight: np.ndarray | None = None
) -> LinearLayer:
    """Fit the log odds of each class to features `(k, features)`; rows may have weights, `(k,)`."""
    weight = np.ones(len(x)) if weight is None else weight
    mean = np.average(x, axis=0, weights=weight)
    variance = np.average((x - mean) ** 2, axis=0, weights=weight)
    deviation = np.sqrt(np.where(variance > CONSTANT * mean**2, variance, 1.0))
    if settings.least_deviation:
        deviation = np.maximum(deviation, settings.least_deviation * np.sqrt(variance.mean()))
    if settings.scale is not None:
        deviation = deviation / settings.scale
    model = LogisticRegression(C=settings.c, max_iter=3000)
    model.fit(((x - mean) / deviation).astype(settings.dtype), classes, sample_weight=weight)
    weights = (model.coef_ / deviation).T
    return LinearLayer(weights, model.intercept_ - mean @ weights)


def check_groups(tracks: list[Track]) -> None:
    """Check that each genre has tracks of two artists, so that one can be left out in cross-validation.

    Raises:
        SystemExit: a genre has a single artist.
    """
    for genre in sorted({track.genre for track in tracks}):
        groups = [track.group or track.name for track in tracks if track.genre == genre]
        if len(set(groups)) < 2:
            raise SystemExit(f"genre {genre!r}: {len(groups)} tracks of one artist; at least two artists are needed")


def fit_genre_layer(
    copies: list[Outputs],
    classes: np.ndarray,
    settings: Regression,
    weight: np.ndarray | None = None,
    others: WeightedExamples | None = None,
) -> LinearLayer:
    """Fit the log odds of each class.

    Args:
        copies: for each track, outputs for its copies in several conditions.
        classes: index of each track's label, `(tracks,)`.
        settings: of the regression.
        weight: of each track, `(tracks,)`, of all its copies together; None for 1.
        others: examples beside the tracks; balancing the tracks does not change their weights.
    """
    n_copies = np.array([len(outputs) for outputs in copies])
    x = np.stack([rows.mean(axis=0) for outputs in copies for rows in outputs])
    y = np.repeat(classes, n_copies)
    each = np.repeat((1.0 if weight is None else weight) / n_copies, n_copies)
    if settings.balanced:
        totals = np.bincount(y, weights=each)
        each = each * each.sum() / np.count_nonzero(totals) / totals[y]
    if others:
        pairs = ((x, others.features), (y, others.classes), (each, others.weight))
        x, y, each = (np.concatenate(pair) for pair in pairs)
    layer = fit_regression(x, y, settings, each)
    if layer.weights.shape[1] > 1:
        return layer
    # Two classes have a single log odds; give half of it to one class and subtract half from the other.
    halves = np.array([-0.5, 0.5])
    return LinearLayer(layer.weights * halves, layer.bias * halves)


def concatenate(*layers: LinearLayer) -> LinearLayer:
    """Return one layer with the outputs of all layers."""
    return LinearLayer(np.concatenate([x.weights for x in layers], axis=1), np.concatenate([x.bias for x in layers]))


def folds(tracks: Sequence[Labelled], seed: int) -> np.ndarray:
    """Assign each track to a fold, 0 to FOLDS - 1: genres balanced, each artist (`group`) of a genre in one fold."""
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
            smallest = int(sizes.argmin())
            result[groups[names[k]]] = smallest
            sizes[smallest] += len(groups[names[k]])
    return result


def cross_validated_logits(
    copies: list[Outputs], fold: np.ndarray, fit: Callable[[np.ndarray], LinearLayer]
) -> list[np.ndarray]:
    """Return log odds of each track's first copy by the layer that is fitted without the track's fold.

    Args:
        copies: for each track, outputs for its copies in several conditions.
        fold: fold of each track, `(tracks,)`.
        fit: from the indices of tracks to the layer that is fitted to them.

    Returns:
        `(patches, classes)` for each track.
    """
    result: list[np.ndarray] = [np.empty(0)] * len(copies)
    for number in np.unique(fold):
        layer = fit(np.flatnonzero(fold != number))
        for i in np.flatnonzero(fold == number):
            result[i] = layer(copies[i][0])
    return result
