"""The student learns to say what the teacher says of music without labels (distillation, Hinton et al. 2015)."""

from pathlib import Path
from typing import Any

import numpy as np

from genre_edge.model import normalise
from training import augment, fit
from training.architectures import Architecture
from training.corpus import FINE, Song
from training.examples import TOP_DB

JITTER = 10  # fine frames (0.2 s) that a crop may begin before or after what the teacher heard
MIXED = 0.3
FARTHEST = 4.0  # standard deviations; what is rarer says little
WATCHED = 25  # songs kept aside to see how much of the teacher is learnt


def distil(
    songs: list[Song], architecture: Architecture, epochs: int, checkpoint: Path, seed: int
) -> tuple[Any, list[dict[str, float]]]:
    """(network, history): trained to give the teacher's standardised targets."""
    order = np.random.default_rng(seed).permutation(len(songs))
    watched, learnt = [songs[i] for i in order[:WATCHED]], [songs[i] for i in order[WATCHED:]]
    if not learnt:
        raise SystemExit(f"--listen needs more than {WATCHED} songs, got {len(songs)}")
    targets = np.concatenate([song.targets for song in learnt])
    centre, spread = targets.mean(axis=0), targets.std(axis=0)
    # A unit of the teacher that never speaks has nothing to teach.
    alive = spread > 0.05 * np.median(spread)
    scale = np.where(alive, 1 / np.maximum(spread, 1e-6), 0).astype(np.float32)

    def standard(song: Song) -> np.ndarray:
        return np.clip((song.targets - centre) * scale, -FARTHEST, FARTHEST).astype(np.float32)

    schedule = fit.Schedule(**{**vars(architecture.schedule), "epochs": epochs})
    return fit.fit(
        build=lambda: architecture.build((architecture.mel.n_mels, architecture.patch_frames, 1), len(centre)),
        loss="mse",
        epoch_data=_epochs(learnt, [standard(song) for song in learnt], architecture, seed),
        schedule=schedule,
        checkpoint=checkpoint,
        identity={"network": architecture.build.__name__, "songs": sorted(song.name for song in songs)},
        seed=seed,
        watch=lambda network: _explained(
            network, watched, np.concatenate([standard(s) for s in watched]), architecture
        ),
    )


def _epochs(songs: list[Song], targets: list[np.ndarray], architecture: Architecture, seed: int) -> fit.Epoch:
    """Every patch that the teacher heard, once an epoch and each time otherwise."""
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


def _explained(network: Any, songs: list[Song], targets: np.ndarray, architecture: Architecture) -> dict[str, float]:
    """The share of the targets' variance that the student explains on songs that it never heard."""
    index = np.arange(architecture.patch_frames) * FINE
    crops = [song.frames[:, (start + index) % song.frames.shape[1]] for song in songs for start in song.starts]
    x = np.stack([normalise(c.astype(np.float32), architecture.normalisation, TOP_DB) for c in crops])[..., None]
    said = np.concatenate([np.asarray(network(x[i : i + 256], training=False)) for i in range(0, len(x), 256)])
    return {"explained": float(1 - ((said - targets) ** 2).sum() / ((targets - targets.mean(axis=0)) ** 2).sum())}
