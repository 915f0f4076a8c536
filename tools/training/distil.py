"""Distillation (Hinton et al. 2015): train the student to predict the teacher's outputs on unlabelled music."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import Ridge

from genre_edge.model.bundle import Bundle, bundle_path
from tools.training import augment, examples, fit, float_network
from tools.training.architectures import Architecture
from tools.training.corpus import OVERSAMPLING, Song

if TYPE_CHECKING:
    import keras

JITTER = 10  # oversampled frames (0.2 s) that a crop may start before or after the teacher's patch
MIXUP_SHARE = 0.3  # of the examples
MAX_DEVIATION = 4.0  # standard deviations at which targets are clipped
RIDGE_ALPHA = 1e-3  # regularisation of a new last layer, per patch
VALIDATION_SONGS = 25


@dataclass(frozen=True)
class DistillationData:
    """Songs split into training and validation, and the mean and inverse deviation of the training targets."""

    train: list[Song]
    validation: list[Song]
    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def split(cls, songs: list[Song], seed: int) -> DistillationData:
        """Keep a few songs for validation and standardise by the others.

        Raises:
            SystemExit: there are too few songs.
        """
        order = np.random.default_rng(seed).permutation(len(songs))
        validation, train = [songs[i] for i in order[:VALIDATION_SONGS]], [songs[i] for i in order[VALIDATION_SONGS:]]
        if not train:
            raise SystemExit(f"--listen needs more than {VALIDATION_SONGS} songs, got {len(songs)}")
        targets = np.concatenate([song.targets for song in train])
        deviation = targets.std(axis=0)
        # Nearly constant outputs of the teacher carry no information: their weight is 0.
        active = deviation > 0.05 * np.median(deviation)
        scale = np.where(active, 1 / np.maximum(deviation, 1e-6), 0).astype(np.float32)
        return cls(train, validation, targets.mean(axis=0), scale)

    def targets(self, song: Song) -> np.ndarray:
        """Return a song's standardised and clipped targets, float32 `(patches, targets)`."""
        standardised: np.ndarray = np.clip((song.targets - self.mean) * self.scale, -MAX_DEVIATION, MAX_DEVIATION)
        return standardised.astype(np.float32)


def distil(
    songs: list[Song], architecture: Architecture, epochs: int, checkpoint: Path, seed: int
) -> tuple[keras.Model, fit.History]:
    """Return (network, history): a network trained to predict the teacher's standardised targets.

    Raises:
        SystemExit: there are too few songs, or the checkpoint belongs to another run.
    """
    data = DistillationData.split(songs, seed)
    return fit.fit(
        build=lambda: architecture.build(architecture.shape, len(data.mean)),
        loss="mse",
        epoch_data=_epochs(data, architecture, seed),
        schedule=replace(architecture.schedule, epochs=epochs),
        checkpoint=checkpoint,
        identity={"network": architecture.build.__name__, "songs": sorted(song.name for song in songs)},
        seed=seed,
        validate=lambda network: {
            "explained": _explained_variance(network, data, architecture, architecture.normalisation)
        },
    )


def start_from_bundle(
    bundle: str, songs: list[Song], architecture: Architecture, seed: int
) -> tuple[keras.Model, str, fit.History]:
    """Return (network, normalisation, history): a bundle's layers with a new last layer.

    A bundle's last layer predicts genres; the new one predicts the teacher's targets again (ridge regression).

    Raises:
        SystemExit: there are too few songs, or the bundle's architecture is unknown.
    """
    data = DistillationData.split(songs, seed)
    network, normalisation = float_network.load(bundle), Bundle.load(bundle_path(bundle)).normalisation
    x = _teacher_patches(data.train, architecture, normalisation)
    float_network.recalibrate_batchnorm(network, x[:: max(1, len(x) // 2000)])
    backbone = float_network.backbone(network)
    features = examples.predict_in_batches(backbone, x)
    y = np.concatenate([data.targets(song) for song in data.train])
    student = float_network.with_linear_head(backbone, Ridge(alpha=len(x) * RIDGE_ALPHA).fit(features, y))
    return student, normalisation, [{"explained": _explained_variance(student, data, architecture, normalisation)}]


def _epochs(data: DistillationData, architecture: Architecture, seed: int) -> fit.EpochData:
    """Return the epochs: each has every teacher patch once, with new random augmentation."""
    songs = data.train
    targets = [data.targets(song) for song in songs]
    pairs = [(i, j) for i, song in enumerate(songs) for j in range(len(song.starts))]

    def epoch(number: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([seed, number])
        order = [pairs[k] for k in rng.permutation(len(pairs))]
        x = np.empty((len(order), architecture.mel.n_mels, architecture.patch_frames, 1), dtype=np.float32)
        y = np.stack([targets[i][j] for i, j in order])
        size = architecture.schedule.batch_size
        for first in range(0, len(order), size):
            batch = slice(first, first + size)
            starts = [
                (songs[i].frames, songs[i].starts[j] + rng.integers(-JITTER, JITTER + 1)) for i, j in order[batch]
            ]
            crops = [augment.crop(f, start, architecture.patch_frames, OVERSAMPLING, rng) for f, start in starts]
            perturbed = augment.perturb(np.stack(crops), rng)
            normalised = examples.normalise_patches(perturbed, architecture.normalisation, architecture.mel)[..., 0]
            x[batch, ..., 0], y[batch] = augment.mixup(augment.mask(normalised, rng), y[batch], rng, MIXUP_SHARE)
        return x, y

    return epoch


def _teacher_patches(songs: list[Song], architecture: Architecture, normalisation: str) -> np.ndarray:
    """Return the patches that the teacher's targets belong to, not augmented, `(k, n_mels, patch_frames, 1)`."""
    index = np.arange(architecture.patch_frames) * OVERSAMPLING
    crops = [song.frames[:, (start + index) % song.frames.shape[1]] for song in songs for start in song.starts]
    return examples.normalise_patches([crop.astype(np.float32) for crop in crops], normalisation, architecture.mel)


def _explained_variance(
    network: keras.Model, data: DistillationData, architecture: Architecture, normalisation: str
) -> float:
    """Return the share of the targets' variance that the network explains on the validation songs."""
    outputs = examples.predict_in_batches(network, _teacher_patches(data.validation, architecture, normalisation))
    targets = np.concatenate([data.targets(song) for song in data.validation])
    return float(1 - ((outputs - targets) ** 2).sum() / ((targets - targets.mean(axis=0)) ** 2).sum())
