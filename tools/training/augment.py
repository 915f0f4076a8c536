"""Random changes of training patches that keep the genre: equaliser, masks, mixing. Patches are dB, `(n_mels, n)`."""

import numpy as np

from genre_edge.mel import Frames


def random_crop(frames: Frames, length: int, rng: np.random.Generator) -> Frames:
    """`length` frames from anywhere; a shorter track is repeated."""
    if frames.shape[1] < length:
        frames = np.tile(frames, -(-length // frames.shape[1]))
    first = rng.integers(frames.shape[1] - length + 1)
    return frames[:, first : first + length]


def equalise(patch: Frames, rng: np.random.Generator, strength_db: float = 5.0) -> Frames:
    """A smooth random gain per band: other rooms, records and microphones."""
    knots = rng.normal(0, strength_db, 5)
    curve = np.interp(np.linspace(0, 4, patch.shape[0]), np.arange(5), knots)
    return patch + curve[:, None].astype(np.float32)


def mask(x: Frames, rng: np.random.Generator) -> Frames:
    """Hide two bands and two stretches of a normalised patch (SpecAugment, Park et al. 2019)."""
    x = x.copy()
    for axis, widest in ((0, 20), (1, x.shape[1] // 6)):
        for _ in range(2):
            width = rng.integers(widest + 1)
            first = rng.integers(x.shape[axis] - width + 1)
            index = (
                (slice(first, first + width), slice(None)) if axis == 0 else (slice(None), slice(first, first + width))
            )
            x[index] = x.mean()
    return x


def mixup(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, alpha: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Blend each example with another of the epoch (Zhang et al. 2018)."""
    share = rng.beta(alpha, alpha, len(x)).astype(np.float32)
    share = np.maximum(share, 1 - share)
    other = rng.permutation(len(x))
    mixed = x * share[:, None, None, None] + x[other] * (1 - share)[:, None, None, None]
    return mixed, y * share[:, None] + y[other] * (1 - share)[:, None]
