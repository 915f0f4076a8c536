"""Effects on sound, simulated in its mel spectrogram: `(n_mels, n)` float32 in dB.

They are much faster than effects on samples, and keep what a network sees of a codec, a telephone or a room. Powers of
different sounds add up, since their phases are independent.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames, MelSpectrogram

FLOOR_DB = -100.0  # about the level of digital silence
EQ_POINTS, EQ_DB = 8, 4.0  # support points of a random equaliser and their standard deviation
LOW_PASS_HZ = 3500, 4000, 5500, 7000, 8000, 10000, 11000  # upper limits of telephones, old recordings and low bit rates
_NEPER = np.float32(np.log(10) / 10)  # per dB of power
_NOISE_FRAMES = 60_000

Rng = np.random.Generator


def to_power(x: Frames) -> Frames:
    """Convert dB to power."""
    power: Frames = np.exp(x * _NEPER)
    return power


def to_db(power: Frames) -> Frames:
    """Convert power to dB, at least FLOOR_DB."""
    floor = np.float32(10 ** (FLOOR_DB / 10))
    db: Frames = (np.log(np.maximum(power, floor)) / _NEPER).astype(np.float32)
    return db


@dataclass(frozen=True)
class Effects:
    """Random effects for the spectrograms of a front end."""

    mel: MelConfig

    @cached_property
    def band_hz(self) -> np.ndarray:
        """Centre frequency of each band in Hz, increasing."""
        weights = MelSpectrogram(self.mel).filterbank()
        centre: np.ndarray = weights @ np.arange(weights.shape[1]) / weights.sum(axis=1) * self.mel.sr / self.mel.n_fft
        return centre

    @cached_property
    def _white_noise(self) -> Frames:
        """Power of white noise, `(n_mels, _NOISE_FRAMES)`: the more bins in a band, the steadier its power."""
        weights = MelSpectrogram(self.mel).filterbank()
        # Bins that vary independently: the bins of a band, less their correlation by zero padding and the Hann window
        independent = (self.mel.win_length or self.mel.n_fft) / self.mel.n_fft / 1.5
        bins = np.maximum(1, independent * weights.sum(axis=1) ** 2 / (weights**2).sum(axis=1))
        noise = np.random.default_rng(0).standard_gamma(bins[:, None], (len(bins), _NOISE_FRAMES))
        scaled: Frames = (noise / bins[:, None] * weights.sum(axis=1, keepdims=True)).astype(np.float32)
        return scaled

    def band(self, hz: float) -> float:
        """Return the position of a frequency on the axis of bands."""
        return float(np.interp(hz, self.band_hz, np.arange(self.mel.n_mels), left=-9, right=self.mel.n_mels + 9))

    def equalise(self, x: Frames, rng: Rng) -> Frames:
        """Apply a random smooth equaliser."""
        gains = rng.normal(0, EQ_DB, EQ_POINTS) * rng.random()
        curve = np.interp(np.arange(len(x)), np.linspace(0, len(x) - 1, EQ_POINTS), gains)
        return x + curve.astype(np.float32)[:, None]

    def add_noise(self, x: Frames, snr_db: float, rng: Rng) -> Frames:
        """Add stationary noise, from brighter than white to darker than pink, at a signal-to-noise ratio in dB."""
        slope = (rng.uniform(-25, 12) * np.linspace(0, 1, len(x))).astype(np.float32)
        first = rng.integers(_NOISE_FRAMES - x.shape[1])
        noise = self._white_noise[:, first : first + x.shape[1]] * to_power(slope)[:, None]
        power = to_power(x)
        return to_db(power + np.float32(10 ** (-snr_db / 10) * power.mean() / noise.mean()) * noise)

    def bandpass(self, x: Frames, low_hz: float, high_hz: float, slope_db: float) -> Frames:
        """Attenuate by `slope_db` per band beyond the limits; a low limit of 0 keeps the bass."""
        index = np.arange(len(x), dtype=np.float32)[:, None]
        low, high = (np.float32(self.band(hz)) for hz in (low_hz, high_hz))
        below = np.maximum(0, low - index) if low_hz > 0 else np.zeros_like(index)
        loss = np.float32(slope_db) * (np.maximum(0, index - high) + below)
        attenuated: Frames = np.maximum(x - loss, np.float32(FLOOR_DB))
        return attenuated

    def telephone(self, x: Frames, rng: Rng) -> Frames:
        """Keep the telephone band, about 300 to 3400 Hz."""
        return self.bandpass(x, rng.uniform(200, 350), rng.uniform(3000, 3700), rng.uniform(4, 40))

    def limit_band(self, x: Frames, rng: Rng) -> Frames:
        """Limit to the telephone band, by a common low-pass, or gently at both ends."""
        kind = rng.random()
        if kind < 0.4:
            return self.telephone(x, rng)
        if kind < 0.8:
            return self.bandpass(x, 0, rng.choice(LOW_PASS_HZ) * rng.uniform(0.95, 1.05), rng.uniform(4, 60))
        return self.bandpass(x, rng.uniform(80, 500), rng.uniform(4000, 15000), rng.uniform(0.5, 6))

    def reverberate(self, x: Frames, rng: Rng) -> Frames:
        """Add the exponential decay of a room, with a reverberation time of 0.2 to 1.2 s, and its colour."""
        from scipy.signal import lfilter

        frame_s = self.mel.hop_length / self.mel.sr
        decay = np.float32(10 ** (-6 * frame_s / rng.uniform(0.2, 1.2)))
        wet = np.float32(rng.uniform(0.2, 2.0)) * (1 - decay)
        power = to_power(x)
        reverberation = lfilter([wet], np.array([1, -decay], dtype=np.float32), power, axis=1)
        return self.equalise(to_db(power + reverberation.astype(np.float32)), rng)

    def code(self, x: Frames, rng: Rng) -> Frames:
        """Remove what a lossy codec does: bands far below the loudest of their frame, and the treble."""
        faint = x < x.max(axis=0, keepdims=True) - np.float32(rng.uniform(25, 55))
        coded = np.where(faint, x - np.float32(rng.uniform(5, 40)), x)
        return self.bandpass(coded, 0, rng.uniform(6000, 15500), rng.uniform(10, 60))

    def mix(self, x: Frames, other: Frames, gain_db: float) -> Frames:
        """Add another sound at `gain_db` relative to the first one's mean power."""
        power, other_power = to_power(x), to_power(other)
        gain = 10 ** (gain_db / 10) * power.mean() / max(float(other_power.mean()), 1e-12)
        return to_db(power + np.float32(gain) * other_power)


def crop(frames: np.ndarray, length: int, rng: Rng) -> Frames:
    """Return `length` frames from a random position, half of them at another speed, a third at another pitch.

    One crop in seven repeats a piece of 1 s or more, as the classifier does with short files; so does a recording that
    is too short.

    Args:
        frames: `(n_mels, n)` in dB, with 100 frames per second.
    """
    step = rng.uniform(0.85, 1.18) if rng.random() < 0.5 else 1.0
    index = np.round(np.arange(length) * step).astype(int)
    piece = int(rng.uniform(min(100, length), length)) if rng.random() < 0.15 else index[-1] + 1
    first = rng.integers(max(1, frames.shape[1] - piece + 1))
    x = frames[:, first + index % min(piece, frames.shape[1] - first)].astype(np.float32)
    if rng.random() < 0.35:
        shift = rng.integers(-4, 5)
        x = x[np.clip(np.arange(len(x)) - shift, 0, len(x) - 1)]
    return x
