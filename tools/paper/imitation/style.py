"""What a network hears in a song, as statistics that forget when it was, and a picture that has the same.

After Gatys et al. (2015), for sound as Ulyanov and Lebedev (2016): what texture is, correlations of channels tell.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from genre_edge.mel.spectrogram import Frames
from genre_edge.model.bundle import Bundle
from tools.paper.imitation.song import FINE, span

HOP = 10  # of the network's columns, from patch to patch
DEEP = 4.0  # weight of what is nearest to the verdict
FIRST_RATE, LAST_RATE = 2.0, 0.1  # dB a step
FLOOR_DB = -80.0
# Where a step's first patch begins. Few places, because each is a graph of its own; together they see every column.
OFFSETS = tuple(range(0, 2 * FINE * (FINE + 1), FINE + 1))

# How far a window of 2048 samples smears: over columns, and a little over bands.
COLUMNS, BANDS = np.hanning(9)[1:-1] / 4, np.array([0.25, 0.5, 0.25])

Told = Callable[[int, float], None]  # steps, distance


class Style:
    """A network's view of pictures, `(n_mels, n)` dB, n columns FINE times as close as its own."""

    def __init__(self, network: Any, bundle: Bundle) -> None:
        import keras
        import tensorflow as tf

        self._bundle = bundle
        # What leaves a block, and what the last layer sees; not what it says, by which the imitation is judged.
        body = network.layers[:-1]
        watched = [x.output for x in body if type(x).__name__ == "ReLU" and _follows_sum(x)]
        watched += [x.output for x in body if type(x).__name__ == "Dense"]
        watched += [x.output for x in body if type(x).__name__ == "MaxPooling2D"]
        self._eyes = keras.Model(network.inputs, watched)
        self._span = span(bundle)
        # Of all songs, because to trace a graph takes seconds.
        self._gradient = tf.function(self._slope)

    @property
    def shortest(self) -> int:
        """SpectrogramColumns of the shortest picture that can be made: a patch at every offset."""
        return self._span + OFFSETS[-1]

    def patches(self, picture: Any, first: int) -> Any:
        """All patches from column `first` on, normalised as the model does it, differentiable."""
        import tensorflow as tf

        starts = np.arange(first, picture.shape[1] - self._span + 1, HOP * FINE)
        columns = starts[:, None] + FINE * np.arange(self._bundle.patch_frames)
        x = tf.transpose(tf.gather(picture, columns, axis=1), (1, 0, 2))
        x = tf.maximum(x - tf.reduce_max(x, (1, 2), keepdims=True), -self._bundle.top_db)
        if self._bundle.normalisation == "minmax":
            x -= tf.reduce_min(x, (1, 2), keepdims=True)
            return (x / (tf.reduce_max(x, (1, 2), keepdims=True) + 1e-6))[..., None]
        weights = tf.ones_like(x)
        if self._bundle.normalisation == "active_bands":
            changes = tf.reduce_max(x, 2, keepdims=True) > tf.reduce_min(x, 2, keepdims=True)
            weights *= tf.cast(changes | ~tf.reduce_any(changes, 1, keepdims=True), tf.float32)
        total = tf.reduce_sum(weights, (1, 2), keepdims=True)
        x -= tf.reduce_sum(weights * x, (1, 2), keepdims=True) / total
        return (x / (tf.sqrt(tf.reduce_sum(weights * x * x, (1, 2), keepdims=True) / total) + 1e-6))[..., None]

    def statistics(self, picture: Any, first: int = 0) -> list[Any]:
        """Of the picture itself and of each watched layer; each says nothing of when."""
        import tensorflow as tf

        steps = picture[:, 1:] - picture[:, :-1]
        found = [
            tf.reduce_mean(picture, 1) / 10, tf.math.reduce_std(picture, 1) / 10, tf.math.reduce_std(steps, 1) / 10,
        ]  # fmt: skip
        for y in self._eyes(self.patches(picture, first), training=False):
            if len(y.shape) == 2:
                found.append(tf.reduce_mean(y, 0))
                continue
            channels = tf.reshape(y, (-1, y.shape[-1]))
            found.append(tf.reduce_mean(y, (0, 2)))
            found.append(tf.matmul(channels, channels, transpose_a=True) / tf.cast(tf.shape(channels)[0], tf.float32))
        return found

    def distance(self, found: list[Any], wanted: list[Any]) -> Any:
        """The mean over statistics of their squared distance, relative to what is wanted."""
        import tensorflow as tf

        parts = [
            (DEEP if len(w.shape) == 1 and i > 2 else 1.0) * tf.reduce_sum((f - w) ** 2) / (tf.reduce_sum(w**2) + 1e-6)
            for i, (f, w) in enumerate(zip(found, wanted, strict=True))
        ]
        return tf.add_n(parts) / len(parts)

    def of_song(self, frames: Frames) -> list[Any]:
        """The mean of the statistics over all offsets of the network's columns. Loudest is 0 dB."""
        import tensorflow as tf

        picture = tf.constant(np.maximum(frames - frames.max(), FLOOR_DB))
        each = [self.statistics(picture, first) for first in range(FINE)]
        return [tf.reduce_mean(tf.stack(parts), 0) for parts in zip(*each, strict=True)]

    def away(self, frames: Frames, wanted: list[Any]) -> float:
        """The distance of frames from what is wanted, both as of_song sees them."""
        return float(self.distance(self.of_song(frames), wanted))

    def imitate(self, wanted: list[Any], columns: int, steps: int, seed: int, told: Told) -> tuple[Frames, Frames]:
        """(noise, picture), of `columns`: where it began, and what has the statistics that are wanted."""
        import keras
        import tensorflow as tf

        rng = np.random.default_rng(seed)
        hidden = tf.Variable(rng.normal(-40, 10, (self._bundle.mel.n_mels, columns)).astype(np.float32))
        noise = _smooth(hidden).numpy()
        optimizer = keras.optimizers.Adam(FIRST_RATE)
        for step in range(steps):
            optimizer.learning_rate = FIRST_RATE * (LAST_RATE / FIRST_RATE) ** (step / steps)
            loss, slope = self._gradient(hidden.value(), OFFSETS[rng.integers(len(OFFSETS))], wanted)
            optimizer.apply([slope], [hidden])
            told(step + 1, float(loss))
        return noise, _smooth(hidden).numpy()

    def _slope(self, hidden: Any, first: int, wanted: list[Any]) -> tuple[Any, Any]:
        """(distance, its gradient) of what `hidden` becomes, seen from column `first` on."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(hidden)
            loss = self.distance(self.statistics(_smooth(hidden), first), wanted)
        return loss, tape.gradient(loss, hidden)


def _smooth(hidden: Any) -> Any:
    """As smooth as a spectrogram with overlapping windows is."""
    import tensorflow as tf

    kernel = np.outer(BANDS, COLUMNS)[..., None, None].astype(np.float32)
    padded = tf.pad(hidden, [[len(k) // 2] * 2 for k in (BANDS, COLUMNS)], "SYMMETRIC")
    return tf.clip_by_value(tf.nn.conv2d(padded[None, ..., None], kernel, 1, "VALID")[0, ..., 0], FLOOR_DB, 0.0)


def _follows_sum(layer: Any) -> bool:
    return type(layer.input._keras_history.operation).__name__ == "Add"
