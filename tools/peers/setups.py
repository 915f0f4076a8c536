"""Parameters and test signal of the benchmark."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
SECONDS = 30


@dataclass(frozen=True)
class Setup:
    """Parameters that all implementations share: power in decibels, n_fft // 2 zeros of padding at both ends."""

    sr: int
    n_fft: int
    hop_length: int
    n_mels: int

    def __str__(self) -> str:
        return f"{self.sr} Hz, n_fft {self.n_fft}, hop {self.hop_length}, {self.n_mels} mels"

    def signal(self) -> Floats:
        """Return SECONDS of noise and three sines."""
        n = SECONDS * self.sr
        y = np.random.default_rng(0).standard_normal(n) * 0.1
        for frequency in (220, 1000, 3000):
            y += 0.1 * np.sin(2 * np.pi * frequency / self.sr * np.arange(n))
        return y.astype(np.float32)

    def window(self) -> Floats:
        """Return the periodic Hann window, `(n_fft,)`."""
        return np.hanning(self.n_fft + 1)[:-1].astype(np.float32)

    def padded(self, y: Floats) -> Floats:
        """Add n_fft // 2 zeros at both ends."""
        return np.pad(y, self.n_fft // 2)
