"""`Downmixer`: several channels -> mono, also where channels in opposite phase would cancel in the mean."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import to_mono

WINDOW_S = 0.25  # length of the windows whose power is compared
CANCEL_DB = 9.0  # the mean cancels if its power is this far below that of the difference
RESTORE_DB = 5.0  # and it does until it is less far below
_DECAY = 0.5  # factor of earlier windows' power, so that a pause does not change the decision
_MAX_VALUES = 1 << 16  # in a window: 0.25 MB, whatever the number of channels
_MIN_WINDOW = 256

Samples = NDArray[np.float32]


class Downmixer:
    """Downmixer of one source: the mean of the channels, with some of them inverted while the plain mean cancels.

    A balanced line on a stereo input has the same signal in opposite phase on its two channels: mid is far weaker than
    side, which is used instead. After each window of `WINDOW_S`, the powers so far, without the channels' offsets (DC),
    decide about the next window, so there is no delay, and the first window has the plain mean. The result depends on
    the samples' positions only, not on the sizes of the blocks. Of n channels, the mean counts as weak if it is far
    below that of independent channels.

    Args:
        rate: sampling rate in Hz.

    Attributes:
        signs: for each channel 1 or -1, if channels are inverted; None for the plain mean.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self.signs: Samples | None = None
        self._window: Samples = np.empty((0, 0), dtype=np.float32)  # `(channels, n)`: the present window

    def _reset(self, channels: int) -> None:
        n = max(_MIN_WINDOW, min(round(self._rate * WINDOW_S), _MAX_VALUES // channels))
        self._window = np.empty((channels, n), dtype=np.float32)
        self._filled = 0
        self._mean_power = self._power = 0.0  # of the plain mean; mean of the channels' powers
        self.signs = None

    def push(self, samples: Samples) -> Samples:
        """Return the mono samples `(n,)` of samples `(n, channels)`. A change of the channel count starts anew."""
        channels = samples.shape[1]
        if channels == 1:
            return to_mono(samples)
        if len(self._window) != channels:
            self._reset(channels)
        runs = list(self._runs(samples))
        with np.errstate(invalid="ignore"):  # NaN
            parts = [
                to_mono(samples[start:stop] if signs is None else samples[start:stop] * signs)
                for start, stop, signs in runs
            ]
        return parts[0] if len(parts) == 1 else np.concatenate([to_mono(samples[:0]), *parts])

    def _runs(self, samples: Samples) -> Iterator[tuple[int, int, Samples | None]]:
        """Add samples to the window; yield the stretches with the same signs."""
        first, start, signs, n_window = 0, 0, self.signs, self._window.shape[1]
        while start < len(samples):
            stop = min(len(samples), start + n_window - self._filled)
            self._window[:, self._filled : self._filled + stop - start] = samples[start:stop].T
            self._filled += stop - start
            if self._filled == n_window:
                self._decide()
                self._filled = 0
            if self.signs is not signs:
                yield first, stop, signs
                first, signs = stop, self.signs
            start = stop
        if first < len(samples):
            yield first, len(samples), signs

    def _decide(self) -> None:
        """Choose the signs for the next window."""
        window = self._window  # overwritten by the next one
        channels, n = window.shape
        with np.errstate(all="ignore"):  # invalid samples
            window -= window.mean(axis=1, dtype=np.float64, keepdims=True).astype(np.float32)
            powers = [_product(channel, channel) for channel in window]
            power = sum(powers) / (n * channels)
            mid = to_mono(window.T)
            mean_power = _product(mid, mid) / n
        if not np.isfinite(power):
            return
        self._mean_power = _DECAY * self._mean_power + mean_power
        self._power = _DECAY * self._power + power
        # The mean of n independent channels has 1/n of their power. For two, the power is that of mid and side.
        ratio = 1 + 10 ** ((CANCEL_DB if self.signs is None else RESTORE_DB) / 10)
        if self._mean_power * ratio >= self._power * 2 / channels:
            self.signs = None
        elif self.signs is None:
            loudest = window[np.argmax(powers)]
            products = np.array([_product(loudest, channel) for channel in window])
            signs = np.where(products < 0, -1, 1).astype(np.float32)
            self.signs = signs * signs[0]  # the first channel is not inverted


def _product(a: Samples, b: Samples) -> float:
    """Return the inner product of `(n,)` samples. einsum uses one thread and no temporary array, unlike np.dot."""
    return float(np.einsum("i,i->", a, b))
