"""`Resampler`: streaming resampling to the model's rate with soxr."""

import numpy as np
import soxr
from numpy.typing import NDArray


class Resampler:
    """Streaming resampler for mono float32 samples (soxr, quality HQ).

    Args:
        rate_in: sampling rate of the input in Hz.
        rate_out: sampling rate of the output in Hz; if equal to `rate_in`, samples pass through unchanged.
    """

    def __init__(self, rate_in: float, rate_out: float) -> None:
        same = rate_in == rate_out
        self._soxr = None if same else soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32", quality="HQ")

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Resample `(n,)` samples; return those that are ready, `(m,)`. soxr buffers the rest."""
        if self._soxr is None:
            return samples
        result: NDArray[np.float32] = self._soxr.resample_chunk(samples)
        return result

    def flush(self) -> NDArray[np.float32]:
        """End the stream; return the samples that are still buffered, `(m,)`."""
        empty = np.empty(0, dtype=np.float32)
        if self._soxr is None:
            return empty
        result: NDArray[np.float32] = self._soxr.resample_chunk(empty, last=True)
        return result
