"""MobileNetV3 (Howard et al. 2019) for mel spectrograms, as the EfficientAT networks use it (Schmid et al. 2023).

The teacher and the students are instances of one table of blocks with different widths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

BATCH_NORM_EPSILON = 1e-3
_SQUEEZE = 4  # bottleneck of squeeze-and-excitation: channels divided by this


@dataclass(frozen=True)
class Block:
    """An inverted residual block: expansion (1x1), depthwise convolution, squeeze-and-excitation, projection (1x1).

    Attributes:
        kernel: size of the depthwise kernel.
        expanded, out: channels at width 1.
        squeeze: whether squeeze-and-excitation is used.
        hard_swish: hard swish instead of ReLU.
        stride: in frequency and time.
    """

    kernel: int
    expanded: int
    out: int
    squeeze: bool
    hard_swish: bool
    stride: int = 1


# MobileNetV3-Large
BLOCKS = (
    Block(3, 16, 16, False, False),
    Block(3, 64, 24, False, False, 2),
    Block(3, 72, 24, False, False),
    Block(5, 72, 40, True, False, 2),
    Block(5, 120, 40, True, False),
    Block(5, 120, 40, True, False),
    Block(3, 240, 80, False, True, 2),
    Block(3, 200, 80, False, True),
    Block(3, 184, 80, False, True),
    Block(3, 184, 80, False, True),
    Block(3, 480, 112, True, True),
    Block(3, 672, 112, True, True),
    Block(5, 672, 160, True, True, 2),
    Block(5, 960, 160, True, True),
    Block(5, 960, 160, True, True),
)
STEM, LAST = 16, 960  # channels of the first and the last convolution at width 1


def channels(at_width_1: float) -> int:
    """Round a number of channels to a multiple of 8, at most 10 % down."""
    rounded = max(8, int(at_width_1 + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * at_width_1 else rounded


def convolution(
    x: keras.KerasTensor, filters: int, kernel: int, stride: int, activation: str | None, name: str
) -> keras.KerasTensor:
    """Apply a convolution (depthwise for `filters` 0) with symmetric padding, batch normalisation and an activation."""
    from keras import layers

    if stride > 1:  # "same" would pad an even length at its end only
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    padding = "valid" if stride > 1 else "same"
    if filters:
        layer = layers.Conv2D(filters, kernel, stride, padding, use_bias=False, name=name)
    else:
        layer = layers.DepthwiseConv2D(kernel, stride, padding, use_bias=False, name=name)
    x = layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, momentum=0.97, name=f"{name}_norm")(layer(x))
    return layers.Activation(activation, name=f"{name}_{activation}")(x) if activation else x


def squeeze_and_excite(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Scale each channel by a gate that depends on the means of all channels (Hu et al. 2018)."""
    from keras import layers

    n = x.shape[-1]
    mean = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    squeezed = layers.Conv2D(channels(n / _SQUEEZE), 1, activation="relu", name=f"{name}_squeeze")(mean)
    gate = layers.Conv2D(n, 1, activation="sigmoid", name=f"{name}_excite")(squeezed)
    return layers.Multiply(name=f"{name}_scale")([x, gate])


def block(x: keras.KerasTensor, b: Block, width: float, name: str) -> keras.KerasTensor:
    """Apply an inverted residual block."""
    from keras import layers

    activation = "hard_swish" if b.hard_swish else "relu"
    n_in, expanded, out = x.shape[-1], channels(b.expanded * width), channels(b.out * width)
    y = convolution(x, expanded, 1, 1, activation, f"{name}_expand") if expanded != n_in else x
    y = convolution(y, 0, b.kernel, b.stride, activation, f"{name}_depthwise")
    if b.squeeze:
        y = squeeze_and_excite(y, f"{name}_se")
    y = convolution(y, out, 1, 1, None, f"{name}_project")
    return layers.Add(name=f"{name}_add")([x, y]) if b.stride == 1 and n_in == out else y


def features(shape: tuple[int | None, ...], width: float) -> keras.Model:
    """Return the network from the input `shape` (bands, frames, 1) to the embedding `(channels,)`.

    The intermediate outputs are those of the layers `stem`..., `block_1`... to `block_15`...
    """
    import keras
    from keras import layers

    spectrogram = keras.Input(shape)
    x = convolution(spectrogram, channels(STEM * width), 3, 2, "hard_swish", "stem")
    for i, b in enumerate(BLOCKS, 1):
        x = block(x, b, width, f"block_{i}")
    x = convolution(x, channels(LAST * width), 1, 1, "hard_swish", "last")
    return keras.Model(spectrogram, layers.GlobalAveragePooling2D(name="embedding")(x))
