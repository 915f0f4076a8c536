"""`Block`: consecutive mono samples, as sources yield them."""

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MIN_RATE, MAX_RATE = 1_000, 1_000_000  # Hz; outside of this it is no music, or a damaged header
LOUDEST = 1e6  # 120 dB above full scale is no sound; the resampler's overshoot stays far below the core's limit


@dataclass(frozen=True)
class Block:
    """Consecutive mono samples.

    Args:
        samples: `(n,)` float32, full scale +-1.
        rate: Hz.
        position: index of the first sample, counted at the source, lost samples included.
        dropped: samples lost just before this block.
        arrived_s: monotonic clock when the last sample was there; only for telling lag.
    """

    samples: NDArray[np.float32]
    rate: int
    position: int
    dropped: int = 0
    arrived_s: float = field(default_factory=time.monotonic)

    def fault(self) -> str | None:
        """Which sample is no sound, if one is."""
        usable = np.abs(self.samples) <= LOUDEST
        if usable.all():
            return None
        first = int(np.argmin(usable))
        return f"sample {self.position + first} is {self.samples[first]:g}, not a sound"


def to_mono(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean over channels, `(n, channels)` -> `(n,)`; column by column, several times faster than mean(axis=1)."""
    mono = samples[:, 0].copy()
    with np.errstate(all="ignore"):  # what overflows here is refused, with its position, in the front end
        for channel in range(1, samples.shape[1]):
            mono += samples[:, channel]
    if samples.shape[1] > 1:
        mono *= np.float32(1 / samples.shape[1])
    return mono
