"""Patches of labelled tracks: for inference as the classifier cuts them, for training at random positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from genre_edge.classify.patches import PatchExtractor
from genre_edge.mel.spectrogram import Frames
from genre_edge.model.bundle import Bundle
from genre_edge.model.preprocessing import normalise, softmax
from tools.training.architectures import Architecture
from tools.training.data import Track
from tools.training.fit import EpochData

Network = Callable[[np.ndarray], Any]  # normalised patches (k, n_mels, n, 1) -> outputs (k, n_outputs)

_BATCH = 32


def cut_patches(frames: Frames, lengths: Architecture | Bundle) -> list[Frames]:
    """Cut a track's frames, `(n_mels, n)`, into patches `(n_mels, patch_frames)` as the classifier does."""
    extractor = PatchExtractor(frames.shape[0], lengths.patch_frames, lengths.hop_frames)
    return [patch for _, patch in (*extractor.push(frames), *extractor.flush())]


def normalise_patches(patches: np.ndarray | list[Frames], expected: Architecture | Bundle) -> np.ndarray:
    """Normalise patches in dB, `(k, n_mels, n)`, as a network expects: `(k, n_mels, n, 1)`."""
    return np.stack([_normalise(patch, expected) for patch in patches])[..., None]


def _normalise(patch: Frames, expected: Architecture | Bundle) -> Frames:
    return normalise(patch, expected.normalisation, expected.top_db, expected.mel)


def track_patches(frames: Frames, architecture: Architecture) -> np.ndarray:
    """Return all normalised patches of a track, `(k, n_mels, patch_frames, 1)`."""
    return normalise_patches(cut_patches(frames, architecture), architecture)


def track_outputs(network: Network, tracks: list[Frames], architecture: Architecture) -> list[np.ndarray]:
    """Return a network's float outputs for each track's patches, each `(patches, outputs)`."""
    patches = [track_patches(frames, architecture) for frames in tracks]
    outputs = predict_in_batches(network, np.concatenate(patches))
    return np.split(outputs, np.cumsum([len(part) for part in patches])[:-1])


def predict_in_batches(network: Network, x: np.ndarray) -> np.ndarray:
    """Return a network's float outputs, `(k, outputs)`, for normalised patches `(k, n_mels, n, 1)`."""
    return np.concatenate([np.asarray(network(x[i : i + _BATCH])) for i in range(0, len(x), _BATCH)])


def track_probabilities(network: Network, tracks: list[Track], architecture: Architecture, n_labels: int) -> np.ndarray:
    """Return the mean softmax over each track's patches in float, `(tracks, labels)`."""
    outputs = track_outputs(network, [track.frames for track in tracks], architecture)
    return np.stack([softmax(rows[:, :n_labels]).mean(axis=0) for rows in outputs])


def accuracy(p: np.ndarray, tracks: list[Track], labels: list[str]) -> float:
    """Return the share of tracks whose most probable label is correct; `p` is `(tracks, labels)`."""
    return float(np.mean([labels[row.argmax()] == track.genre for row, track in zip(p, tracks, strict=True)]))


def labelled_epochs(tracks: list[Track], labels: list[str], architecture: Architecture, seed: int) -> EpochData:
    """Return the epochs: each has one random patch per track, without augmentation, as in the paper."""

    def epoch(number: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([seed, number])
        order = rng.permutation(len(tracks))
        x = [_random_patch(tracks[i].frames, architecture, rng) for i in order]
        y = np.eye(len(labels), dtype=np.float32)[[labels.index(tracks[i].genre) for i in order]]
        return np.stack(x)[..., None], y

    return epoch


def _random_patch(frames: Frames, architecture: Architecture, rng: np.random.Generator) -> Frames:
    """Return a normalised patch from a random position; a track that is too short is repeated."""
    length = architecture.patch_frames
    if frames.shape[1] < length:
        frames = np.tile(frames, -(-length // frames.shape[1]))
    first = rng.integers(frames.shape[1] - length + 1)
    patch = frames[:, first : first + length]
    return _normalise(patch, architecture)
