"""Self-distillation for robustness: the student learns to give the outputs for clean input on degraded input.

The student itself provides the targets, so any unlabelled music will do, including mel archives without audio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genre_edge.mel.spectrogram import Frames
from tools.training import augment, examples, fit
from tools.training.architectures import Architecture

if TYPE_CHECKING:
    import keras

PATCHES_PER_EPOCH = 12_000
VALIDATION_PATCHES = 1000


@dataclass(frozen=True)
class Recording:
    """Frames in dB, `(n_mels, n)`; every `step`-th is a frame at the network's rate."""

    frames: Frames
    step: int


def robust_finetune(
    network: keras.Model,
    normalisation: str,
    sources: list[list[Recording]],
    architecture: Architecture,
    schedule: fit.Schedule,
    checkpoint: Path,
    identity: dict[str, Any],
    seed: int,
) -> tuple[keras.Model, fit.History]:
    """Return (network, history): a copy of `network`, fine-tuned to give its clean outputs on degraded patches.

    Args:
        network: provides the targets; it is not changed.
        normalisation: the normalisation that `network` was trained with.
        sources: lists of recordings; each list contributes the same number of patches.

    Raises:
        SystemExit: the checkpoint belongs to another run.
    """
    import keras

    student = keras.models.clone_model(network)
    student.set_weights(network.get_weights())

    def targets(clean: np.ndarray) -> np.ndarray:
        return examples.predict_in_batches(network, examples.normalise_patches(clean, normalisation, architecture.mel))

    def epoch(number: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([seed, number])
        x, y = [], []
        for _ in range(max(1, PATCHES_PER_EPOCH // schedule.batch_size)):
            clean = _clean_batch(sources, architecture, schedule.batch_size, rng)
            degraded = examples.normalise_patches(
                augment.degrade(clean, rng), architecture.normalisation, architecture.mel
            )[..., 0]
            x.append(augment.mask(degraded, rng)[..., None])
            y.append(targets(clean))
        return np.concatenate(x), np.concatenate(y)

    return fit.fit(
        build=lambda: student,
        loss="mse",
        epoch_data=epoch,
        schedule=schedule,
        checkpoint=checkpoint,
        identity=identity,
        seed=seed,
        validate=_validation(targets, sources, architecture, seed),
    )


def _clean_batch(
    sources: list[list[Recording]], architecture: Architecture, k: int, rng: np.random.Generator
) -> np.ndarray:
    """Return `k` random crops, `(k, n_mels, patch_frames)` in dB, with random equaliser and noise floor."""
    crops = []
    for i in range(k):
        source = sources[i % len(sources)]
        recording = source[rng.integers(len(source))]
        first = int(rng.integers(recording.frames.shape[1]))
        crops.append(augment.crop(recording.frames, first, architecture.patch_frames, recording.step, rng))
    return augment.perturb(np.stack(crops), rng, band_limited_share=0.0)


def _validation(
    targets: Callable[[np.ndarray], np.ndarray], sources: list[list[Recording]], architecture: Architecture, seed: int
) -> Callable[[keras.Model], dict[str, float]]:
    """Return a function that computes the share of the targets' variance explained on clean and degraded patches."""
    rng = np.random.default_rng([seed, 1_000_000])
    clean = _clean_batch(sources, architecture, VALIDATION_PATCHES, rng)
    patches = {
        "smooth": clean,
        "noise": augment.add_noise(clean, rng, 10, 10),
        "narrow": augment.limit_band(clean, rng),
    }
    inputs = {
        name: examples.normalise_patches(x, architecture.normalisation, architecture.mel) for name, x in patches.items()
    }
    truth = targets(clean)
    total = ((truth - truth.mean(axis=0)) ** 2).sum()

    def validate(network: keras.Model) -> dict[str, float]:
        residual = {name: ((examples.predict_in_batches(network, x) - truth) ** 2).sum() for name, x in inputs.items()}
        return {f"kept_{name}": float(1 - value / total) for name, value in residual.items()}

    return validate
