"""Synthetic music and noise from integers, sums and products, so that samples have the same bits on every machine."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import Block
from genre_edge.audio.source import Source

Samples = NDArray[np.float32]

BEAT_S = 0.5
CHORDS_HZ = ((220.0, 261.6, 329.6), (174.6, 220.0, 261.6), (261.6, 329.6, 392.0), (196.0, 246.9, 293.7))  # Am F C G


def noise(n: int, seed: int) -> Samples:
    """Return uniform noise `(n,)` in [-0.5, 0.5).

    numpy guarantees the sequence of the legacy RandomState, but not that of default_rng.
    """
    return (np.random.RandomState(seed).random_sample(n) - 0.5).astype(np.float32)


def music(seconds: float, rate: int) -> Samples:
    """Return `seconds` of music `(n,)` within +-1 at `rate` Hz: a chord and a drum on every beat."""
    n, beat = round(seconds * rate), round(BEAT_S * rate)
    time = np.arange(beat) / rate
    decay = 1 - np.arange(beat) / beat
    drum = 0.4 * noise(beat, 0) * decay * decay * decay * decay
    bar = [0.25 * decay * sum(_tone(hz, time) for hz in chord) + drum for chord in CHORDS_HZ]
    return np.resize(np.concatenate(bar).astype(np.float32), n)


def _tone(hz: float, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an approximate sine, made of parabolas, plus a sawtooth for overtones."""
    saw: NDArray[np.float64] = 2 * (hz * time % 1) - 1
    return saw * (3.2 * (1 - np.abs(saw)) + 0.2)


class ArraySource(Source):
    """Source of samples in memory, in blocks of one second.

    Args:
        samples: `(n,)` float32, full scale +-1.
        rate: sampling rate in Hz.
    """

    def __init__(self, samples: Samples, rate: int) -> None:
        self.name, self.rate, self.channels = "synthetic music", rate, 1
        self._samples = samples

    def blocks(self) -> Iterator[Block]:
        """Yield blocks of one second."""
        for first in range(0, len(self._samples), self.rate):
            yield Block(self._samples[first : first + self.rate], self.rate, first)
