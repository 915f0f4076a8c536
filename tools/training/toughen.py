"""The student learns to hear through noise, floors and narrow bands what it hears without them: its own teacher.

Nothing has to be heard by the big teacher for this, so any stretch of any music will do, mel archives too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genre_edge.mel.spectrogram import Frames
from genre_edge.model.preprocessing import normalise
from tools.training import augment, examples, fit
from tools.training.architectures import Architecture

PATCHES = 12_000  # an epoch
WATCHED = 1000  # patches of an epoch that is never learnt


@dataclass(frozen=True)
class Music:
    """Frames in dB, `(n_mels, n)`, of which every `step`-th is one of the network's."""

    frames: Frames
    step: int


def toughen(
    network: Any,
    normalisation: str,
    music: list[list[Music]],
    architecture: Architecture,
    schedule: fit.Schedule,
    checkpoint: Path,
    identity: dict[str, Any],
    seed: int,
) -> tuple[Any, list[dict[str, float]]]:
    """(network, history): a copy of `network` that says of rough patches what `network` says of them while smooth.

    `normalisation` is what `network` itself was trained with. Each list of `music` gives as many patches as the others.
    """
    import keras

    pupil = keras.models.clone_model(network)
    pupil.set_weights(network.get_weights())

    def said(smooth: np.ndarray) -> np.ndarray:
        return examples.in_batches(network, _ready(smooth, normalisation))

    def epoch(number: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([seed, number])
        x, y = [], []
        for _ in range(max(1, PATCHES // schedule.batch_size)):
            smooth = _smooth(music, architecture, schedule.batch_size, rng)
            rough = _ready(augment.roughen(smooth, rng), architecture.normalisation)[..., 0]
            x.append(augment.mask(rough, rng)[..., None])
            y.append(said(smooth))
        return np.concatenate(x), np.concatenate(y)

    return fit.fit(
        build=lambda: pupil,
        loss="mse",
        epoch_data=epoch,
        schedule=schedule,
        checkpoint=checkpoint,
        identity=identity,
        seed=seed,
        watch=_watch(said, music, architecture, seed),
    )


def _smooth(music: list[list[Music]], architecture: Architecture, k: int, rng: np.random.Generator) -> np.ndarray:
    """`k` crops from anywhere, `(k, n_mels, patch_frames)` in dB, each with an equaliser and a floor of its own."""
    crops = []
    for i in range(k):
        kind = music[i % len(music)]
        piece = kind[rng.integers(len(kind))]
        first = int(rng.integers(piece.frames.shape[1]))
        crops.append(augment.crop(piece.frames, first, architecture.patch_frames, piece.step, rng))
    return augment.change(np.stack(crops), rng, narrow=0.0)


def _ready(patches: np.ndarray, normalisation: str) -> np.ndarray:
    return np.stack([normalise(patch, normalisation, examples.TOP_DB) for patch in patches])[..., None]


def _watch(
    said: Callable[[np.ndarray], np.ndarray], music: list[list[Music]], architecture: Architecture, seed: int
) -> Callable[[Any], dict[str, float]]:
    """How much of what the first network says of smooth patches is still said of rough ones: shares of the variance."""
    rng = np.random.default_rng([seed, 1_000_000])
    smooth = _smooth(music, architecture, WATCHED, rng)
    rough = {"smooth": smooth, "noise": augment.noisy(smooth, rng, 10, 10), "narrow": augment.cut_bands(smooth, rng)}
    ready = {name: _ready(patches, architecture.normalisation) for name, patches in rough.items()}
    truth = said(smooth)
    total = ((truth - truth.mean(axis=0)) ** 2).sum()

    def watch(network: Any) -> dict[str, float]:
        lost = {name: ((examples.in_batches(network, x) - truth) ** 2).sum() for name, x in ready.items()}
        return {f"kept_{name}": float(1 - value / total) for name, value in lost.items()}

    return watch
