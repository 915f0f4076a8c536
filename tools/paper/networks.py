"""The neural networks of the study, in Keras: the paper's CNN and two earlier ones."""

from collections.abc import Callable
from typing import Any

import numpy as np

from genre_edge.mel.spectrogram import Frames
from genre_edge.model.preprocessing import normalise
from tools.paper import features
from tools.paper.methods import Fit, Method, Predictor, Tracks
from tools.paper.protocols import Split
from tools.training.architectures import ARCHITECTURES, PAPER_SCHEDULE, Architecture, paper_cnn
from tools.training.data import Track

PAPER = ARCHITECTURES["paper"]
RATE = PAPER_SCHEDULE.learning_rate  # Adam's learning rate of all networks
BATCH, DROPOUT = 16, 0.25  # of the networks other than the paper's
FILTERS, UNITS = (16, 32, 64), 32
CONVOLUTIONS_EPOCHS, RECURRENT_EPOCHS = 40, 30
Shape = tuple[int, ...]
Build = Callable[[Any, int], Any]  # shape of an input, number of outputs -> network
Curves = dict[str, list[float]]  # accuracy, loss, val_accuracy, val_loss, by epoch


def _fit_length(x: np.ndarray, n: int) -> np.ndarray:
    """Cut or repeat `(features, m)` to `(features, n)`."""
    return np.tile(x, -(-n // x.shape[1]))[:, :n]


def _of_images(
    image: Callable[[Frames], np.ndarray],
    build: Build,
    epochs: int,
    batch_size: int,
    standardised: bool,
) -> Fit:
    """Return a `fit` that trains a network on one array per track with Adam and categorical cross-entropy."""

    def fit(tracks: Tracks, classes: np.ndarray, seed: int) -> Predictor:
        import keras

        x = np.stack([image(frames) for frames in tracks]).astype(np.float32)
        axes = tuple(range(x.ndim - 1))
        centre, spread = (x.mean(axis=axes), x.std(axis=axes) + 1e-6) if standardised else (0.0, 1.0)
        labels = np.unique(classes)
        keras.utils.set_random_seed(seed)
        network = _compiled(build(x.shape[1:], len(labels)))
        y = np.eye(len(labels), dtype=np.float32)[np.searchsorted(labels, classes)]
        network.fit((x - centre) / spread, y, batch_size=batch_size, epochs=epochs, verbose=0)

        def predict(others: Tracks) -> np.ndarray:
            inputs = (np.stack([image(frames) for frames in others]).astype(np.float32) - centre) / spread
            return np.asarray(labels[_predict(network, inputs)])

        return predict

    return fit


def _compiled(network: Any) -> Any:
    import keras

    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(RATE), loss, metrics=["accuracy"], jit_compile=False)
    return network


def _predict(network: Any, x: np.ndarray) -> np.ndarray:
    """Return the index of the largest output for each input, `(n,)`."""
    return np.concatenate(
        [np.asarray(network(x[i : i + 64], training=False)).argmax(axis=1) for i in range(0, len(x), 64)]
    )


def convolutions_over_time(shape: Shape, n_outputs: int) -> Any:
    """Build three 1-D convolutions over `(frames, coefficients)`, each with pooling (Li, Chan and Chun 2010)."""
    from keras import Sequential, layers

    def block(channels: int) -> list[Any]:
        return [layers.Conv1D(channels, 5, padding="same", activation="relu"), layers.MaxPooling1D(4)]

    blocks = [layer for channels in FILTERS for layer in block(channels)]
    body = [*blocks, layers.GlobalAveragePooling1D(), layers.Dropout(DROPOUT)]
    return Sequential([layers.Input(shape), *body, layers.Dense(n_outputs)])


def recurrent(shape: Shape, n_outputs: int) -> Any:
    """Build a bidirectional gated recurrent network over `(seconds, functionals)` (Weninger et al. 2014)."""
    from keras import Sequential, layers

    body = [layers.Bidirectional(layers.GRU(UNITS)), layers.Dropout(DROPOUT)]
    return Sequential([layers.Input(shape), *body, layers.Dense(n_outputs)])


def _paper_image(architecture: Architecture) -> Callable[[Frames], np.ndarray]:
    def image(frames: Frames) -> np.ndarray:
        patch = _fit_length(frames, architecture.patch_frames)
        return normalise(patch, architecture.normalisation, architecture.top_db, architecture.mel)[..., None]

    return image


def _mfcc_frames(frames: Frames) -> np.ndarray:
    return features.mfcc(_fit_length(frames, PAPER.patch_frames)).T


def _functionals(frames: Frames) -> np.ndarray:
    return features.seconds(features.mfcc(_fit_length(frames, PAPER.patch_frames)))


def paper(architecture: Architecture, epochs: int) -> Method:
    """Return the published network with an architecture of 387 or 660 frames per 30 s."""
    return Method(
        f"the paper's CNN, {architecture.patch_frames} frames",
        "the paper",
        f"mel spectrogram scaled to 0..1; 16 and 32 filters of 3x3, pooling 2x4, dropout, 64 units; {epochs} epochs",
        _of_images(_paper_image(architecture), paper_cnn, epochs, PAPER_SCHEDULE.batch_size, False),
    )


def networks(max_epochs: int | None = None) -> tuple[Method, ...]:
    """Return all networks, each trained for at most `max_epochs`."""

    def epochs(default: int) -> int:
        return min(default, max_epochs or default)

    return (
        Method(
            "MFCC, three 1-D convolutions",
            "Li, Chan and Chun 2010",
            f"{features.N_MFCC} MFCC over 30 s; convolutions of 5 frames ({', '.join(map(str, FILTERS))} filters), "
            f"pooling by 4; {epochs(CONVOLUTIONS_EPOCHS)} epochs",
            _of_images(_mfcc_frames, convolutions_over_time, epochs(CONVOLUTIONS_EPOCHS), BATCH, standardised=True),
        ),
        Method(
            "functionals, recurrent",
            "Weninger et al. 2014",
            f"six functionals of {features.N_MFCC} MFCC per second (mean, standard deviation, slope, percentiles); "
            f"bidirectional GRU, {UNITS} units; {epochs(RECURRENT_EPOCHS)} epochs",
            _of_images(_functionals, recurrent, epochs(RECURRENT_EPOCHS), BATCH, standardised=True),
        ),
        paper(PAPER, epochs(PAPER_SCHEDULE.epochs)),
    )


def paper_dropout() -> float:
    """Return the dropout rate of the published network, which the paper does not state."""
    network = paper_cnn(PAPER.shape, 2)
    return float(next(layer.rate for layer in network.layers if type(layer).__name__ == "Dropout"))


def paper_curves(split: Split, published: int, epochs: int) -> tuple[Curves, np.ndarray, np.ndarray]:
    """Train the published network for `epochs` epochs.

    Returns:
        Accuracy and loss by epoch as Keras reports them (`val_`: on the test tracks), and the predicted class indices
        of the training and of the test tracks after `published` epochs, equal to the predictions of `paper`.
    """
    import keras

    labels = sorted({track.genre for track in split.train})
    image = _paper_image(PAPER)

    def data(tracks: list[Track]) -> tuple[np.ndarray, np.ndarray]:
        y = np.eye(len(labels), dtype=np.float32)[[labels.index(track.genre) for track in tracks]]
        return np.stack([image(track.frames) for track in tracks]), y

    keras.utils.set_random_seed(split.number)
    (x, y), test = data(split.train), data(split.test)
    network = _compiled(paper_cnn(x.shape[1:], len(labels)))
    predictions: list[np.ndarray] = []

    def on_epoch_end(epoch: int, logs: Any) -> None:
        if epoch + 1 == published:
            predictions.extend(_predict(network, part) for part in (x, test[0]))

    history = network.fit(
        x,
        y,
        batch_size=PAPER_SCHEDULE.batch_size,
        epochs=epochs,
        validation_data=test,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)],
        verbose=0,
    )
    curves = {key: [round(float(v), 5) for v in values] for key, values in history.history.items()}
    return curves, predictions[0], predictions[1]
