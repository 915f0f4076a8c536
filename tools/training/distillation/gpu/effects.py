"""Effects on batches of sounds, simulated in their mel spectrograms, `(k, n_mels, n)` float32 in dB.

The arithmetic is that of `tools.training.distillation.effects`; parameters are tensors with a value for each sound.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

FLOOR_DB = -100.0
NEPER = math.log(10) / 10  # per dB of power


def to_power(x: Tensor) -> Tensor:
    """Convert dB to power."""
    return torch.exp(x * NEPER)


def to_db(power: Tensor) -> Tensor:
    """Convert power to dB, at least FLOOR_DB."""
    return torch.log(power.clamp(min=10 ** (FLOOR_DB / 10))) / NEPER


def column(values: Tensor) -> Tensor:
    """Return the parameters of each sound, `(k,)`, in the shape that spectrograms are multiplied by."""
    return values[:, None, None]


def mean_power(power: Tensor) -> Tensor:
    """Return the mean power of each sound, `(k, 1, 1)`."""
    return power.mean(dim=(1, 2), keepdim=True)


def equalise(x: Tensor, gains: Tensor) -> Tensor:
    """Add `gains` in dB, `(k, points)`, at points that are evenly spread over the bands, and between them linearly."""
    curve = torch.nn.functional.interpolate(gains[:, None], size=x.shape[1], mode="linear", align_corners=True)
    return x + curve.transpose(1, 2)


def mix(x: Tensor, other: Tensor, gain_db: Tensor) -> Tensor:
    """Add another sound at `gain_db` relative to the first one's mean power."""
    power, added = to_power(x), to_power(other)
    gain = to_power(column(gain_db)) * mean_power(power) / mean_power(added).clamp(min=1e-12)
    return to_db(power + gain * added)


def bandpass(x: Tensor, low: Tensor, high: Tensor, slope_db: Tensor) -> Tensor:
    """Attenuate by `slope_db` per band below the band `low` and above the band `high` (positions on their axis)."""
    index = torch.arange(x.shape[1], device=x.device, dtype=x.dtype)[None, :, None]
    outside = (index - column(high)).clamp(min=0) + (column(low) - index).clamp(min=0)
    return (x - column(slope_db) * outside).clamp(min=FLOOR_DB)


def reverberate(x: Tensor, decay: Tensor, wet: Tensor) -> Tensor:
    """Add reverberation: each frame's power times `wet`, which decays by the factor `decay` from frame to frame."""
    power = to_power(x)
    tail, factor, distance = power * column(wet), column(decay), 1
    while distance < x.shape[2]:  # after each pass, the sum over twice as many frames
        earlier = torch.nn.functional.pad(tail[..., :-distance], (distance, 0))
        tail, factor, distance = tail + factor * earlier, factor * factor, 2 * distance
    return to_db(power + tail)


def add_noise(x: Tensor, noise: Tensor, snr_db: Tensor) -> Tensor:
    """Add noise of some power, `(k, n_mels, n)`, at a signal-to-noise ratio."""
    power = to_power(x)
    return to_db(power + to_power(-column(snr_db)) * mean_power(power) / mean_power(noise) * noise)


def code(x: Tensor, threshold_db: Tensor, loss_db: Tensor) -> Tensor:
    """Attenuate by `loss_db` what is `threshold_db` fainter than the loudest band of its frame, as lossy codecs do."""
    is_faint = x < x.amax(dim=1, keepdim=True) - column(threshold_db)
    return torch.where(is_faint, x - column(loss_db), x)


def normalise(x: Tensor, gain: Tensor, top_db: float, offset: float, divisor: float) -> Tensor:
    """Return the networks' input for spectrograms: "pre_emphasis" of `genre_edge.model.preprocessing.normalise`.

    Args:
        x: spectrograms.
        gain: power gain of the pre-emphasis filter in each band, `(n_mels, 1)`.
        top_db: dynamic range below the mean power.
        offset, divisor: of the compression.
    """
    power = to_power(x - x.amax(dim=(1, 2), keepdim=True)) * gain
    return (torch.log(power / mean_power(power) + 10 ** (-top_db / 10)) + offset) / divisor
