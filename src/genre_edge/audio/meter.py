"""A source watched on its way to the classifier: how loud it is, how far it has come, how much was lost."""

import math
import time
from collections.abc import Iterator

import numpy as np

from genre_edge.audio.block import Block, Source

AVERAGING_S = 0.3  # the time constant of a VU meter
FLOOR_DB = -120.0  # below the noise of any converter


class Metered(Source):
    """Passes a source's blocks on as they are, and tells what has gone by.

    Attributes:
        end_s: where the last block ended, counted at the source.
        dropped_samples: lost so far.
        heard_s: monotonic clock when samples went by last, or when this began.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name, self.rate, self.channels = source.name, source.rate, source.channels
        self.end_s, self.dropped_samples, self.heard_s = 0.0, 0, time.monotonic()
        self._power = 0.0

    @property
    def level_db(self) -> float:
        """RMS of the last samples, older ones ever less; 0 dB is a constant +-1, a sine of full scale has -3."""
        return max(FLOOR_DB, 10 * math.log10(self._power)) if self._power else FLOOR_DB

    def blocks(self) -> Iterator[Block]:
        for block in self._source.blocks():
            self.rate, self.channels = self._source.rate, self._source.channels  # a live one comes back with others
            yield block
            self._measure(block)  # only now: whoever took the block has refused samples that are no sound

    def _measure(self, block: Block) -> None:
        n = len(block.samples)
        self.end_s = (block.position + n) / block.rate
        self.dropped_samples += block.dropped
        if n:
            self.heard_s = time.monotonic()
            kept = math.exp(-n / block.rate / AVERAGING_S)
            power = float(np.dot(block.samples, block.samples)) / n
            self._power = kept * self._power + (1 - kept) * power

    def close(self) -> None:
        self._source.close()
