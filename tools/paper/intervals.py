"""Intervals that know that tracks come in artists, and that a method learns anew on each split.

A figure is a mean of answers, or a difference of such means. Its variance is that over artists and that over splits,
less what both count (clusters in two ways: Cameron, Gelbach and Miller 2011). Two protocols share artists, and two
networks on the same splits share these, too: differences are paired in both.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tools.paper.results import Result

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Answers:
    """One entry an answer: its split, the artist and the genre of its track, and how right it is, 0 to 1."""

    split: np.ndarray
    artist: np.ndarray
    genre: np.ndarray
    right: np.ndarray


@dataclass(frozen=True)
class Summary:
    """The mean over the splits of one protocol, their spread, and a 95 % interval."""

    mean: float
    spread: float
    low: float
    high: float
    train_mean: float


def summary(results: list[Result]) -> Summary:
    """Of one method under one protocol."""
    accuracies = np.array([result.accuracy for result in results])
    spread = float(accuracies.std(ddof=1)) if len(results) > 1 else 0.0
    found = accuracy(answers([results]))
    learnt = float(np.mean([result.train_accuracy for result in results]))
    return Summary(found.value, spread, max(0.0, found.low), min(1.0, found.high), learnt)


def answers(methods: list[list[Result]]) -> Answers:
    """Of one protocol's splits; of several methods, how many of them are right."""
    first = methods[0]
    return Answers(
        np.concatenate([[f"{result.protocol}-{result.number}"] * len(result.true) for result in first]),
        np.concatenate([result.artists for result in first]),
        np.concatenate([result.true for result in first]),
        np.mean([np.concatenate([result.right for result in results]) for results in methods], axis=0),
    )


def accuracy(x: Answers) -> Estimate:
    """The share of answers that are right."""
    return _estimate(float(x.right.mean()), _influence(x.right), x.artist, x.split)


def gap(before: Answers, after: Answers) -> Estimate:
    """By how much `after` is more often right."""
    influence = np.concatenate([-_influence(before.right), _influence(after.right)])
    artist, split = (np.concatenate([getattr(x, key) for x in (before, after)]) for key in ("artist", "split"))
    return _estimate(float(after.right.mean() - before.right.mean()), influence, artist, split)


def gap_within_genres(x: Answers, some: np.ndarray, others: np.ndarray) -> Estimate | None:
    """By how much answers to `some` tracks are more often right than those to `others` of the same genre.

    Genres weigh as much as they can tell (Mantel and Haenszel); None if no genre has both.
    """
    value, total, influence = 0.0, 0.0, np.zeros(len(x.right))
    for genre in np.unique(x.genre):
        a, b = (np.flatnonzero(mask & (x.genre == genre)) for mask in (some, others))
        if not len(a) or not len(b):
            continue
        weight = len(a) * len(b) / (len(a) + len(b))
        total += weight
        value += weight * float(x.right[a].mean() - x.right[b].mean())
        influence[a] += weight * _influence(x.right[a])
        influence[b] -= weight * _influence(x.right[b])
    return _estimate(value / total, influence / total, x.artist, x.split) if total else None


def _influence(right: np.ndarray) -> np.ndarray:
    """Of each answer on the mean."""
    return (right - right.mean()) / len(right)


def _estimate(value: float, influence: np.ndarray, artist: np.ndarray, split: np.ndarray) -> Estimate:
    of_artists, artists = _variance(influence, artist)
    of_splits, splits = _variance(influence, split)
    both, _ = _variance(influence, np.char.add(np.char.add(split.astype(str), "\n"), artist.astype(str)))
    variance = max(of_artists + of_splits - both, of_artists, of_splits)
    if variance == 0:
        return Estimate(value, value, value)
    # Satterthwaite's: between the freedom of few splits and that of many artists.
    parts = [(v, n - 1) for v, n in ((of_artists, artists), (of_splits, splits)) if n > 1]
    freedom = sum(v for v, _ in parts) ** 2 / sum(v * v / n for v, n in parts)
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * math.sqrt(variance)
    return Estimate(value, value - half, value + half)


def _variance(influence: np.ndarray, cluster: np.ndarray) -> tuple[float, int]:
    """Of the sum of all influences if clusters are what was drawn at random; and how many there are."""
    _, index = np.unique(cluster, return_inverse=True)
    sums = np.bincount(index, influence)
    n = len(sums)
    return (float((sums**2).sum()) * n / (n - 1) if n > 1 else 0.0), n
