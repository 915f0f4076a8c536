"""What the paper's rivals look at, all from the same log-mel frames: MFCC, energy, statistics of both."""

import numpy as np
from scipy.fft import dct

from genre_edge.mel.spectrogram import Frames

N_MFCC = 20
FRAMES_PER_S = 13  # the archive has 12.9
PERCENTILES = (10, 50, 90)


def mfcc(frames: Frames) -> np.ndarray:
    """`(n_mels, n)` dB -> `(N_MFCC, n)`: an orthonormal DCT-II over the bands, as librosa.feature.mfcc."""
    coefficients: np.ndarray = dct(frames, axis=0, type=2, norm="ortho")[:N_MFCC]
    return coefficients


def energy(frames: Frames) -> np.ndarray:
    """`(1, n)`: the mean power of each frame, in dB."""
    return 10 * np.log10((10 ** (frames / 10)).mean(axis=0, keepdims=True))


def statistics(x: np.ndarray) -> np.ndarray:
    """`(features, n)` -> `(4 * features,)`: mean and deviation of each feature and of its steps."""
    steps = np.diff(x, axis=1)
    return np.concatenate([part(y) for y in (x, steps) for part in (_mean, _deviation)])


def _mean(x: np.ndarray) -> np.ndarray:
    return x.mean(axis=1)


def _deviation(x: np.ndarray) -> np.ndarray:
    return x.std(axis=1)


def seconds(x: np.ndarray) -> np.ndarray:
    """`(features, n)` -> `(n // FRAMES_PER_S, 6 * features)`: each second's mean, deviation, slope and percentiles.

    The slope is that of the regression line, per frame (Weninger et al. 2014 have such functionals).
    """
    count = x.shape[1] // FRAMES_PER_S
    if count == 0:
        raise ValueError(f"{x.shape[1]} frames are less than a second")
    parts = x[:, : count * FRAMES_PER_S].reshape(len(x), count, FRAMES_PER_S)
    place = np.arange(FRAMES_PER_S) - (FRAMES_PER_S - 1) / 2
    slope = parts @ place / (place @ place)
    percentiles = np.percentile(parts, PERCENTILES, axis=2)
    found = np.concatenate([parts.mean(axis=2)[None], parts.std(axis=2)[None], slope[None], percentiles])
    return found.transpose(2, 0, 1).reshape(count, -1)
