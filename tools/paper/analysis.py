"""What the results mean: which genres are confused, and what random splits give away."""

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
from tools.training.examples import TOP_DB

# Genres that share listeners, instruments or descent.
FAMILIES = (("blues", "country", "metal", "rock"), ("disco", "hiphop", "pop", "reggae"), ("classical", "jazz"))


def scaled(frames: Frames) -> Frames:
    """A spectrogram as the paper's CNN sees it, 0 to 1."""
    return normalise(frames, ARCHITECTURES["paper"].normalisation, TOP_DB)


def correlation(tracks: list[Track], labels: list[str]) -> np.ndarray:
    """Of the genres' mean scaled mel spectra, less the mean of all genres, over the bands: `(genres, genres)`."""
    own = [[scaled(track.frames).mean(axis=1) for track in tracks if track.genre == genre] for genre in labels]
    means = np.stack([np.mean(rows, axis=0) for rows in own])
    return np.asarray(np.corrcoef(means - means.mean(axis=0)))


def confusion(results: list[Result], labels: list[str]) -> np.ndarray:
    """Counts over the splits, rows true, columns predicted."""
    table = np.zeros((len(labels), len(labels)), dtype=int)
    for result in results:
        for true, said in zip(result.true, result.predicted, strict=True):
            table[labels.index(true), labels.index(said)] += 1
    return table


def most_confused(table: np.ndarray, labels: list[str], count: int = 5) -> list[tuple[str, str, float]]:
    """(genre, heard as, share of the genre's tracks), the largest first."""
    share = table / np.maximum(1, table.sum(axis=1, keepdims=True))
    np.fill_diagonal(share, 0)
    order = np.argsort(-share, axis=None, kind="stable")[:count]
    return [(labels[k // len(labels)], labels[k % len(labels)], float(share.flat[k])) for k in order if share.flat[k]]


def lowest_recall(table: np.ndarray, labels: list[str], count: int = 3) -> list[tuple[str, float]]:
    """(genre, recall), the lowest first."""
    recall = table.diagonal() / np.maximum(1, table.sum(axis=1))
    return [(labels[i], float(recall[i])) for i in np.argsort(recall, kind="stable")[:count]]


def within_families(table: np.ndarray, labels: list[str]) -> tuple[float, float]:
    """(share of the errors that stay in the family, the share if each error fell evenly on the other genres)."""
    family = [next((k for k, names in enumerate(FAMILIES) if label in names), -1 - i) for i, label in enumerate(labels)]
    errors = table * (1 - np.eye(len(labels), dtype=int))
    related = np.array([[a == b for b in family] for a in family]) & ~np.eye(len(labels), dtype=bool)
    evenly = errors.sum(axis=1) @ related.sum(axis=1) / (len(labels) - 1)
    total = max(1, errors.sum())
    return float(errors[related].sum() / total), float(evenly / total)


def faults(genres: Iterable[str], known: dict[str, int]) -> str:
    """What is known of these genres' faults, in words. `known`: tracks with faults, by genre."""
    found = ", ".join(f"{genre} {known[genre]}" for genre in genres if known.get(genre))
    return f"known faults: {found}" if found else "no known faults"


FAULTY, SAME, OTHER, NOBODY = (
    "has known faults or replicas",
    "is by an artist of the training half",
    "is by another artist",
    "is by nobody known",
)


@dataclass(frozen=True)
class Leak:
    """Test tracks of one kind: how many, the share told right, and how much more often than OTHER in their genre."""

    kind: str
    tracks: int
    right: float
    gap: Estimate | None


def leaks(pairs: Iterable[tuple[Split, Result]]) -> list[Leak]:
    """By what a test track has in its training half."""
    pairs = list(pairs)
    kinds = np.concatenate([_kinds(split) for split, _ in pairs])
    answers = intervals.answers([[result for _, result in pairs]])
    return [
        Leak(
            kind,
            int((kinds == kind).sum()),
            float(answers.right[kinds == kind].mean()),
            None if kind == OTHER else intervals.gap_within_genres(answers, kinds == kind, kinds == OTHER),
        )
        for kind in (FAULTY, SAME, OTHER, NOBODY)
        if (kinds == kind).any()
    ]


def _kinds(split: Split) -> np.ndarray:
    artists = {track.group for track in split.train if track.group}
    return np.array(
        [
            FAULTY if track.split == "excluded" else NOBODY if not track.group
            else SAME if track.group in artists else OTHER
            for track in split.test
        ]
    )  # fmt: skip
