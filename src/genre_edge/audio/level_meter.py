"""`LevelMeter`: level, position and dropped samples of a stream."""

import math
import time

import numpy as np

from genre_edge.audio.block import Block

AVERAGING_S = 0.3  # the time constant of a VU meter
FLOOR_DB = -120.0  # below the noise floor of any converter


class LevelMeter:
    """Level meter for blocks of valid samples; can be passed as `on_frames` of `Classifier.stream`.

    Attributes:
        end_s: position of the last block's end at the source, in seconds.
        dropped_samples: number of samples lost so far.
        has_samples: True once samples have arrived; dropped ones do not count.
        last_sample_s: monotonic clock, in seconds, at the last samples; before the first, at creation.
    """

    def __init__(self) -> None:
        self.end_s, self.dropped_samples, self.last_sample_s = 0.0, 0, time.monotonic()
        self.has_samples = False
        self._power = 0.0

    @property
    def level_db(self) -> float:
        """Exponentially averaged RMS level in dB re full scale: 0 for a constant +-1, -3 for a full-scale sine."""
        return max(FLOOR_DB, 10 * math.log10(self._power)) if self._power > 0 else FLOOR_DB

    def __call__(self, block: Block, frames: object = None) -> None:
        """Update the meter with a block; `frames` is ignored."""
        n = len(block.samples)
        self.end_s = (block.position + n) / block.rate
        self.dropped_samples += block.dropped
        if n:
            self.has_samples, self.last_sample_s = True, time.monotonic()
            decay = math.exp(-n / block.rate / AVERAGING_S)
            power = float(np.dot(block.samples, block.samples)) / n
            self._power = decay * self._power + (1 - decay) * power
