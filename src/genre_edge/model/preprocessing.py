"""Patch normalisation, softmax and output probabilities: the arithmetic around the network."""

import numpy as np
from numpy.typing import NDArray

from genre_edge.mel.spectrogram import Frames

NORMALISATIONS = ("minmax", "standard", "active_bands")


def normalise(patch_db: Frames, kind: str, top_db: float) -> Frames:
    """One patch in dB, `(n_mels, n_frames)` -> the network's input, the same for every gain.

    The patch is first cut at `top_db` below its maximum. "minmax" then scales it to 0..1 (the paper's scaling),
    "standard" to mean 0 and standard deviation 1; "active_bands" takes mean and standard deviation from the bands that
    change only, so that bands without signal, such as a telephone's treble, do not shrink the rest. A constant patch
    gives zeros.
    """
    # In one memory order: numpy's sums depend on it, and a patch must not remember how its frames came.
    x = np.maximum(np.ascontiguousarray(patch_db) - patch_db.max(), np.float32(-top_db))
    if kind == "minmax":
        x -= x.min()
        scale = x.max()
    else:
        live = np.ptp(x, axis=1) > 0
        measured = x[live] if kind == "active_bands" and live.any() else x
        centre, scale = measured.mean(), measured.std()
        x -= centre
    return x / scale if scale > 0 else np.zeros_like(x)


def softmax(logits: NDArray[np.float64], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities along the last axis."""
    odds = np.exp((logits - logits.max(axis=-1, keepdims=True)) / temperature)
    result: NDArray[np.float64] = odds / odds.sum(axis=-1, keepdims=True)
    return result


def probabilities(logits: NDArray[np.float64], n_labels: int, temperature: float) -> NDArray[np.float64]:
    """Softmax over the genres, and the logistic function of what follows them, along the last axis."""
    genres = softmax(logits[..., :n_labels], temperature)
    return np.concatenate([genres, 1 / (1 + np.exp(-logits[..., n_labels:]))], axis=-1)
