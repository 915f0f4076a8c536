"""Streaming resampling to the model's rate, by soxr."""

import numpy as np
import soxr
from numpy.typing import NDArray


class Resampler:
    """Mono float32 from `rate_in` to `rate_out` Hz; passes samples through where the two are equal."""

    def __init__(self, rate_in: float, rate_out: float) -> None:
        same = rate_in == rate_out
        self._soxr = None if same else soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32", quality="HQ")

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """What can be given so far; soxr keeps the rest."""
        if self._soxr is None:
            return samples
        result: NDArray[np.float32] = self._soxr.resample_chunk(samples)
        return result

    def flush(self) -> NDArray[np.float32]:
        """The rest."""
        empty = np.empty(0, dtype=np.float32)
        if self._soxr is None:
            return empty
        result: NDArray[np.float32] = self._soxr.resample_chunk(empty, last=True)
        return result
