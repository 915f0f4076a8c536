"""Random views of sound for student and teacher, made in batches on the GPU.

They are those of `tools.training.distillation.views` and, if `is_varied`, of more kinds: more mixtures, some of which
have the low bands of one recording and the high bands of another, and some crops that run backwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tools.training.distillation import parameters
from tools.training.distillation.exchange import files
from tools.training.distillation.exchange.files import SpectrogramFile
from tools.training.distillation.gpu import effects

GRID_HZ = 5  # of the frequencies whose positions on the axis of bands are known
BACKWARDS_SHARE = 0.1
VARIED_MIXED_SHARE = 0.6
# Share of mixtures with the low bands of one recording and the high bands of the other, and parameters of these
SPLIT_SHARE, SPLIT_BAND, SPLIT_SLOPE_DB, SPLIT_DB = 0.3, (20, 90), (1, 6), (-9, 9)


@dataclass(frozen=True)
class FrontEnd:
    """Constants of the networks' front end, float32.

    Attributes:
        gain: power gain of the pre-emphasis filter in each band, `(n_mels, 1)`.
        band_hz: centre frequency of each band in Hz.
        noise_shape: shape of the gamma distribution of white noise's power in each band.
        noise_power: its mean.
        top_db, offset, divisor: see `effects.normalise`.
        frame_s: seconds from frame to frame.
    """

    gain: np.ndarray
    band_hz: np.ndarray
    noise_shape: np.ndarray
    noise_power: np.ndarray
    top_db: float
    offset: float
    divisor: float
    frame_s: float

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of its constants in an exchange folder."""
        return [field.name for field in fields(cls)]

    @classmethod
    def of(cls, constants: Mapping[str, np.ndarray]) -> FrontEnd:
        """Return the front end of the constants in an exchange folder."""
        values = {name: constants[name] for name in cls.names()}
        arguments: dict[str, Any] = {name: value if value.ndim else float(value) for name, value in values.items()}
        return cls(**arguments)


class Spectrograms:
    """Spectrograms on the GPU, from which crops are chosen at random.

    Args:
        spectrograms: `(n_mels, n)` in dB each.
        weights: how often each is chosen.
        device: for example "cuda".
    """

    def __init__(self, spectrograms: Sequence[np.ndarray], weights: np.ndarray, device: str) -> None:
        lengths = [x.shape[1] for x in spectrograms]
        frames = [torch.from_numpy(np.ascontiguousarray(x.T)).to(torch.float16) for x in spectrograms]
        self.frames = torch.cat(frames).to(device)  # `(total, n_mels)`
        self.lengths = torch.tensor(lengths, device=device)
        self.starts = torch.cumsum(self.lengths, 0) - self.lengths
        self.weights = torch.from_numpy(weights).to(device, torch.float32)

    @classmethod
    def load(cls, folder: Path, listed: Sequence[SpectrogramFile], device: str) -> Spectrograms:
        """Return spectrograms of an exchange folder.

        Raises:
            SystemExit: there is none, or a file is missing or damaged.
        """
        if not listed:
            raise SystemExit(
                f"{folder}: too few spectrograms: none to learn from, or none to measure the students with"
            )
        weights = np.array([file.weight for file in listed])
        return cls([files.load_spectrogram(folder, file) for file in listed], weights, device)

    def crop(self, k: int, length: int, rng: torch.Generator, backwards_share: float = 0.0) -> Tensor:
        """Return `(k, n_mels, length)`: random crops as those of `effects.crop`, a share of them backwards."""
        device = self.frames.device
        chosen = torch.multinomial(self.weights, k, replacement=True, generator=rng)
        n = self.lengths[chosen]
        step = torch.where(_chance(k, parameters.SPEED_SHARE, rng), _uniform(k, parameters.SPEED, rng), 1.0)
        index = torch.round(torch.arange(length, device=device) * step[:, None]).long()
        repeated = _uniform(k, (min(parameters.SHORTEST_PIECE, length), length), rng).long()
        piece = torch.where(_chance(k, parameters.REPEATED_SHARE, rng), repeated, index[:, -1] + 1)
        first = (torch.rand(k, generator=rng, device=device) * (n - piece + 1).clamp(min=1)).long()
        index = index % torch.minimum(piece, n - first)[:, None]
        backwards = _chance(k, backwards_share, rng)[:, None]
        index = torch.where(backwards, index.flip(1), index)
        x = self.frames[(self.starts[chosen] + first)[:, None] + index].transpose(1, 2).float()
        most = parameters.SHIFT_BANDS
        shift = torch.randint(-most, most + 1, (k,), generator=rng, device=device)
        shift = torch.where(_chance(k, parameters.SHIFTED_SHARE, rng), shift, 0)
        bands = (torch.arange(x.shape[1], device=device) - shift[:, None]).clamp(0, x.shape[1] - 1)
        return torch.gather(x, 1, bands[:, :, None].expand(-1, -1, length))


class ViewMaker:
    """Maker of batches of random views.

    Args:
        spectrograms: to crop.
        front_end: of the networks.
        seed: of all random numbers.
        is_varied: whether to make the views that `tools.training.distillation.views` does not make.
    """

    def __init__(self, spectrograms: Spectrograms, front_end: FrontEnd, seed: int, is_varied: bool = True) -> None:
        device = spectrograms.frames.device
        self._spectrograms, self._front_end, self._seed = spectrograms, front_end, seed
        self._rng = torch.Generator(device).manual_seed(seed)
        self._backwards_share = BACKWARDS_SHARE if is_varied else 0.0
        self._mixed_share = VARIED_MIXED_SHARE if is_varied else parameters.MIXED_SHARE
        self._split_share = SPLIT_SHARE if is_varied else 0.0
        self._gain = torch.from_numpy(front_end.gain).to(device)
        hz = np.arange(0, 20000 + GRID_HZ, GRID_HZ)
        n_mels = len(front_end.band_hz)
        positions = np.interp(hz, front_end.band_hz, np.arange(n_mels), left=-9, right=n_mels + 9)
        self._positions = torch.from_numpy(positions).to(device, torch.float32)
        shape = front_end.noise_shape[:, None].astype(np.float64)
        noise = np.random.default_rng(0).standard_gamma(shape, (n_mels, parameters.NOISE_FRAMES))  # as in `Effects`
        noise *= front_end.noise_power[:, None] / shape
        self._noise = torch.from_numpy(noise.astype(np.float32)).to(device)

    def restart(self) -> None:
        """Make the same views again."""
        self._rng.manual_seed(self._seed)

    def batch(self, k: int, length: int, degraded_share: float) -> tuple[Tensor, Tensor]:
        """Return the (students', teacher's) inputs of `k` views, float32 `(k, 1, n_mels, length)`."""
        rng = self._rng
        x = self._crop(k, length)
        other = self._crop(k, length)
        mixed = effects.mix(x, other, _uniform(k, parameters.MIX_DB, rng))
        mixed = _choose(_chance(k, self._split_share, rng), self._split(x, other), mixed)
        x = _choose(_chance(k, self._mixed_share, rng), mixed, x)
        floor = x.amax(dim=(1, 2), keepdim=True) - effects.column(_uniform(k, parameters.NOISE_FLOOR_DB, rng))
        x = _choose(_chance(k, parameters.NOISE_FLOOR_SHARE, rng), torch.maximum(x, floor), x)
        degraded, clean = self._degraded(x)
        is_degraded = _chance(k, degraded_share, rng)
        student, teacher = _choose(is_degraded, degraded, x), _choose(is_degraded, clean, x)
        return self._input(student), self._input(teacher)

    def _input(self, x: Tensor) -> Tensor:
        f = self._front_end
        return effects.normalise(x, self._gain, f.top_db, f.offset, f.divisor)[:, None]

    def _crop(self, k: int, length: int) -> Tensor:
        return self._equalised(self._spectrograms.crop(k, length, self._rng, self._backwards_share))

    def _equalised(self, x: Tensor) -> Tensor:
        k, rng = len(x), self._rng
        gains = torch.randn((k, parameters.EQ_POINTS), generator=rng, device=x.device) * parameters.EQ_DB
        return effects.equalise(x, gains * torch.rand((k, 1), generator=rng, device=x.device))

    def _split(self, x: Tensor, other: Tensor) -> Tensor:
        """Return the low bands of one sound with the high bands of the other."""
        k, rng = len(x), self._rng
        border, slope = _uniform(k, SPLIT_BAND, rng), _uniform(k, SPLIT_SLOPE_DB, rng)
        everything = torch.full_like(border, x.shape[1])
        low = effects.bandpass(x, 0 * border, border, slope)
        return effects.mix(low, effects.bandpass(other, border, everything, slope), _uniform(k, SPLIT_DB, rng))

    def _degraded(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return each sound with one or more effects, and what the teacher gets: it, with loud noise if any."""
        k, rng, teacher = len(x), self._rng, x
        shares = torch.tensor(parameters.EFFECT_SHARES, device=x.device)
        chosen = torch.rand((k, len(shares)), generator=rng, device=x.device) < shares
        one = torch.randint(len(shares), (k,), generator=rng, device=x.device)
        chosen |= ~chosen.any(dim=1, keepdim=True) & (torch.arange(len(shares), device=x.device) == one[:, None])
        room, band, noise, codec = chosen.T
        x = _choose(room, self._reverberated(x), x)
        x = _choose(band, self._band_limited(x), x)
        snr_db = _uniform(k, parameters.SNR_DB, rng)
        power, teachers_power = self._random_noise(k, x.shape[2]), self._random_noise(k, x.shape[2])
        x = _choose(noise, effects.add_noise(x, power, snr_db), x)
        teacher = _choose(
            noise & (snr_db < parameters.AUDIBLE_NOISE_DB), effects.add_noise(teacher, teachers_power, snr_db), teacher
        )
        return _choose(codec, self._coded(x), x), teacher

    def _reverberated(self, x: Tensor) -> Tensor:
        k, rng = len(x), self._rng
        decay = 10 ** (-6 * self._front_end.frame_s / _uniform(k, parameters.DECAY_S, rng))
        return self._equalised(effects.reverberate(x, decay, _uniform(k, parameters.WET, rng) * (1 - decay)))

    def _band_limited(self, x: Tensor) -> Tensor:
        """Limit to the telephone band, by a common low-pass, or gently at both ends."""
        k, rng = len(x), self._rng
        kind = torch.rand(k, generator=rng, device=x.device)
        p = parameters
        common = torch.tensor(p.LOW_PASS_HZ, device=x.device, dtype=x.dtype)
        common = common[torch.randint(len(common), (k,), generator=rng, device=x.device)]
        common = common * _uniform(k, p.LOW_PASS_FACTOR, rng)

        def by_kind(telephone: Tensor, low_pass: Tensor, gentle: Tensor) -> Tensor:
            is_low_pass = kind < p.TELEPHONE_SHARE + p.LOW_PASS_SHARE
            return torch.where(kind < p.TELEPHONE_SHARE, telephone, torch.where(is_low_pass, low_pass, gentle))

        def ranges(*limits: parameters.Range) -> list[Tensor]:
            return [_uniform(k, range_, rng) for range_ in limits]

        telephone_low, gentle_low = ranges(p.TELEPHONE_LOW_HZ, p.GENTLE_LOW_HZ)
        telephone_high, gentle_high = ranges(p.TELEPHONE_HIGH_HZ, p.GENTLE_HIGH_HZ)
        low = by_kind(self._band(telephone_low), 0 * kind, self._band(gentle_low))
        high = self._band(by_kind(telephone_high, common, gentle_high))
        slope = by_kind(*ranges(p.TELEPHONE_SLOPE_DB, p.LOW_PASS_SLOPE_DB, p.GENTLE_SLOPE_DB))
        return effects.bandpass(x, low, high, slope)

    def _random_noise(self, k: int, length: int) -> Tensor:
        """Return the power of stationary noise, from brighter than white to darker than pink."""
        device, rng = self._noise.device, self._rng
        first = torch.randint(parameters.NOISE_FRAMES - length, (k,), generator=rng, device=device)
        noise = self._noise[:, first[:, None] + torch.arange(length, device=device)].transpose(0, 1)
        slope = torch.linspace(0, 1, noise.shape[1], device=device)[:, None]
        return noise * effects.to_power(effects.column(_uniform(k, parameters.NOISE_SLOPE_DB, rng)) * slope)

    def _coded(self, x: Tensor) -> Tensor:
        k, rng = len(x), self._rng
        threshold, loss = (_uniform(k, p, rng) for p in (parameters.CODEC_THRESHOLD_DB, parameters.CODEC_LOSS_DB))
        high = self._band(_uniform(k, parameters.CODEC_HIGH_HZ, rng))
        coded = effects.code(x, threshold, loss)
        return effects.bandpass(coded, 0 * high, high, _uniform(k, parameters.CODEC_SLOPE_DB, rng))

    def _band(self, hz: Tensor) -> Tensor:
        """Return the positions of frequencies on the axis of bands."""
        return self._positions[(hz / GRID_HZ).round().long()]


def _uniform(k: int, limits: parameters.Range, rng: torch.Generator) -> Tensor:
    low, high = limits
    return low + (high - low) * torch.rand(k, generator=rng, device=rng.device)


def _chance(k: int, share: float, rng: torch.Generator) -> Tensor:
    return torch.rand(k, generator=rng, device=rng.device) < share


def _choose(condition: Tensor, x: Tensor, otherwise: Tensor) -> Tensor:
    """Return `x` for the sounds of the batch for which the condition holds."""
    return torch.where(effects.column(condition), x, otherwise)
