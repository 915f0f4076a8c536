"""Patches: as the classifier cuts them, and as an epoch of training shows them."""

from typing import Any

import numpy as np

from genre_edge.classify.patches import PatchExtractor
from genre_edge.mel.spectrogram import Frames
from genre_edge.model.bundle import Bundle
from genre_edge.model.preprocessing import normalise, softmax
from tools.training.architectures import Architecture
from tools.training.data import Track
from tools.training.fit import Epoch

TOP_DB = 80.0
_BATCH = 256


def cut(frames: Frames, lengths: Architecture | Bundle) -> list[Frames]:
    """A track's patches, as the classifier cuts them."""
    cutter = PatchExtractor(frames.shape[0], lengths.patch_frames, lengths.hop_frames)
    return [patch for _, patch in (*cutter.push(frames), *cutter.flush())]


def track_patches(frames: Frames, architecture: Architecture) -> np.ndarray:
    """All normalised patches of a track, `(k, n_mels, patch_frames, 1)`."""
    return np.stack([normalise(p, architecture.normalisation, TOP_DB) for p in cut(frames, architecture)])[..., None]


def outputs(network: Any, tracks: list[Frames], architecture: Architecture) -> list[np.ndarray]:
    """What a network says, `(patches, outputs)` of each track's frames, in float."""
    patches = [track_patches(frames, architecture) for frames in tracks]
    return np.split(in_batches(network, np.concatenate(patches)), np.cumsum([len(part) for part in patches])[:-1])


def in_batches(network: Any, x: np.ndarray) -> np.ndarray:
    """What a network says of many normalised patches, in float."""
    return np.concatenate([np.asarray(network(x[i : i + _BATCH], training=False)) for i in range(0, len(x), _BATCH)])


def track_probabilities(network: Any, tracks: list[Track], architecture: Architecture, n_labels: int) -> np.ndarray:
    """Mean softmax over each track's patches, `(tracks, labels)`, in float."""
    said = outputs(network, [track.frames for track in tracks], architecture)
    return np.stack([softmax(rows[:, :n_labels]).mean(axis=0) for rows in said])


def accuracy(p: np.ndarray, tracks: list[Track], labels: list[str]) -> float:
    """Share of tracks whose most probable label is theirs."""
    return float(np.mean([labels[row.argmax()] == track.genre for row, track in zip(p, tracks, strict=True)]))


def labelled(tracks: list[Track], labels: list[str], architecture: Architecture, seed: int) -> Epoch:
    """Each track once an epoch, unchanged: the paper's way."""

    def epoch(number: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([seed, number])
        order = rng.permutation(len(tracks))
        x = [_random_patch(tracks[i].frames, architecture, rng) for i in order]
        y = np.eye(len(labels), dtype=np.float32)[[labels.index(tracks[i].genre) for i in order]]
        return np.stack(x)[..., None], y

    return epoch


def _random_patch(frames: Frames, architecture: Architecture, rng: np.random.Generator) -> Frames:
    """A patch from anywhere; a shorter track is repeated."""
    length = architecture.patch_frames
    if frames.shape[1] < length:
        frames = np.tile(frames, -(-length // frames.shape[1]))
    first = rng.integers(frames.shape[1] - length + 1)
    return normalise(frames[:, first : first + length], architecture.normalisation, TOP_DB)
