"""The student learns to say what the teacher says of music without labels (distillation, Hinton et al. 2015)."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge

from genre_edge.model.bundle import Bundle, bundle_path
from genre_edge.model.preprocessing import normalise
from tools.training import augment, examples, fit, unquantised
from tools.training.architectures import Architecture
from tools.training.corpus import FINE, Song
from tools.training.examples import TOP_DB

JITTER = 10  # fine frames (0.2 s) that a crop may begin before or after what the teacher heard
MIXED = 0.3
FARTHEST = 4.0  # standard deviations; what is rarer says little
RIDGE = 1e-3  # regularisation of a new last layer, a patch
WATCHED = 25  # songs kept aside to see how much of the teacher is learnt


@dataclass(frozen=True)
class Lessons:
    """What the teacher said of the songs, each of its values brought to mean 0 and standard deviation 1."""

    learnt: list[Song]
    watched: list[Song]
    centre: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, songs: list[Song], seed: int) -> "Lessons":
        """Of some songs, a few of them kept aside."""
        order = np.random.default_rng(seed).permutation(len(songs))
        watched, learnt = [songs[i] for i in order[:WATCHED]], [songs[i] for i in order[WATCHED:]]
        if not learnt:
            raise SystemExit(f"--listen needs more than {WATCHED} songs, got {len(songs)}")
        targets = np.concatenate([song.targets for song in learnt])
        spread = targets.std(axis=0)
        # A unit of the teacher that never speaks has nothing to teach.
        alive = spread > 0.05 * np.median(spread)
        scale = np.where(alive, 1 / np.maximum(spread, 1e-6), 0).astype(np.float32)
        return cls(learnt, watched, targets.mean(axis=0), scale)

    def targets(self, song: Song) -> np.ndarray:
        return np.clip((song.targets - self.centre) * self.scale, -FARTHEST, FARTHEST).astype(np.float32)


def distil(
    songs: list[Song], architecture: Architecture, epochs: int, checkpoint: Path, seed: int
) -> tuple[Any, list[dict[str, float]]]:
    """(network, history): trained to give the teacher's standardised targets."""
    lessons = Lessons.of(songs, seed)
    return fit.fit(
        build=lambda: architecture.build(architecture.shape, len(lessons.centre)),
        loss="mse",
        epoch_data=_epochs(lessons, architecture, seed),
        schedule=replace(architecture.schedule, epochs=epochs),
        checkpoint=checkpoint,
        identity={"network": architecture.build.__name__, "songs": sorted(song.name for song in songs)},
        seed=seed,
        watch=lambda network: {"explained": _explained(network, lessons, architecture, architecture.normalisation)},
    )


def begin_from(
    bundle: str, songs: list[Song], architecture: Architecture, seed: int
) -> tuple[Any, str, list[dict[str, float]]]:
    """(network, normalisation, history): the layers of a finished bundle, and a last one anew.

    A bundle's last layer tells genres; that one gives the teacher's targets again (ridge regression).
    """
    lessons = Lessons.of(songs, seed)
    network, normalisation = unquantised.network(bundle), Bundle.load(bundle_path(bundle)).normalisation
    x = _as_heard(lessons.learnt, architecture, normalisation)
    unquantised.awaken(network, x[:: max(1, len(x) // 2000)])
    trunk = unquantised.trunk(network)
    features, y = examples.in_batches(trunk, x), np.concatenate([lessons.targets(song) for song in lessons.learnt])
    begun = unquantised.with_last_layer(trunk, Ridge(alpha=len(x) * RIDGE).fit(features, y))
    return begun, normalisation, [{"explained": _explained(begun, lessons, architecture, normalisation)}]


def _epochs(lessons: Lessons, architecture: Architecture, seed: int) -> fit.Epoch:
    """Every patch that the teacher heard, once an epoch and each time otherwise."""
    songs = lessons.learnt
    targets = [lessons.targets(song) for song in songs]
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
            crops = [augment.crop(f, start, architecture.patch_frames, FINE, rng) for f, start in starts]
            changed = augment.change(np.stack(crops), rng)
            ready = np.stack([normalise(patch, architecture.normalisation, TOP_DB) for patch in changed])
            x[batch, ..., 0], y[batch] = augment.mixup(augment.mask(ready, rng), y[batch], rng, MIXED)
        return x, y

    return epoch


def _as_heard(songs: list[Song], architecture: Architecture, normalisation: str) -> np.ndarray:
    """The very patches that the teacher heard."""
    index = np.arange(architecture.patch_frames) * FINE
    crops = [song.frames[:, (start + index) % song.frames.shape[1]] for song in songs for start in song.starts]
    return np.stack([normalise(crop.astype(np.float32), normalisation, TOP_DB) for crop in crops])[..., None]


def _explained(network: Any, lessons: Lessons, architecture: Architecture, normalisation: str) -> float:
    """The share of the targets' variance that the student explains on songs that it never heard."""
    said = examples.in_batches(network, _as_heard(lessons.watched, architecture, normalisation))
    targets = np.concatenate([lessons.targets(song) for song in lessons.watched])
    return float(1 - ((said - targets) ** 2).sum() / ((targets - targets.mean(axis=0)) ** 2).sum())
