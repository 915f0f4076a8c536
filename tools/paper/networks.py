"""The methods of the study that are neural networks, in Keras: the paper's CNN and two that came before it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from genre_edge.mel.spectrogram import Frames
from genre_edge.model.preprocessing import normalise
from tools.paper import features
from tools.paper.methods import Fit, Method, Predictor, Tracks
from tools.paper.protocols import Split
from tools.training.architectures import ARCHITECTURES, Architecture, paper_cnn
from tools.training.data import Track
from tools.training.examples import TOP_DB

PAPER = ARCHITECTURES["paper"]
RATE = PAPER.schedule.learning_rate  # Adam's, of all networks
BATCH, DROPOUT = 16, 0.25  # of the rivals
FILTERS, UNITS = (16, 32, 64), 32
CONVOLUTIONS_EPOCHS, RECURRENT_EPOCHS = 40, 30
Shape = tuple[int, ...]
Curves = dict[str, list[float]]  # accuracy, loss, val_accuracy, val_loss, by epoch


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
            return np.asarray(labels[_said(network, seen)])

        return predict

    return fit


def _compiled(network: Any) -> Any:
    import keras

    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(RATE), loss, metrics=["accuracy"], jit_compile=False)
    return network


def _said(network: Any, x: np.ndarray) -> np.ndarray:
    """The most probable output for each input."""
    return np.concatenate(
        [np.asarray(network(x[i : i + 64], training=False)).argmax(axis=1) for i in range(0, len(x), 64)]
    )


def convolutions_over_time(shape: Shape, n_outputs: int) -> Any:
    """Three 1-D convolutions over `(frames, coefficients)`, each with pooling."""
    from keras import Sequential, layers

    def block(channels: int) -> list[Any]:
        return [layers.Conv1D(channels, 5, padding="same", activation="relu"), layers.MaxPooling1D(4)]

    blocks = [layer for channels in FILTERS for layer in block(channels)]
    body = [*blocks, layers.GlobalAveragePooling1D(), layers.Dropout(DROPOUT)]
    return Sequential([layers.Input(shape), *body, layers.Dense(n_outputs)])


def recurrent(shape: Shape, n_outputs: int) -> Any:
    """A gated recurrent network that reads `(seconds, functionals)` both ways."""
    from keras import Sequential, layers

    body = [layers.Bidirectional(layers.GRU(UNITS)), layers.Dropout(DROPOUT)]
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
            f"{features.N_MFCC} MFCC over 30 s; convolutions of 5 frames ({', '.join(map(str, FILTERS))} filters), "
            f"pooling by 4; {epochs(CONVOLUTIONS_EPOCHS)} epochs",
            _of_pictures(_mfcc_frames, convolutions_over_time, epochs(CONVOLUTIONS_EPOCHS), BATCH, standardised=True),
        ),
        Method(
            "functionals, recurrent",
            "Weninger et al. 2014",
            f"six functionals of {features.N_MFCC} MFCC a second (mean, deviation, slope, percentiles); GRU both ways, "
            f"{UNITS} units; {epochs(RECURRENT_EPOCHS)} epochs",
            _of_pictures(_functionals, recurrent, epochs(RECURRENT_EPOCHS), BATCH, standardised=True),
        ),
        paper(PAPER, epochs(PAPER.schedule.epochs)),
    )


def paper_dropout() -> float:
    """The share that the published network drops, which its paper does not tell."""
    network = paper_cnn(PAPER.shape, 2)
    return float(next(layer.rate for layer in network.layers if type(layer).__name__ == "Dropout"))


def paper_curves(split: Split, published: int, epochs: int) -> tuple[Curves, np.ndarray, np.ndarray]:
    """Accuracy and loss of the published network by epoch, as Keras tells them (`val_`: on the test tracks).

    Also what it said, after `published` epochs, of the training and the test tracks: what `paper` would have said.
    """
    import keras

    labels = sorted({track.genre for track in split.train})
    picture = _paper_picture(PAPER)

    def data(tracks: list[Track]) -> tuple[np.ndarray, np.ndarray]:
        y = np.eye(len(labels), dtype=np.float32)[[labels.index(track.genre) for track in tracks]]
        return np.stack([picture(track.frames) for track in tracks]), y

    keras.utils.set_random_seed(split.number)
    (x, y), test = data(split.train), data(split.test)
    network = _compiled(paper_cnn(x.shape[1:], len(labels)))
    answers: list[np.ndarray] = []

    def look(epoch: int, logs: Any) -> None:
        if epoch + 1 == published:
            answers.extend(_said(network, part) for part in (x, test[0]))

    log = network.fit(
        x,
        y,
        batch_size=PAPER.schedule.batch_size,
        epochs=epochs,
        validation_data=test,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=look)],
        verbose=0,
    )
    curves = {key: [round(float(v), 5) for v in values] for key, values in log.history.items()}
    return curves, answers[0], answers[1]
