"""Effects on sound, simulated in its mel spectrogram: `(n_mels, n)` float32 in dB.

They are much faster than effects on samples, and keep what a network sees of a codec, a telephone or a room. Powers of
different sounds add up, since their phases are independent.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames, MelSpectrogram
from tools.training.distillation import parameters

FLOOR_DB = -100.0  # about the level of digital silence
_NEPER = np.float32(np.log(10) / 10)  # per dB of power

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

    def noise_distribution(self) -> tuple[np.ndarray, np.ndarray]:
        """Return shape and mean of the gamma distribution of white noise's power in each band, `(n_mels,)` each.

        The more bins in a band, the steadier its power.
        """
        weights = MelSpectrogram(self.mel).filterbank()
        # Bins that vary independently: the bins of a band, less their correlation by zero padding and the Hann window
        independent = (self.mel.win_length or self.mel.n_fft) / self.mel.n_fft / 1.5
        bins = np.maximum(1, independent * weights.sum(axis=1) ** 2 / (weights**2).sum(axis=1))
        return bins, weights.sum(axis=1)

    @cached_property
    def _white_noise(self) -> Frames:
        """Power of white noise, `(n_mels, parameters.NOISE_FRAMES)`."""
        shape, power = self.noise_distribution()
        noise = np.random.default_rng(0).standard_gamma(shape[:, None], (len(shape), parameters.NOISE_FRAMES))
        scaled: Frames = (noise / shape[:, None] * power[:, None]).astype(np.float32)
        return scaled

    def band(self, hz: float) -> float:
        """Return the position of a frequency on the axis of bands."""
        return float(np.interp(hz, self.band_hz, np.arange(self.mel.n_mels), left=-9, right=self.mel.n_mels + 9))

    def equalise(self, x: Frames, rng: Rng) -> Frames:
        """Apply a random smooth equaliser."""
        gains = rng.normal(0, parameters.EQ_DB, parameters.EQ_POINTS) * rng.random()
        curve = np.interp(np.arange(len(x)), np.linspace(0, len(x) - 1, parameters.EQ_POINTS), gains)
        return x + curve.astype(np.float32)[:, None]

    def add_noise(self, x: Frames, snr_db: float, rng: Rng) -> Frames:
        """Add stationary noise, from brighter than white to darker than pink, at a signal-to-noise ratio in dB."""
        slope = (rng.uniform(*parameters.NOISE_SLOPE_DB) * np.linspace(0, 1, len(x))).astype(np.float32)
        first = rng.integers(parameters.NOISE_FRAMES - x.shape[1])
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
        low, high = rng.uniform(*parameters.TELEPHONE_LOW_HZ), rng.uniform(*parameters.TELEPHONE_HIGH_HZ)
        return self.bandpass(x, low, high, rng.uniform(*parameters.TELEPHONE_SLOPE_DB))

    def limit_band(self, x: Frames, rng: Rng) -> Frames:
        """Limit to the telephone band, by a common low-pass, or gently at both ends."""
        kind = rng.random()
        if kind < parameters.TELEPHONE_SHARE:
            return self.telephone(x, rng)
        if kind < parameters.TELEPHONE_SHARE + parameters.LOW_PASS_SHARE:
            high = rng.choice(parameters.LOW_PASS_HZ) * rng.uniform(*parameters.LOW_PASS_FACTOR)
            return self.bandpass(x, 0, high, rng.uniform(*parameters.LOW_PASS_SLOPE_DB))
        low, high = rng.uniform(*parameters.GENTLE_LOW_HZ), rng.uniform(*parameters.GENTLE_HIGH_HZ)
        return self.bandpass(x, low, high, rng.uniform(*parameters.GENTLE_SLOPE_DB))

    def reverberate(self, x: Frames, rng: Rng) -> Frames:
        """Add the exponential decay of a room, and its colour."""
        from scipy.signal import lfilter

        frame_s = self.mel.hop_length / self.mel.sr
        decay = np.float32(10 ** (-6 * frame_s / rng.uniform(*parameters.DECAY_S)))
        wet = np.float32(rng.uniform(*parameters.WET)) * (1 - decay)
        power = to_power(x)
        reverberation = lfilter([wet], np.array([1, -decay], dtype=np.float32), power, axis=1)
        return self.equalise(to_db(power + reverberation.astype(np.float32)), rng)

    def code(self, x: Frames, rng: Rng) -> Frames:
        """Remove what a lossy codec does: bands far below the loudest of their frame, and the treble."""
        faint = x < x.max(axis=0, keepdims=True) - np.float32(rng.uniform(*parameters.CODEC_THRESHOLD_DB))
        coded = np.where(faint, x - np.float32(rng.uniform(*parameters.CODEC_LOSS_DB)), x)
        high = rng.uniform(*parameters.CODEC_HIGH_HZ)
        return self.bandpass(coded, 0, high, rng.uniform(*parameters.CODEC_SLOPE_DB))

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
    step = rng.uniform(*parameters.SPEED) if rng.random() < parameters.SPEED_SHARE else 1.0
    index = np.round(np.arange(length) * step).astype(int)
    is_repeated = rng.random() < parameters.REPEATED_SHARE
    piece = int(rng.uniform(min(parameters.SHORTEST_PIECE, length), length)) if is_repeated else index[-1] + 1
    first = rng.integers(max(1, frames.shape[1] - piece + 1))
    x = frames[:, first + index % min(piece, frames.shape[1] - first)].astype(np.float32)
    if rng.random() < parameters.SHIFTED_SHARE:
        shift = rng.integers(-parameters.SHIFT_BANDS, parameters.SHIFT_BANDS + 1)
        x = x[np.clip(np.arange(len(x)) - shift, 0, len(x) - 1)]
    return x
