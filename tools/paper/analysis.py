"""Analysis of the results: confusions, known faults, and leaks of random splits."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from genre_edge.mel.spectrogram import Frames
from genre_edge.model.preprocessing import normalise
from tools.paper import intervals
from tools.paper.intervals import Estimate
from tools.paper.protocols import Split
from tools.paper.results import Result
from tools.training.architectures import ARCHITECTURES
from tools.training.data import Track

# Related genres, by audience, instruments or history.
FAMILIES = (("blues", "country", "metal", "rock"), ("disco", "hiphop", "pop", "reggae"), ("classical", "jazz"))


def scaled(frames: Frames) -> Frames:
    """Scale a spectrogram in dB, `(n_mels, n)`, to 0..1 like the input of the paper's CNN."""
    return normalise(
        frames, ARCHITECTURES["paper"].normalisation, ARCHITECTURES["paper"].top_db, ARCHITECTURES["paper"].mel
    )


def correlation(tracks: list[Track], labels: list[str]) -> np.ndarray:
    """Correlate the genres' mean scaled mel spectra over bands, after subtracting their mean: `(genres, genres)`."""
    own = [[scaled(track.frames).mean(axis=1) for track in tracks if track.genre == genre] for genre in labels]
    means = np.stack([np.mean(rows, axis=0) for rows in own])
    return np.asarray(np.corrcoef(means - means.mean(axis=0)))


def confusion(results: list[Result], labels: list[str]) -> np.ndarray:
    """Count predictions over all splits: `(genres, genres)`, rows true, columns predicted."""
    table = np.zeros((len(labels), len(labels)), dtype=int)
    for result in results:
        for true, predicted in zip(result.true, result.predicted, strict=True):
            table[labels.index(true), labels.index(predicted)] += 1
    return table


def most_confused(table: np.ndarray, labels: list[str], count: int = 5) -> list[tuple[str, str, float]]:
    """Return (genre, predicted as, share of the genre's tracks), largest share first."""
    share = table / np.maximum(1, table.sum(axis=1, keepdims=True))
    np.fill_diagonal(share, 0)
    order = np.argsort(-share, axis=None, kind="stable")[:count]
    return [(labels[k // len(labels)], labels[k % len(labels)], float(share.flat[k])) for k in order if share.flat[k]]


def lowest_recall(table: np.ndarray, labels: list[str], count: int = 3) -> list[tuple[str, float]]:
    """Return (genre, recall), lowest recall first."""
    recall = table.diagonal() / np.maximum(1, table.sum(axis=1))
    return [(labels[i], float(recall[i])) for i in np.argsort(recall, kind="stable")[:count]]


def within_families(table: np.ndarray, labels: list[str]) -> tuple[float, float]:
    """Return the share of errors within a family, and the share if errors were distributed evenly over other genres."""
    family = [next((k for k, names in enumerate(FAMILIES) if label in names), -1 - i) for i, label in enumerate(labels)]
    errors = table * (1 - np.eye(len(labels), dtype=int))
    related = np.array([[a == b for b in family] for a in family]) & ~np.eye(len(labels), dtype=bool)
    evenly = errors.sum(axis=1) @ related.sum(axis=1) / (len(labels) - 1)
    total = max(1, errors.sum())
    return float(errors[related].sum() / total), float(evenly / total)


def describe_faults(genres: Iterable[str], known: dict[str, int]) -> str:
    """Describe the known faults of some genres; `known` is the number of tracks with faults by genre."""
    counts = ", ".join(f"{genre} {known[genre]}" for genre in genres if known.get(genre))
    return f"known faults: {counts}" if counts else "no known faults"


FAULTY, SAME, OTHER, UNKNOWN = (
    "has known faults or replicas",
    "is by an artist of the training set",
    "is by another artist",
    "has no known artist",
)


@dataclass(frozen=True)
class Leak:
    """Accuracy on test tracks of one kind.

    Attributes:
        kind: FAULTY, SAME, OTHER or UNKNOWN.
        tracks: number of predictions.
        correct: accuracy.
        gap: difference in accuracy from OTHER within genres; None for OTHER, or if no genre has both kinds.
    """

    kind: str
    tracks: int
    correct: float
    gap: Estimate | None


def leaks(pairs: Iterable[tuple[Split, Result]]) -> list[Leak]:
    """Group test tracks by their relation to the training set and return the accuracy on each group."""
    pairs = list(pairs)
    kinds = np.concatenate([_kinds(split) for split, _ in pairs])
    outcomes = intervals.outcomes([[result for _, result in pairs]])
    return [
        Leak(
            kind,
            int((kinds == kind).sum()),
            float(outcomes.correct[kinds == kind].mean()),
            None if kind == OTHER else intervals.gap_within_genres(outcomes, kinds == kind, kinds == OTHER),
        )
        for kind in (FAULTY, SAME, OTHER, UNKNOWN)
        if (kinds == kind).any()
    ]


def _kinds(split: Split) -> np.ndarray:
    artists = {track.group for track in split.train if track.group}
    return np.array(
        [
            FAULTY if track.split == "excluded" else UNKNOWN if not track.group
            else SAME if track.group in artists else OTHER
            for track in split.test
        ]
    )  # fmt: skip
