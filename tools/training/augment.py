"""Random augmentations of training patches that keep the genre. Batches are `(k, n_mels, n)` arrays in dB.

Every patch of a batch gets its own random parameters; the same generator state gives the same result.
"""

from typing import TypeAlias

import numpy as np

from genre_edge.mel.spectrogram import Frames

EQ_POINTS = 6  # support points of a random equaliser curve
DEGRADED_SHARE = 1 / 3  # of the patches, for each kind of degradation
TELEPHONE_BANDS = 11, 84  # mel bands of 300 to 3400 Hz

_Param: TypeAlias = np.ndarray | int  # a number for the whole batch, or an array that broadcasts against it


def crop(frames: Frames, first: int, length: int, step: float, rng: np.random.Generator) -> Frames:
    """Return `length` columns from `first` on, `step` apart, with random time stretching and pitch shifting.

    Half of the crops are stretched by up to 11 %, 30 % are shifted by up to two mel bands. Indices wrap around at
    either end.

    Args:
        frames: dB, `(n_mels, n)`.

    Returns:
        float32 `(n_mels, length)`.
    """
    if rng.random() < 0.5:
        step *= rng.uniform(0.9, 1.11)
    index = first + np.round(np.arange(length) * step).astype(int)
    patch: Frames = frames[:, index % frames.shape[1]].astype(np.float32)
    shift = rng.integers(-2, 3) if rng.random() < 0.3 else 0
    band = np.clip(np.arange(len(patch)) - shift, 0, len(patch) - 1)
    cropped: Frames = patch[band]
    return cropped


def perturb(x: np.ndarray, rng: np.random.Generator, band_limited_share: float = 0.125) -> np.ndarray:
    """Apply a random equaliser and noise floor to each patch, and band-limit a share of the patches."""
    k, n_mels, _ = x.shape
    gains = rng.normal(0, 5, (k, EQ_POINTS)) * rng.random((k, 1))
    hats = [np.interp(np.arange(n_mels), np.linspace(0, n_mels - 1, EQ_POINTS), row) for row in np.eye(EQ_POINTS)]
    x = x + (gains @ hats)[:, :, None].astype(np.float32)
    floor = x.max(axis=(1, 2), keepdims=True) - rng.uniform(35, 110, (k, 1, 1)).astype(np.float32)
    x = np.maximum(x, floor)
    chosen = np.flatnonzero(rng.random(k) < band_limited_share)
    x[chosen] = limit_band(x[chosen], rng)
    return x


def degrade(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add noise to a third of the patches and, independently, band-limit a third of them."""
    x = x.copy()
    for degradation in (add_noise, limit_band):
        chosen = np.flatnonzero(rng.random(len(x)) < DEGRADED_SHARE)
        x[chosen] = degradation(x[chosen], rng)
    return x


def limit_band(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Attenuate treble, bass or both, as telephones, old records and low bit rates do."""
    k, n_mels, _ = x.shape
    bottom, top = rng.uniform(-0.15, 0.15, (k, 1, 1)), rng.uniform(0.5, 1.1, (k, 1, 1))
    return bandpass(x, bottom * n_mels, top * n_mels, rng.uniform(8, 60, (k, 1, 1)))


def limit_to_telephone_band(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Keep the telephone band, its edges moved at random by up to three mel bands; remove all else."""
    bottom, top = (edge + rng.uniform(-3, 3, (len(x), 1, 1)) for edge in TELEPHONE_BANDS)
    return bandpass(x, bottom, top, 60)


def bandpass(x: np.ndarray, bottom: _Param, top: _Param, slope: _Param) -> np.ndarray:
    """Keep the mel bands from `bottom` to `top`; attenuate by `slope` dB per band beyond them."""
    band = np.arange(x.shape[-2])[:, None]
    passed: np.ndarray = x - slope * (np.maximum(0, band - top) + np.maximum(0, bottom - band))
    return passed.astype(np.float32)


def add_noise(x: np.ndarray, rng: np.random.Generator, min_snr: float = 3.0, max_snr: float = 30.0) -> np.ndarray:
    """Add stationary noise, white to steeper than pink, at a signal-to-noise ratio of `min_snr` to `max_snr` dB."""
    k, n_mels, _ = x.shape
    slope = rng.uniform(-35, 0, (k, 1, 1)) * np.linspace(0, 1, n_mels)[:, None]
    bins = np.linspace(1, 30, n_mels)[:, None]  # FFT bins in a band: the more, the smaller the variance
    noise = 10 ** (slope / 10) * rng.gamma(bins, 1 / bins, x.shape)
    power = 10 ** (x.astype(np.float64) / 10)
    ratio = 10 ** (-rng.uniform(min_snr, max_snr, (k, 1, 1)) / 10)
    level = ratio * power.mean(axis=(1, 2), keepdims=True) / noise.mean(axis=(1, 2), keepdims=True)
    noisy: np.ndarray = 10 * np.log10(power + level * noise)
    return noisy.astype(np.float32)


def mask(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mask two frequency and two time intervals of each normalised patch (SpecAugment, Park et al. 2019)."""
    for axis, widest in ((1, 20), (2, x.shape[2] / 6)):
        index = np.arange(x.shape[axis]).reshape([-1 if a == axis else 1 for a in range(3)])
        for _ in range(2):
            width = rng.uniform(0, widest, (len(x), 1, 1))
            first = rng.random((len(x), 1, 1)) * (x.shape[axis] - width)
            x = np.where((index >= first) & (index < first + width), np.float32(0), x)
    return x


def mixup(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Blend a share of the examples with other examples of the batch (mixup, Zhang et al. 2018).

    Args:
        x: inputs, `(k, ...)`.
        y: targets, `(k, n_outputs)`.
    """
    own = np.where(rng.random(len(x)) < share, rng.uniform(0.5, 1, len(x)), 1).astype(np.float32)
    other = rng.permutation(len(x))
    weight = own.reshape(-1, *[1] * (x.ndim - 1))
    return x * weight + x[other] * (1 - weight), y * own[:, None] + y[other] * (1 - own[:, None])
