"""Style statistics of a song, and optimisation of a spectrogram that matches them.

The statistics are averages over time of a network's hidden layers and the correlations of their channels (Gatys et al.
2015; for audio, Ulyanov and Lebedev 2016).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from genre_edge.mel.spectrogram import Frames
from genre_edge.model.bundle import Bundle
from tools.paper.imitation.song import HOP_DIVISOR, span

HOP = 10  # network columns from patch to patch
DEEP_WEIGHT = 4.0  # of the last hidden layer
FIRST_RATE, LAST_RATE = 2.0, 0.1  # learning rates, dB per step
FLOOR_DB = -80.0
# First column of a step's patches. Each offset is traced as a graph of its own, so there are few; together they cover
# every column.
OFFSETS = tuple(range(0, 2 * HOP_DIVISOR * (HOP_DIVISOR + 1), HOP_DIVISOR + 1))

# Smoothing kernels over columns, as wide as a window of 2048 samples, and over bands.
COLUMN_KERNEL, BAND_KERNEL = np.hanning(9)[1:-1] / 4, np.array([0.25, 0.5, 0.25])

StepCallback = Callable[[int, float], None]  # step from 1, distance


class Style:
    """Style statistics by a network, of spectrograms `(n_mels, n)` dB with the hop of `song.fine_mel`.

    Args:
        network: the paper's CNN.
        bundle: its bundle, for the length of a patch; its normalisation is "minmax".
    """

    def __init__(self, network: Any, bundle: Bundle) -> None:
        import keras
        import tensorflow as tf

        self._bundle = bundle
        # Pooled outputs of the convolutions and the last hidden layer; not the output layer, because it classifies the
        # imitation.
        body = network.layers[:-1]
        outputs = [x.output for kind in ("Dense", "MaxPooling2D") for x in body if type(x).__name__ == kind]
        self._hidden = keras.Model(network.inputs, outputs)
        self._span = span(bundle)
        # One graph for all songs: tracing takes seconds.
        self._traced = tf.function(self._loss_and_gradient)

    @property
    def shortest(self) -> int:
        """Columns of the shortest spectrogram with a patch at every offset."""
        return self._span + OFFSETS[-1]

    def patches(self, spectrogram: Any, first: int) -> Any:
        """Return all patches from column `first` on, `(k, n_mels, patch_frames, 1)`, normalised and differentiable."""
        import tensorflow as tf

        starts = np.arange(first, spectrogram.shape[1] - self._span + 1, HOP * HOP_DIVISOR)
        columns = starts[:, None] + HOP_DIVISOR * np.arange(self._bundle.patch_frames)
        x = tf.transpose(tf.gather(spectrogram, columns, axis=1), (1, 0, 2))
        x = tf.maximum(x - tf.reduce_max(x, (1, 2), keepdims=True), -self._bundle.top_db)
        x -= tf.reduce_min(x, (1, 2), keepdims=True)
        return (x / (tf.reduce_max(x, (1, 2), keepdims=True) + 1e-6))[..., None]

    def statistics(self, spectrogram: Any, first: int = 0) -> list[Any]:
        """Return time-averaged statistics of the spectrogram and of each hidden layer."""
        import tensorflow as tf

        differences = spectrogram[:, 1:] - spectrogram[:, :-1]
        values = [
            tf.reduce_mean(spectrogram, 1) / 10,
            tf.math.reduce_std(spectrogram, 1) / 10,
            tf.math.reduce_std(differences, 1) / 10,
        ]
        for y in self._hidden(self.patches(spectrogram, first), training=False):
            if len(y.shape) == 2:
                values.append(tf.reduce_mean(y, 0))
                continue
            channels = tf.reshape(y, (-1, y.shape[-1]))
            values.append(tf.reduce_mean(y, (0, 2)))
            values.append(tf.matmul(channels, channels, transpose_a=True) / tf.cast(tf.shape(channels)[0], tf.float32))
        return values

    def distance(self, values: list[Any], target: list[Any]) -> Any:
        """Return the mean over statistics of their squared distance relative to the target."""
        import tensorflow as tf

        weights = [DEEP_WEIGHT if len(t.shape) == 1 and i > 2 else 1.0 for i, t in enumerate(target)]
        parts = [
            weight * tf.reduce_sum((v - t) ** 2) / (tf.reduce_sum(t**2) + 1e-6)
            for weight, v, t in zip(weights, values, target, strict=True)
        ]
        return tf.add_n(parts) / len(parts)

    def song_statistics(self, frames: Frames) -> list[Any]:
        """Return the statistics of a song, averaged over the network's column offsets, with its maximum at 0 dB."""
        import tensorflow as tf

        spectrogram = tf.constant(np.maximum(frames - frames.max(), FLOOR_DB))
        by_offset = [self.statistics(spectrogram, first) for first in range(HOP_DIVISOR)]
        return [tf.reduce_mean(tf.stack(parts), 0) for parts in zip(*by_offset, strict=True)]

    def distance_of(self, frames: Frames, target: list[Any]) -> float:
        """Return the distance of a song from the target, both as song_statistics computes them."""
        return float(self.distance(self.song_statistics(frames), target))

    def imitate(
        self, target: list[Any], columns: int, steps: int, seed: int, on_step: StepCallback
    ) -> tuple[Frames, Frames]:
        """Optimise a spectrogram from noise with Adam.

        Args:
            target: statistics to match.
            columns: length of the spectrogram.
            steps: number of optimisation steps.
            seed: seed of the noise.
            on_step: called after each step.

        Returns:
            The initial noise and the optimised spectrogram, both `(n_mels, columns)` dB.
        """
        import keras
        import tensorflow as tf

        rng = np.random.default_rng(seed)
        hidden = tf.Variable(rng.normal(-40, 10, (self._bundle.mel.n_mels, columns)).astype(np.float32))
        noise = _smooth(hidden).numpy()
        optimizer = keras.optimizers.Adam(FIRST_RATE)
        for step in range(steps):
            optimizer.learning_rate = FIRST_RATE * (LAST_RATE / FIRST_RATE) ** (step / steps)
            loss, gradient = self._traced(hidden.value(), OFFSETS[rng.integers(len(OFFSETS))], target)
            optimizer.apply([gradient], [hidden])
            on_step(step + 1, float(loss))
        return noise, _smooth(hidden).numpy()

    def _loss_and_gradient(self, hidden: Any, first: int, target: list[Any]) -> tuple[Any, Any]:
        """Return the distance from the target and its gradient, with patches from column `first` on."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(hidden)
            loss = self.distance(self.statistics(_smooth(hidden), first), target)
        return loss, tape.gradient(loss, hidden)


def _smooth(hidden: Any) -> Any:
    """Smooth and clip the variables like a spectrogram with overlapping windows."""
    import tensorflow as tf

    kernel = np.outer(BAND_KERNEL, COLUMN_KERNEL)[..., None, None].astype(np.float32)
    padded = tf.pad(hidden, [[len(k) // 2] * 2 for k in (BAND_KERNEL, COLUMN_KERNEL)], "SYMMETRIC")
    return tf.clip_by_value(tf.nn.conv2d(padded[None, ..., None], kernel, 1, "VALID")[0, ..., 0], FLOOR_DB, 0.0)
