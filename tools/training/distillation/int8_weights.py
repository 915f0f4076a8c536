"""The convolutions of an int8 network as real numbers, assigned to a student."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from genre_edge.errors import ModelError
from tools.training import tflite_weights
from tools.training.distillation.mobilenet import Design

if TYPE_CHECKING:
    import keras

SQUEEZE_AND_EXCITE = "se_squeeze", "se_excite"
KERNEL_GAIN = 2.0  # root mean square of a rescaled kernel, relative to an initial one (Glorot and Bengio 2010)


def assign(stages: list[keras.Model], design: Design, content: bytes) -> None:
    """Give a student's stages the weights of an int8 network.

    Raises:
        ModelError: the network has another architecture.
    """
    layers = _by_name(stages)
    names = list(_convolutions(design))
    weights = [(kernel, bias) for kernel, bias in tflite_weights.weights(content) if not _is_scale(kernel)]
    if [layers[name].kernel.shape for name in names] != [kernel.shape for kernel, _ in weights[:-1]]:
        raise ModelError("the shipped network has another architecture")
    for name, (kernel, bias) in zip(names, weights, strict=False):
        if layers[name].use_bias:
            layers[name].set_weights([kernel, bias])
        else:  # the converter multiplied the kernel by the normalisation's scale
            norm = layers[f"{name}_norm"]
            layers[name].set_weights([kernel])
            norm.gamma.assign(np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon))
            norm.beta.assign(bias + np.asarray(norm.moving_mean))


def rescale(stages: list[keras.Model]) -> None:
    """Give all channels of a kernel the same root mean square; the batch normalisation after it keeps the function.

    The scales of an int8 network's channels differ by orders of magnitude, but Adam's steps are equally long for all
    weights.
    """
    import keras

    layers = _by_name(stages)
    for name, norm in ((name.removesuffix("_norm"), layer) for name, layer in layers.items() if name.endswith("_norm")):
        kernel = np.asarray(layers[name].kernel)
        is_depthwise = isinstance(layers[name], keras.layers.DepthwiseConv2D)
        others = (0, 1, 3) if is_depthwise else (0, 1, 2)
        size = KERNEL_GAIN * np.sqrt(2 / (kernel[..., 0, 0].size * (kernel.shape[2] + kernel.shape[3])))
        factor = np.maximum(np.sqrt((kernel**2).mean(axis=others, keepdims=True)), 1e-9) / size
        layers[name].set_weights([kernel / factor])
        norm.gamma.assign(np.asarray(norm.gamma) * factor.ravel())
        norm.moving_mean.assign(np.asarray(norm.moving_mean) / factor.ravel())


def _by_name(stages: list[keras.Model]) -> dict[str, keras.layers.Layer]:
    return {layer.name: layer for stage in stages for layer in stage.layers}


def _is_scale(kernel: np.ndarray) -> bool:
    """Return whether a kernel is that of a layer that scales features."""
    return kernel.ndim == 4 and kernel.shape[:2] == (1, 1) and kernel.shape[3] == 1


def _convolutions(design: Design) -> Iterator[str]:
    """Yield the names of the convolutions in the order of execution."""
    yield "stem"
    for number, parts in design.block_parts():
        for part in parts:
            yield from (f"block_{number}_{name}" for name in (SQUEEZE_AND_EXCITE if part == "se" else (part,)))
    yield "last"
