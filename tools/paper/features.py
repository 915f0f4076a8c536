"""Features of the methods other than the CNN, from log-mel frames: MFCC, energy, and their statistics."""

import numpy as np
from scipy.fft import dct

from genre_edge.mel.spectrogram import Frames

N_MFCC = 20
FRAMES_PER_S = 13  # the archive has 12.9
PERCENTILES = (10, 50, 90)


def mfcc(frames: Frames) -> np.ndarray:
    """Return MFCC, `(N_MFCC, n)`, of `(n_mels, n)` dB: an orthonormal DCT-II over bands, as librosa.feature.mfcc."""
    coefficients: np.ndarray = dct(frames, axis=0, type=2, norm="ortho")[:N_MFCC]
    return coefficients


def energy(frames: Frames) -> np.ndarray:
    """Return the mean power of each frame in dB, `(1, n)`."""
    level: np.ndarray = 10 * np.log10((10 ** (frames / 10)).mean(axis=0, keepdims=True))
    return level


def statistics(x: np.ndarray) -> np.ndarray:
    """Return mean and deviation of each feature and of its differences: `(features, n)` -> `(4 * features,)`."""
    differences = np.diff(x, axis=1)
    return np.concatenate([part(y) for y in (x, differences) for part in (_mean, _deviation)])


def _mean(x: np.ndarray) -> np.ndarray:
    return np.asarray(x.mean(axis=1))


def _deviation(x: np.ndarray) -> np.ndarray:
    return np.asarray(x.std(axis=1))


def seconds(x: np.ndarray) -> np.ndarray:
    """Return functionals per second: `(features, n)` -> `(n // FRAMES_PER_S, 6 * features)`.

    The functionals are mean, standard deviation, slope of the regression line per frame, and percentiles (after
    Weninger et al. 2014).

    Raises:
        ValueError: less than one second.
    """
    count = x.shape[1] // FRAMES_PER_S
    if count == 0:
        raise ValueError(f"{x.shape[1]} frames are less than a second")
    parts = x[:, : count * FRAMES_PER_S].reshape(len(x), count, FRAMES_PER_S)
    position = np.arange(FRAMES_PER_S) - (FRAMES_PER_S - 1) / 2
    slope = parts @ position / (position @ position)
    percentiles = np.percentile(parts, PERCENTILES, axis=2)
    functionals = np.concatenate([parts.mean(axis=2)[None], parts.std(axis=2)[None], slope[None], percentiles])
    return np.asarray(functionals.transpose(2, 0, 1).reshape(count, -1))
