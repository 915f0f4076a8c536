"""What the results mean: which genres are confused, and what random splits give away."""

from collections.abc import Iterable

import numpy as np
from training.architectures import ARCHITECTURES
from training.data import Track
from training.examples import TOP_DB

from genre_edge.mel import Frames
from genre_edge.model import normalise
from reproduction.protocols import Split
from reproduction.results import Result

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
    return [(labels[k // len(labels)], labels[k % len(labels)], float(share.flat[k])) for k in order]


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


def leaks(pairs: Iterable[tuple[Split, Result]]) -> dict[str, tuple[int, float]]:
    """By what a test track has in its training half: how many there are, and the share told right."""
    found: dict[str, list[bool]] = {"has known faults or replicas": [], "is by an artist of the training half": [],
                                    "is by another artist": [], "is by nobody known": []}  # fmt: skip
    for split, result in pairs:
        artists = {track.group for track in split.train if track.group}
        for track, said in zip(split.test, result.predicted, strict=True):
            if track.split == "excluded":
                kind = "has known faults or replicas"
            elif not track.group:
                kind = "is by nobody known"
            else:
                kind = "is by an artist of the training half" if track.group in artists else "is by another artist"
            found[kind].append(said == track.genre)
    return {kind: (len(right), float(np.mean(right))) for kind, right in found.items() if right}
