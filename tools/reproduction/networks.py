"""The methods of the study that are neural networks, in Keras: the paper's CNN and two that came before it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from training.architectures import ARCHITECTURES, Architecture, paper_cnn
from training.data import Track
from training.examples import TOP_DB

from genre_edge.mel import Frames
from genre_edge.model import normalise
from reproduction import features
from reproduction.methods import Fit, Method, Predictor, Tracks
from reproduction.protocols import Split

PAPER = ARCHITECTURES["paper"]
Shape = tuple[int, ...]


def _fixed(x: np.ndarray, n: int) -> np.ndarray:
    """`(features, m)` -> `(features, n)`: the beginning, or all of it again and again."""
    return np.tile(x, -(-n // x.shape[1]))[:, :n]


def _of_pictures(
    picture: Callable[[Frames], np.ndarray],
    build: Callable[[Shape, int], Any],
    epochs: int,
    batch_size: int,
    standardised: bool,
) -> Fit:
    """A network that sees one array a track; Adam, categorical cross-entropy, one-hot targets."""

    def fit(tracks: Tracks, classes: np.ndarray, seed: int) -> Predictor:
        import keras

        x = np.stack([picture(frames) for frames in tracks]).astype(np.float32)
        axes = tuple(range(x.ndim - 1))
        centre, spread = (x.mean(axis=axes), x.std(axis=axes) + 1e-6) if standardised else (0.0, 1.0)
        labels = np.unique(classes)
        keras.utils.set_random_seed(seed)
        network = _compiled(build(x.shape[1:], len(labels)))
        y = np.eye(len(labels), dtype=np.float32)[np.searchsorted(labels, classes)]
        network.fit((x - centre) / spread, y, batch_size=batch_size, epochs=epochs, verbose=0)

        def predict(others: Tracks) -> np.ndarray:
            seen = (np.stack([picture(frames) for frames in others]).astype(np.float32) - centre) / spread
            said = [np.asarray(network(seen[i : i + 64], training=False)) for i in range(0, len(seen), 64)]
            return np.asarray(labels[np.concatenate(said).argmax(axis=1)])

        return predict

    return fit


def _compiled(network: Any) -> Any:
    import keras

    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    network.compile("adam", loss, metrics=["accuracy"], jit_compile=False)
    return network


def convolutions_over_time(shape: Shape, n_outputs: int) -> Any:
    """Three 1-D convolutions over `(frames, coefficients)`, each with pooling."""
    from keras import Sequential, layers

    def block(channels: int) -> list[Any]:
        return [layers.Conv1D(channels, 5, padding="same", activation="relu"), layers.MaxPooling1D(4)]

    body = [*block(16), *block(32), *block(64), layers.GlobalAveragePooling1D(), layers.Dropout(0.25)]
    return Sequential([layers.Input(shape), *body, layers.Dense(n_outputs)])


def recurrent(shape: Shape, n_outputs: int) -> Any:
    """A gated recurrent network that reads `(seconds, functionals)` both ways."""
    from keras import Sequential, layers

    body = [layers.Bidirectional(layers.GRU(32)), layers.Dropout(0.25)]
    return Sequential([layers.Input(shape), *body, layers.Dense(n_outputs)])


def _paper_picture(architecture: Architecture) -> Callable[[Frames], np.ndarray]:
    return lambda frames: normalise(_fixed(frames, architecture.patch_frames), architecture.normalisation, TOP_DB)[
        ..., None
    ]


def _mfcc_frames(frames: Frames) -> np.ndarray:
    return features.mfcc(_fixed(frames, PAPER.patch_frames)).T


def _functionals(frames: Frames) -> np.ndarray:
    return features.seconds(features.mfcc(_fixed(frames, PAPER.patch_frames)))


def paper(architecture: Architecture, epochs: int) -> Method:
    """The published network, on 387 frames of 30 s or on 660."""
    return Method(
        f"the paper's CNN, {architecture.patch_frames} frames",
        "the paper",
        f"mel spectrogram scaled to 0..1; 16 and 32 filters of 3x3, pooling 2x4, dropout, 64 units; {epochs} epochs",
        _of_pictures(_paper_picture(architecture), paper_cnn, epochs, architecture.schedule.batch_size, False),
    )


def networks(most_epochs: int | None = None) -> tuple[Method, ...]:
    """All of them, each with its own number of epochs or `most_epochs`."""

    def epochs(own: int) -> int:
        return min(own, most_epochs or own)

    return (
        Method(
            "MFCC, three 1-D convolutions",
            "Li, Chan and Chun 2010",
            f"20 MFCC over 30 s; convolutions of 5 frames (16, 32, 64 filters), pooling by 4; {epochs(40)} epochs",
            _of_pictures(_mfcc_frames, convolutions_over_time, epochs(40), batch_size=16, standardised=True),
        ),
        Method(
            "functionals, recurrent",
            "Weninger et al. 2014",
            "six functionals of 20 MFCC a second (mean, deviation, slope, percentiles); GRU both ways, 32 units; "
            f"{epochs(30)} epochs",
            _of_pictures(_functionals, recurrent, epochs(30), batch_size=16, standardised=True),
        ),
        paper(PAPER, epochs(PAPER.schedule.epochs)),
    )


def paper_curves(split: Split, epochs: int) -> dict[str, list[float]]:
    """Accuracy and loss of the published network by epoch, as Keras tells them (`val_`: on the test tracks)."""
    import keras

    labels = sorted({track.genre for track in split.train})
    picture = _paper_picture(PAPER)

    def data(tracks: list[Track]) -> tuple[np.ndarray, np.ndarray]:
        y = np.eye(len(labels), dtype=np.float32)[[labels.index(track.genre) for track in tracks]]
        return np.stack([picture(track.frames) for track in tracks]), y

    keras.utils.set_random_seed(split.number)
    x, y = data(split.train)
    network = _compiled(paper_cnn(x.shape[1:], len(labels)))
    size = PAPER.schedule.batch_size
    log = network.fit(x, y, size, epochs, validation_data=data(split.test), verbose=0)
    return {key: [round(float(v), 5) for v in values] for key, values in log.history.items()}
