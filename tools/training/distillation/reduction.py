"""Patches with as much information as a cheaper front end gives: fewer frames, fewer bands or a lower sampling rate.

Their shape stays, so that the same network can be compared on several front ends.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import tensorflow as tf

from genre_edge.model.preprocessing import LOG_DIVISOR, LOG_OFFSET
from tools.training.distillation.effects import Effects
from tools.training.distillation.students import MEL, TOP_DB, Reduction

_FLOOR = np.float32(10 ** (-TOP_DB / 10))


def reduced(x: tf.Tensor, reduction: Reduction) -> tf.Tensor:
    """Return normalised patches, `(k, n_mels, frames, 1)`, with the information of another front end.

    Powers are averaged over the other front end's frames and bands, and repeated. Bands above half of its sampling rate
    are silent. The result is normalised again, because the mean power without the treble is another one.
    """
    bands, frames = _matrices(reduction, x.shape[2])
    power = tf.maximum(tf.exp(LOG_DIVISOR * x[..., 0] - LOG_OFFSET) - _FLOOR, 0.0)
    power = tf.einsum("bi,kif,gf->kbg", bands, power, frames)
    power /= tf.reduce_mean(power, axis=(1, 2), keepdims=True) + 1e-9
    return ((tf.math.log(power + _FLOOR) + LOG_OFFSET) / LOG_DIVISOR)[..., None]


@lru_cache(maxsize=32)
def _matrices(reduction: Reduction, n_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what the powers are multiplied by, float32: `(n_mels, n_mels)` and `(n_frames, n_frames)`."""
    bands = _averaging(MEL.n_mels, MEL.n_mels / reduction.n_mels)
    bands[Effects(MEL).band_hz > reduction.sr / 2] = 0
    return bands, _averaging(n_frames, MEL.sr / MEL.hop_length / reduction.frames_per_s)


def _averaging(n: int, width: float) -> np.ndarray:
    """Return the matrix `(n, n)` that gives each element the mean of its cell; cells are `width` elements wide."""
    edges = np.minimum(np.arange(int(np.ceil(n / width - 1e-9)) + 1) * width, n)
    element = np.arange(n)
    overlap = np.minimum(edges[1:, None], element + 1) - np.maximum(edges[:-1, None], element)
    means = np.maximum(overlap, 0) / np.diff(edges)[:, None]
    matrix: np.ndarray = means[np.searchsorted(edges, element + 0.5) - 1].astype(np.float32)
    return matrix
