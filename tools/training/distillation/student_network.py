"""A student's whole network, with the features behind its last layer: its embedding and statistics of early layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.training.distillation import students
from tools.training.distillation.students import StudentDesign
from tools.training.head import LinearLayer

if TYPE_CHECKING:
    import keras

# All features share one int8 scale: 0 to 6 (by ReLU6) is from 4 standard deviations below their mean to 8 above it.
BELOW, UNIT = 4.0, 2.0
LEAST_DEVIATION = 0.5  # of a feature that hardly varies, in int8 steps of its tensor; rounding errors have 0.29


def network(design: StudentDesign, n_outputs: int) -> keras.Model:
    """Return a network from a patch, `(n_mels, PATCH_FRAMES, 1)`, to a dense layer on its features.

    The features are the embedding and statistics of the depthwise convolutions of the first blocks, which describe
    timbre, and how much it varies, better than the embedding: their means over frequency and time, and their mean
    absolute deviations over time. The convolutions have the names of those of `students.stages`.
    """
    import keras
    from keras import layers

    inputs = keras.Input((students.MEL.n_mels, students.PATCH_FRAMES, 1))
    (whole,) = students.stages(design.network, (), inputs)
    activations = [f"block_{k}_depthwise_{block.activation}" for k, block in enumerate(design.network.blocks, 1)]
    convolved = [whole.get_layer(name).output for name in activations]
    parts = [
        layers.Reshape((1, 1, design.network.last))(whole.output),
        *(layers.GlobalAveragePooling2D(keepdims=True)(x) for x in convolved[: design.n_means]),
        *map(_deviation, convolved[: design.n_deviations]),
    ]
    names = _scaled_names(design)
    scaled = [layers.DepthwiseConv2D(1, activation="relu6", name=n)(x) for n, x in zip(names, parts, strict=True)]
    features = layers.Flatten(name="features")(layers.Concatenate()(scaled))
    return keras.Model(inputs, layers.Dense(n_outputs, name="head")(features))


def _deviation(x: keras.KerasTensor) -> keras.KerasTensor:
    """Return half the mean absolute deviation over time, averaged over frequency: `(1, 1, 1, channels)`.

    Deviations above and below a mean have the same sum, so those above it suffice; int8 operators compute them.
    """
    from keras import layers

    mean = layers.AveragePooling2D((1, x.shape[2]))(x)
    return layers.GlobalAveragePooling2D(keepdims=True)(layers.ReLU()(layers.Subtract()([x, mean])))


def n_features(design: StudentDesign) -> int:
    """Return the number of features."""
    expanded = [block.expanded for block in design.network.blocks]
    return design.network.last + sum(expanded[: design.n_means]) + sum(expanded[: design.n_deviations])


@dataclass(frozen=True)
class FeatureScale:
    """Scale of a student's features, `(n_features,)`: feature = (statistic - offset) / unit, limited to 0..6.

    The first features are the embedding.
    """

    offset: np.ndarray
    unit: np.ndarray

    @classmethod
    def measure(cls, stages: list[keras.Model], design: StudentDesign, patches: np.ndarray) -> FeatureScale:
        """Return the scale for normalised patches, `(k, n_mels, PATCH_FRAMES, 1)`."""
        import keras

        whole = network(design, 1)
        _copy_weights(stages, whole)
        scaled = _scaled_layers(whole, design)
        statistics = keras.Model(whole.input, [layer.input for layer in scaled]).predict(patches, verbose=0)
        parts = [part.reshape(len(patches), -1).astype(np.float64) for part in statistics]
        step = np.concatenate(
            [np.full(part.shape[1], max(np.ptp([0.0, part.min(), part.max()]), 1e-9) / 255) for part in parts]
        )
        x = np.concatenate(parts, axis=1)
        deviation = np.maximum(x.std(axis=0), LEAST_DEVIATION * step)
        return cls(x.mean(axis=0) - BELOW * deviation, UNIT * deviation)

    def on_features(self, layer: LinearLayer) -> LinearLayer:
        """Return a layer on the embedding as a layer on the features."""
        n = len(layer.weights)
        weights = np.zeros((len(self.unit), layer.weights.shape[1]))
        weights[:n] = layer.weights * self.unit[:n, None]
        return LinearLayer(weights, layer.bias + self.offset[:n] @ layer.weights)


def with_head(stages: list[keras.Model], design: StudentDesign, scale: FeatureScale, layer: LinearLayer) -> keras.Model:
    """Return a `network` with the weights of a student's stages, the scale of its features and a layer on them."""
    result = network(design, layer.weights.shape[1])
    _copy_weights(stages, result)
    first = 0
    for scaled in _scaled_layers(result, design):
        n = scaled.input.shape[-1]
        offset, unit = scale.offset[first : first + n], scale.unit[first : first + n]
        scaled.set_weights([(1 / unit).reshape(1, 1, n, 1), -offset / unit])
        first += n
    result.get_layer("head").set_weights([layer.weights, layer.bias])
    return result


def _scaled_layers(whole: keras.Model, design: StudentDesign) -> list[keras.layers.Layer]:
    """Return the layers that scale the features, in the features' order."""
    return [whole.get_layer(name) for name in _scaled_names(design)]


def _scaled_names(design: StudentDesign) -> list[str]:
    means, deviations = (range(1, n + 1) for n in (design.n_means, design.n_deviations))
    parts = ["embedding", *(f"block_{k}_mean" for k in means), *(f"block_{k}_deviation" for k in deviations)]
    return [f"{part}_scaled" for part in parts]


def _copy_weights(stages: list[keras.Model], whole: keras.Model) -> None:
    by_name = {layer.name: layer for stage in stages for layer in stage.layers}
    for layer in whole.layers:
        if layer.weights and layer.name in by_name:
            layer.set_weights(by_name[layer.name].get_weights())
