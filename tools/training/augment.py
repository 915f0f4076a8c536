"""Random changes of training patches that keep what is heard. Batches are numpy, dB, `(k, n_mels, n)`.

Every patch of a batch gets its own change; the same generator gives the same changes.
"""

import numpy as np

from genre_edge.mel.spectrogram import Frames

KNOTS = 6  # of an equaliser's curve
ROUGH = 1 / 3  # of the patches
TELEPHONE = 11, 84  # bands of 300 to 3400 Hz


def crop(frames: Frames, first: int, length: int, step: float, rng: np.random.Generator) -> Frames:
    """`length` columns from `first` on, `step` apart; every other one slower or faster, some in another pitch.

    A crop that hangs over an end goes on at the other.
    """
    if rng.random() < 0.5:
        step *= rng.uniform(0.9, 1.11)
    index = first + np.round(np.arange(length) * step).astype(int)
    patch = frames[:, index % frames.shape[1]].astype(np.float32)
    shift = rng.integers(-2, 3) if rng.random() < 0.3 else 0
    return patch[np.clip(np.arange(len(patch)) - shift, 0, len(patch) - 1)]


def change(x: np.ndarray, rng: np.random.Generator, narrow: float = 0.125) -> np.ndarray:
    """Other equalisers, noise floors and, for a share of the patches, bandwidths for a batch."""
    k, n_mels, _ = x.shape
    gains = rng.normal(0, 5, (k, KNOTS)) * rng.random((k, 1))
    hats = [np.interp(np.arange(n_mels), np.linspace(0, n_mels - 1, KNOTS), row) for row in np.eye(KNOTS)]
    x = x + (gains @ hats)[:, :, None].astype(np.float32)
    floor = x.max(axis=(1, 2), keepdims=True) - rng.uniform(35, 110, (k, 1, 1)).astype(np.float32)
    x = np.maximum(x, floor)
    chosen = np.flatnonzero(rng.random(k) < narrow)
    x[chosen] = cut_bands(x[chosen], rng)
    return x


def roughen(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A third of the patches, or tracks, with noise, and a third, independently, with a narrow band."""
    x = x.copy()
    for cause in (noisy, cut_bands):
        chosen = np.flatnonzero(rng.random(len(x)) < ROUGH)
        x[chosen] = cause(x[chosen], rng)
    return x


def cut_bands(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Treble, bass or both are lost: telephones, old records, low bit rates."""
    k, n_mels, _ = x.shape
    bottom, top = rng.uniform(-0.15, 0.15, (k, 1, 1)), rng.uniform(0.5, 1.1, (k, 1, 1))
    return between(x, bottom * n_mels, top * n_mels, rng.uniform(8, 60, (k, 1, 1)))


def telephone(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A telephone's band, three bands more or less at either end; nothing is left beyond."""
    bottom, top = (edge + rng.uniform(-3, 3, (len(x), 1, 1)) for edge in TELEPHONE)
    return between(x, bottom, top, 60)


def between(x: np.ndarray, bottom: np.ndarray | int, top: np.ndarray | int, steepness: np.ndarray | int) -> np.ndarray:
    """What is left of the bands from `bottom` to `top`; beyond, `steepness` dB are lost a band."""
    band = np.arange(x.shape[-2])[:, None]
    return (x - steepness * (np.maximum(0, band - top) + np.maximum(0, bottom - band))).astype(np.float32)


def noisy(x: np.ndarray, rng: np.random.Generator, least: float = 3.0, most: float = 30.0) -> np.ndarray:
    """Steady noise, white to darker than pink, `least` to `most` dB below the mean power of each patch."""
    k, n_mels, _ = x.shape
    slope = rng.uniform(-35, 0, (k, 1, 1)) * np.linspace(0, 1, n_mels)[:, None]
    bins = np.linspace(1, 30, n_mels)[:, None]  # the more a band holds, the steadier is its noise
    noise = 10 ** (slope / 10) * rng.gamma(bins, 1 / bins, x.shape)
    power = 10 ** (x.astype(np.float64) / 10)
    below = 10 ** (-rng.uniform(least, most, (k, 1, 1)) / 10)
    level = below * power.mean(axis=(1, 2), keepdims=True) / noise.mean(axis=(1, 2), keepdims=True)
    return (10 * np.log10(power + level * noise)).astype(np.float32)


def mask(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Hide two bands and two stretches of each normalised patch (SpecAugment, Park et al. 2019)."""
    for axis, widest in ((1, 20), (2, x.shape[2] / 6)):
        place = np.arange(x.shape[axis]).reshape([-1 if a == axis else 1 for a in range(3)])
        for _ in range(2):
            width = rng.uniform(0, widest, (len(x), 1, 1))
            first = rng.random((len(x), 1, 1)) * (x.shape[axis] - width)
            x = np.where((place >= first) & (place < first + width), np.float32(0), x)
    return x


def mixup(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Blend a share of the examples with others of the batch (Zhang et al. 2018)."""
    own = np.where(rng.random(len(x)) < share, rng.uniform(0.5, 1, len(x)), 1).astype(np.float32)
    other = rng.permutation(len(x))
    weight = own.reshape(-1, *[1] * (x.ndim - 1))
    return x * weight + x[other] * (1 - weight), y * own[:, None] + y[other] * (1 - own[:, None])
