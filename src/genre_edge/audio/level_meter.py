"""What has gone by in a stream: how loud it is, how far it has come, how much was lost."""

import math
import time

import numpy as np

from genre_edge.audio.block import Block

AVERAGING_S = 0.3  # the time constant of a VU meter
FLOOR_DB = -120.0  # below the noise of any converter


class LevelMeter:
    """Looks at blocks, which the front end has found to be sound; fits `on_frames` of `Classifier.stream`.

    Attributes:
        end_s: where the last block ended, counted at the source.
        dropped_samples: lost so far.
        heard: whether samples came at all; what was lost is none.
        heard_s: monotonic clock when samples came last, or when this began.
    """

    def __init__(self) -> None:
        self.end_s, self.dropped_samples, self.heard_s = 0.0, 0, time.monotonic()
        self.heard = False
        self._power = 0.0

    @property
    def level_db(self) -> float:
        """RMS of the last samples, older ones ever less; 0 dB is a constant +-1, a sine of full scale has -3."""
        return max(FLOOR_DB, 10 * math.log10(self._power)) if self._power > 0 else FLOOR_DB

    def __call__(self, block: Block, frames: object = None) -> None:
        n = len(block.samples)
        self.end_s = (block.position + n) / block.rate
        self.dropped_samples += block.dropped
        if n:
            self.heard, self.heard_s = True, time.monotonic()
            kept = math.exp(-n / block.rate / AVERAGING_S)
            power = float(np.dot(block.samples, block.samples)) / n
            self._power = kept * self._power + (1 - kept) * power
