"""Fits a network, an epoch at a time: seeded, checkpointed after each epoch, resumed where it stopped."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from genre_edge.hearing import PatchCutter
from genre_edge.mel import Frames
from genre_edge.model import Bundle, normalise, softmax
from training import augment
from training.architectures import Architecture
from training.data import Track

TOP_DB = 80.0


def cut(frames: Frames, lengths: Architecture | Bundle) -> list[Frames]:
    """A track's patches, as the classifier cuts them."""
    cutter = PatchCutter(frames.shape[0], lengths.patch_frames, lengths.hop_frames)
    return [patch for _, patch in (*cutter.push(frames), *cutter.flush())]


def track_patches(frames: Frames, architecture: Architecture) -> np.ndarray:
    """All normalised patches of a track, `(k, n_mels, patch_frames, 1)`."""
    patches = cut(frames, architecture)
    return np.stack([normalise(patch, architecture.normalisation, TOP_DB) for patch in patches])[..., None]


def epoch_data(
    tracks: list[Track], labels: list[str], architecture: Architecture, seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray]:
    """One epoch's patches and targets; depends on nothing but its arguments, so a resumed run sees the same."""
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(np.repeat(np.arange(len(tracks)), architecture.patches_per_track))
    x = np.empty((len(order), architecture.mel.n_mels, architecture.patch_frames, 1), dtype=np.float32)
    for row, index in zip(x, order, strict=True):
        patch = augment.random_crop(tracks[index].frames, architecture.patch_frames, rng)
        if architecture.augment:
            patch = augment.equalise(patch, rng)
        patch = normalise(patch, architecture.normalisation, TOP_DB)
        row[..., 0] = augment.mask(patch, rng) if architecture.augment else patch
    y = np.eye(len(labels), dtype=np.float32)[[labels.index(tracks[i].genre) for i in order]]
    return augment.mixup(x, y, rng) if architecture.augment else (x, y)


def track_probabilities(network: Any, tracks: list[Track], architecture: Architecture) -> np.ndarray:
    """Mean softmax over each track's patches, `(tracks, labels)`, in float."""
    patches = [track_patches(track.frames, architecture) for track in tracks]
    logits = np.concatenate(
        [np.asarray(network(np.concatenate(patches[i : i + 16]), training=False)) for i in range(0, len(patches), 16)]
    )
    bounds = np.cumsum([len(part) for part in patches])[:-1]
    return np.stack([part.mean(axis=0) for part in np.split(softmax(logits), bounds)])


def accuracy(p: np.ndarray, tracks: list[Track], labels: list[str]) -> float:
    """Share of tracks whose most probable label is theirs."""
    return float(np.mean([labels[row.argmax()] == track.genre for row, track in zip(p, tracks, strict=True)]))


def _learning_rate(architecture: Architecture, epochs: int, epoch: int) -> float:
    """Constant for the paper's network, cosine for ours."""
    if not architecture.augment:
        return architecture.learning_rate
    return architecture.learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / epochs)) + 1e-5


def _seed_dropout(network: Any, seed: int, epoch: int) -> None:
    """Dropout, too, depends on seed and epoch alone: Keras does not save its generators' state."""
    for layer in network.layers:
        if hasattr(layer, "seed_generator"):
            layer.seed_generator.state.assign([seed, epoch])


def fit(
    architecture: Architecture,
    labels: list[str],
    train: list[Track],
    holdout: list[Track],
    checkpoint: Path,
    seed: int,
    epochs: int,
    verbose: int = 1,
) -> tuple[Any, list[dict[str, float]]]:
    """(network, history): trained for `epochs`, from `checkpoint`'s state if there is one."""
    import keras

    state_file, weights_file = checkpoint / "state.json", checkpoint / "network.keras"
    identity = {
        "seed": seed,
        "epochs": epochs,
        "network": architecture.build.__name__,
        "frames": architecture.patch_frames,
        "tracks": [[f"{track.genre}/{track.name}" for track in part] for part in (train, holdout)],
    }
    state = json.loads(state_file.read_text()) if state_file.exists() else {"identity": identity, "history": []}
    if state["identity"] != identity:
        raise SystemExit(
            f"{checkpoint} belongs to another run (seed, epochs, network or tracks differ); remove it to start anew"
        )
    if state["history"]:
        network = keras.models.load_model(weights_file)
    else:
        keras.utils.set_random_seed(seed)
        network = architecture.build((architecture.mel.n_mels, architecture.patch_frames, 1), len(labels))
        network.compile(
            keras.optimizers.Adam(architecture.learning_rate),
            keras.losses.CategoricalCrossentropy(
                from_logits=True, label_smoothing=0.1 if architecture.augment else 0.0
            ),
            metrics=["accuracy"],
            jit_compile=False,  # XLA on a CPU makes depthwise convolutions several times slower
        )
    checkpoint.mkdir(parents=True, exist_ok=True)
    for epoch in range(len(state["history"]), epochs):
        network.optimizer.learning_rate = _learning_rate(architecture, epochs, epoch)
        _seed_dropout(network, seed, epoch)
        x, y = epoch_data(train, labels, architecture, seed, epoch)
        log = network.fit(
            x,
            y,
            batch_size=architecture.batch_size,
            shuffle=False,
            verbose=verbose,
            initial_epoch=epoch,
            epochs=epoch + 1,
        )
        p = track_probabilities(network, holdout, architecture)
        figures = {key: float(values[-1]) for key, values in log.history.items()}
        state["history"].append(figures | {"holdout_accuracy": accuracy(p, holdout, labels)})
        if verbose:
            print(f"  holdout track accuracy {state['history'][-1]['holdout_accuracy']:.3f}", flush=True)
        # The network first: a state that names an epoch has its weights.
        network.save(checkpoint / "next.keras")
        (checkpoint / "next.keras").replace(weights_file)
        (checkpoint / "next.json").write_text(json.dumps(state))
        (checkpoint / "next.json").replace(state_file)
    return network, state["history"]
