"""Block, the one currency between sources and the classifier, and what every source offers."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from genre_edge.errors import AudioError

MIN_RATE, MAX_RATE = 1_000, 1_000_000  # Hz; outside of this it is no music, or a damaged header
MAX_CHANNELS = 1024
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


class Source:
    """Audio from one place. Use as a context manager; iterate `blocks()` once.

    Attributes:
        name: what messages and verdicts call it.
        rate, channels: as found at the source.
    """

    name: str
    rate: int
    channels: int

    def blocks(self) -> Iterator[Block]:
        """Blocks of about a tenth of a second to a second. Raises AudioError where the source fails."""
        raise NotImplementedError

    def close(self) -> None:
        """Release what the source holds; allowed twice."""

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def check_format(self) -> None:
        """Refuse a rate or channel count that no audio has."""
        if not MIN_RATE <= self.rate <= MAX_RATE:
            raise AudioError(f"{self.name}: a rate of {self.rate} Hz is outside {MIN_RATE} to {MAX_RATE}")
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise AudioError(f"{self.name}: {self.channels} channels are outside 1 to {MAX_CHANNELS}")


def to_mono(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean over channels, `(n, channels)` -> `(n,)`; column by column, several times faster than mean(axis=1)."""
    mono = samples[:, 0].copy()
    with np.errstate(all="ignore"):  # what overflows here is refused, with its position, in the front end
        for channel in range(1, samples.shape[1]):
            mono += samples[:, channel]
    if samples.shape[1] > 1:
        mono *= np.float32(1 / samples.shape[1])
    return mono
