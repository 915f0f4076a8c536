"""Arithmetic before and after the network: normalisation of patches, softmax and probabilities."""

import numpy as np
from numpy.typing import NDArray

from genre_edge.mel.spectrogram import Frames
from genre_edge.model.layout import OutputLayout

NORMALISATIONS = ("minmax", "standard", "active_bands")


def normalise(patch_db: Frames, kind: str, top_db: float) -> Frames:
    """Normalise a patch for the network. The result does not depend on the gain of the audio.

    Values are first limited to `top_db` dB below the patch's maximum.

    Args:
        patch_db: `(n_mels, n_frames)` float32 in dB.
        kind: "minmax" scales to 0..1, as the paper does (models/paper/MODEL_CARD.md); "standard" scales to mean 0 and
            standard deviation 1; "active_bands" does so with mean and standard deviation of the bands that vary, so
            that bands without signal (such as the treble of a telephone line) do not change the scale of the others.
        top_db: dynamic range in dB.

    Returns:
        `(n_mels, n_frames)` float32; zeros for a constant patch.
    """
    # C order, because numpy's sums depend on the memory order, and chunks may arrive in either.
    x = np.maximum(np.ascontiguousarray(patch_db) - patch_db.max(), np.float32(-top_db))
    if kind == "minmax":
        x -= x.min()
        scale = x.max()
    else:
        is_active = np.ptp(x, axis=1) > 0
        active = x[is_active] if kind == "active_bands" and is_active.any() else x
        centre, scale = active.mean(), active.std()
        x -= centre
    return x / scale if scale > 0 else np.zeros_like(x)


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
