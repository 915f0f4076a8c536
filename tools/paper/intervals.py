"""Confidence intervals of accuracies with two-way clustering, by artist and by split.

An estimate is a mean of outcomes, or a difference of such means. Its variance is the variance over artists plus the
variance over splits, minus the variance over their intersections (Cameron, Gelbach and Miller 2011). Protocols share
artists, and networks may share splits: differences are paired in both.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tools.paper.results import Result

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of predictions; all arrays have one entry per prediction.

    Attributes:
        split: name of the split.
        artist: artist of the track.
        genre: true genre of the track.
        correct: share of methods that are correct, 0 to 1.
    """

    split: np.ndarray
    artist: np.ndarray
    genre: np.ndarray
    correct: np.ndarray


@dataclass(frozen=True)
class Summary:
    """Accuracy of one method under one protocol: mean and standard deviation over splits, 95 % interval, and mean
    training accuracy."""

    mean: float
    spread: float
    low: float
    high: float
    train_mean: float


def summary(results: list[Result]) -> Summary:
    """Summarise the results of one method under one protocol."""
    accuracies = np.array([result.accuracy for result in results])
    spread = float(accuracies.std(ddof=1)) if len(results) > 1 else 0.0
    estimate = accuracy(outcomes([results]))
    train_mean = float(np.mean([result.train_accuracy for result in results]))
    return Summary(estimate.value, spread, max(0.0, estimate.low), min(1.0, estimate.high), train_mean)


def outcomes(methods: list[list[Result]]) -> Outcomes:
    """Return the outcomes over one protocol's splits, averaged over methods."""
    first = methods[0]
    return Outcomes(
        np.concatenate([[f"{result.protocol}-{result.number}"] * len(result.true) for result in first]),
        np.concatenate([result.artists for result in first]),
        np.concatenate([result.true for result in first]),
        np.mean([np.concatenate([result.correct for result in results]) for results in methods], axis=0),
    )


def accuracy(x: Outcomes) -> Estimate:
    """Estimate the share of correct predictions."""
    return _estimate(float(x.correct.mean()), _influence(x.correct), x.artist, x.split)


def gap(before: Outcomes, after: Outcomes) -> Estimate:
    """Estimate the accuracy of `after` minus that of `before`, paired by artist and split."""
    influence = np.concatenate([-_influence(before.correct), _influence(after.correct)])
    artist, split = (np.concatenate([getattr(x, key) for x in (before, after)]) for key in ("artist", "split"))
    return _estimate(float(after.correct.mean() - before.correct.mean()), influence, artist, split)


def gap_within_genres(x: Outcomes, some: np.ndarray, others: np.ndarray) -> Estimate | None:
    """Estimate the difference in accuracy between `some` and `others`, two boolean masks, within genres.

    Genres are weighted after Mantel and Haenszel (1959). None if no genre has both.
    """
    value, total, influence = 0.0, 0.0, np.zeros(len(x.correct))
    for genre in np.unique(x.genre):
        a, b = (np.flatnonzero(mask & (x.genre == genre)) for mask in (some, others))
        if not len(a) or not len(b):
            continue
        weight = len(a) * len(b) / (len(a) + len(b))
        total += weight
        value += weight * float(x.correct[a].mean() - x.correct[b].mean())
        influence[a] += weight * _influence(x.correct[a])
        influence[b] -= weight * _influence(x.correct[b])
    return _estimate(value / total, influence / total, x.artist, x.split) if total else None


def _influence(correct: np.ndarray) -> np.ndarray:
    """Return the influence of each outcome on the mean."""
    return np.asarray((correct - correct.mean()) / len(correct))


def _estimate(value: float, influence: np.ndarray, artist: np.ndarray, split: np.ndarray) -> Estimate:
    of_artists, artists = _variance(influence, artist)
    of_splits, splits = _variance(influence, split)
    both, _ = _variance(influence, np.char.add(np.char.add(split.astype(str), "\n"), artist.astype(str)))
    variance = max(of_artists + of_splits - both, of_artists, of_splits)
    if variance == 0:
        return Estimate(value, value, value)
    # Satterthwaite's degrees of freedom, between those of splits and of artists.
    parts = [(v, n - 1) for v, n in ((of_artists, artists), (of_splits, splits)) if n > 1]
    dof = sum(v for v, _ in parts) ** 2 / sum(v * v / n for v, n in parts)
    half_width = float(stats.t.ppf((1 + LEVEL) / 2, dof)) * math.sqrt(variance)
    return Estimate(value, value - half_width, value + half_width)


def _variance(influence: np.ndarray, cluster: np.ndarray) -> tuple[float, int]:
    """Return the variance of the sum of influences under random sampling of clusters, and the number of clusters."""
    _, index = np.unique(cluster, return_inverse=True)
    sums = np.bincount(index, influence)
    n = len(sums)
    return (float((sums**2).sum()) * n / (n - 1) if n > 1 else 0.0), n
