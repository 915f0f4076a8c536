"""`Block`: consecutive mono samples, as sources yield them."""

import time
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_RATE, MAX_RATE = 1_000, 1_000_000  # Hz; other rates indicate a damaged header, or audio that is not music
MAX_AMPLITUDE = 1e6  # 120 dB above full scale, and far below the C core's limit even after resampling


@dataclass(frozen=True)
class Block:
    """Consecutive mono samples.

    Args:
        samples: `(n,)` float32, full scale +-1.
        rate: sampling rate in Hz.
        position: index of the first sample, counted at the source; dropped samples count.
        dropped: number of samples lost just before this block.
        arrived_s: monotonic clock, in seconds, when the last sample arrived; used to measure lag and outages.
    """

    samples: NDArray[np.float32]
    rate: int
    position: int
    dropped: int = 0
    arrived_s: float = field(default_factory=time.monotonic)

    def invalid_sample(self) -> str | None:
        """Describe the first sample that is not finite or exceeds `MAX_AMPLITUDE`; None if all are valid."""
        with np.errstate(all="ignore"):  # some processors report the comparison of a NaN
            valid = np.abs(self.samples) <= MAX_AMPLITUDE
        if valid.all():
            return None
        first = int(np.argmin(valid))
        return f"sample {self.position + first} has an invalid value ({self.samples[first]:g})"


def to_mono(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of the channels, `(n,)`, of samples `(n, channels)`; several times faster than mean(axis=1)."""
    mono = samples[:, 0].copy()
    with np.errstate(all="ignore"):  # the front end rejects an overflow, with its position
        for channel in range(1, samples.shape[1]):
            mono += samples[:, channel]
        if samples.shape[1] > 1:
            mono *= np.float32(1 / samples.shape[1])
    return mono


def __getattr__(name: str) -> Any:
    """Return `Source`, which was defined here until it moved to `genre_edge.audio.source`; deprecated."""
    if name != "Source":
        raise AttributeError(f"module 'genre_edge.audio.block' has no attribute {name!r}")
    from genre_edge.audio.source import Source

    warnings.warn("import Source from genre_edge.audio", DeprecationWarning, stacklevel=2)
    return Source
