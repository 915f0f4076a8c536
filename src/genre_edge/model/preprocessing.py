"""Arithmetic before and after the network: normalisation of patches, softmax and probabilities."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames, MelSpectrogram
from genre_edge.model.layout import OutputLayout

NORMALISATIONS = ("minmax", "standard", "active_bands", "pre_emphasis")
PRE_EMPHASIS = 0.97  # coefficient of the filter y[t] - PRE_EMPHASIS * y[t - 1]
LOG_OFFSET, LOG_DIVISOR = np.float32(3.3), np.float32(5)  # of "pre_emphasis", after the logarithm
_NEPER = np.float32(np.log(10) / 10)  # per dB of power


def normalise(patch_db: Frames, kind: str, top_db: float, mel: MelConfig) -> Frames:
    """Normalise a patch for the network. The result does not depend on the gain of the audio.

    Args:
        patch_db: `(n_mels, n_frames)` float32 in dB.
        kind: "minmax" scales to 0..1, as the paper does (models/paper/MODEL_CARD.md); "standard" scales to mean 0 and
            standard deviation 1; "active_bands" does so with mean and standard deviation of the bands that vary, so
            that bands without signal (such as the treble of a telephone line) do not change the scale of the others;
            "pre_emphasis" multiplies the power of each band by the gain of a pre-emphasis filter, divides it by the
            mean power, and compresses it: `(ln(power + 10 ** (-top_db / 10)) + 3.3) / 5`.
        top_db: dynamic range in dB; for "pre_emphasis" below the mean power, otherwise below the patch's maximum.
        mel: the front end.

    Returns:
        `(n_mels, n_frames)` float32; except with "pre_emphasis", zeros for a constant patch.
    """
    # C order, because numpy's sums depend on the memory order, and chunks may arrive in either.
    x = np.ascontiguousarray(patch_db) - patch_db.max()
    if kind == "pre_emphasis":
        return _compressed_power(x, top_db, mel)
    x = np.maximum(x, np.float32(-top_db))
    if kind == "minmax":
        x -= x.min()
        scale = x.max()
    else:
        is_active = np.ptp(x, axis=1) > 0
        active = x[is_active] if kind == "active_bands" and is_active.any() else x
        centre, scale = active.mean(), active.std()
        x -= centre
    return x / scale if scale > 0 else np.zeros_like(x)


def _compressed_power(x: Frames, top_db: float, mel: MelConfig) -> Frames:
    power = np.exp(x * _NEPER) * pre_emphasis_gain(mel)
    floor = np.float32(10 ** (-top_db / 10))
    compressed: Frames = (np.log(power / power.mean() + floor) + LOG_OFFSET) / LOG_DIVISOR
    return compressed


@lru_cache(maxsize=8)
def pre_emphasis_gain(mel: MelConfig) -> NDArray[np.float32]:
    """Return the power gain of the pre-emphasis filter for white noise in each mel band, float32 `(n_mels, 1)`."""
    filterbank = MelSpectrogram(mel).filterbank().astype(np.float64)
    frequency = 2 * np.pi * np.arange(filterbank.shape[1]) / mel.n_fft
    gain = 1 - 2 * PRE_EMPHASIS * np.cos(frequency) + PRE_EMPHASIS**2
    total = filterbank.sum(axis=1)
    # The value for a band without a bin of the FFT does not matter: it has no power.
    mean = np.divide(filterbank @ gain, total, out=np.ones_like(total), where=total > 0).astype(np.float32)
    column: NDArray[np.float32] = mean[:, None]
    return column


def softmax(logits: NDArray[np.float64], temperature: float = 1.0) -> NDArray[np.float64]:
    """Return the softmax of `logits / temperature` along the last axis: any shape, float64."""
    odds = np.exp((logits - logits.max(axis=-1, keepdims=True)) / temperature)
    result: NDArray[np.float64] = odds / odds.sum(axis=-1, keepdims=True)
    return result


def logistic(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logistic function of `logits`: any shape, float64."""
    result: NDArray[np.float64] = 1 / (1 + np.exp(-logits))
    return result


def probabilities(logits: NDArray[np.float64], layout: OutputLayout, temperature: float) -> NDArray[np.float64]:
    """Convert the network's output to probabilities, along the last axis.

    Temperature scaling: Guo et al., "On Calibration of Modern Neural Networks", 2017.

    Args:
        logits: `(..., n_logits)` float64.
        layout: positions of labels, styles and sounds.
        temperature: divides the labels' logits.

    Returns:
        `(..., n_probabilities)` float64: softmax of the labels; logistic function of the styles, of which a parent has
        at least the probability of each child; softmax of the sounds; if the layout has it, the probability that the
        audio is not music.
    """
    labels = softmax(logits[..., layout.labels], temperature)
    styles = logistic(logits[..., layout.styles])
    for child, parent in layout.style_links:
        styles[..., parent] = np.maximum(styles[..., parent], styles[..., child])
    if not layout.n_sounds:
        return np.concatenate([labels, styles, logistic(logits[..., layout.sounds.stop :])], axis=-1)
    sounds = softmax(logits[..., layout.sounds])
    return np.concatenate([labels, styles, sounds, 1 - sounds[..., :1]], axis=-1)
