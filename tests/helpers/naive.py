"""Naive twins: the simplest implementations of the definitions, in float64, as references for the tests."""

import numpy as np
from numpy.typing import NDArray

from genre_edge.mel.config import MelConfig

Array = NDArray[np.float64]


def hz_to_mel(hz: float, htk: bool) -> float:
    if htk:
        return 2595 * np.log10(1 + hz / 700)
    return 3 * hz / 200 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)


def mel_to_hz(mel: float, htk: bool) -> float:
    if htk:
        return 700 * (10 ** (mel / 2595) - 1)
    return 200 * mel / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)


def filterbank(config: MelConfig) -> Array:
    """Return triangular filters over the FFT's bins, `(n_mels, 1 + n_fft // 2)`."""
    bins = np.arange(1 + config.n_fft // 2) * config.sr / config.n_fft
    fmax = config.sr / 2 if config.fmax is None else config.fmax
    mels = np.linspace(hz_to_mel(config.fmin, config.htk), hz_to_mel(fmax, config.htk), config.n_mels + 2)
    edges = [mel_to_hz(mel, config.htk) for mel in mels]
    rows = []
    for lower, centre, upper in zip(edges, edges[1:], edges[2:], strict=False):
        triangle = np.maximum(0, np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre)))
        rows.append(triangle * 2 / (upper - lower) if config.norm == "slaney" else triangle)
    return np.array(rows)


def window(config: MelConfig) -> Array:
    """Return a periodic Hann window, zero-padded on both sides, `(n_fft,)`."""
    length = config.n_fft if config.win_length is None else config.win_length
    hann = np.ones(1) if length == 1 else 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    left = (config.n_fft - length) // 2
    return np.pad(hann, (left, config.n_fft - length - left))


def spectrum(y: Array, config: MelConfig) -> Array:
    """Return the power (or magnitude) of each frame's DFT, `(1 + n_fft // 2, n_frames)`."""
    columns = []
    if len(y) > 0:
        padded = np.pad(y, config.n_fft // 2, mode=config.pad_mode) if config.center else y
        for start in range(0, len(padded) - config.n_fft + 1, config.hop_length):
            frame = padded[start : start + config.n_fft] * window(config)
            columns.append(np.abs(np.fft.rfft(frame)) ** config.power)
    return np.array(columns).reshape(-1, 1 + config.n_fft // 2).T


def melspectrogram(y: Array, config: MelConfig) -> Array:
    return filterbank(config) @ spectrum(np.asarray(y, dtype=np.float64), config)


def power_to_db(power: Array, ref: float = 1.0, amin: float = 1e-10, top_db: float | None = 80.0) -> Array:
    db = 10 * np.log10(np.maximum(amin, power)) - 10 * np.log10(max(amin, abs(ref)))
    return db if top_db is None or db.size == 0 else np.maximum(db, db.max() - top_db)


def patches(frames: np.ndarray, length: int, hop: int) -> list[tuple[int, np.ndarray]]:
    """Return whole patches, then the repeated rest if it is above half a hop; each with its first frame's index."""
    n = frames.shape[1]
    whole = [(at, frames[:, at : at + length]) for at in range(0, n - length + 1, hop)]
    end = whole[-1][0] + length if whole else 0
    start = whole[-1][0] + hop if whole else 0
    if n and (not whole or n - end > hop / 2):
        rest = [frames[:, start + i % (n - start)] for i in range(length)]
        whole.append((start, np.stack(rest, axis=1)))
    return whole


def mfcc(S: np.ndarray, n_mfcc: int, lifter: float) -> np.ndarray:
    """Return the orthonormal DCT-II as sums of cosines, with librosa's liftering."""
    n_mels = S.shape[0]
    c, m = np.arange(n_mfcc)[:, np.newaxis], np.arange(n_mels)
    rows = np.cos(np.pi * c * (m + 0.5) / n_mels) * np.sqrt(np.where(c == 0, 1, 2) / n_mels)
    if lifter > 0:
        rows *= 1 + lifter / 2 * np.sin(np.pi * (c + 1) / lifter)
    return rows @ S.astype(np.float64)


def normalise(patch: np.ndarray, kind: str, top_db: float, mel: MelConfig) -> Array:
    """Normalisation of a patch `(n_mels, n_frames)` in dB, value by value."""
    if kind == "pre_emphasis":
        return log_power(patch, top_db, mel)
    maximum = max(float(value) for value in patch.ravel())
    x = [max(float(value) - maximum, -top_db) for value in patch.ravel()]
    if kind == "minmax":
        low, high = min(x), max(x)
        y = [(value - low) / (high - low) if high > low else 0.0 for value in x]
    else:
        n = patch.shape[1]
        bands = [x[first : first + n] for first in range(0, len(x), n)]
        active = [value for band in bands if kind == "active_bands" and len(set(band)) > 1 for value in band] or x
        mean = sum(active) / len(active)
        deviation = (sum((value - mean) ** 2 for value in active) / len(active)) ** 0.5
        y = [(value - mean) / deviation if deviation > 0 else 0.0 for value in x]
    return np.array(y).reshape(patch.shape)


def log_power(patch: np.ndarray, top_db: float, mel: MelConfig) -> Array:
    """Logarithm of the power relative to its mean, after pre-emphasis, with a floor; shifted and scaled."""
    power = np.zeros(patch.shape)
    for band, weights in enumerate(filterbank(mel)):
        total = sum(weights)
        gains = [abs(1 - 0.97 * np.exp(-2j * np.pi * k / mel.n_fft)) ** 2 for k in range(len(weights))]
        gain = sum(w * g for w, g in zip(weights, gains, strict=True)) / total if total > 0 else 1.0
        power[band] = [10 ** (float(value) / 10) * gain for value in patch[band]]
    floor = 10 ** (-top_db / 10)
    return np.array([[(np.log(p / power.mean() + floor) + 3.3) / 5 for p in row] for row in power])
