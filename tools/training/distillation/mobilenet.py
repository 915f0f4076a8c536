"""MobileNetV3 (Howard et al. 2019) for mel spectrograms, as the EfficientAT networks use it (Schmid et al. 2023).

The teacher and the students are built from the same kind of blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
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
        expanded, out: channels; without an expansion if `expanded` equals the number of input channels.
        squeeze: whether squeeze-and-excitation is used.
        activation: "relu" or "hard_swish".
        stride: in frequency and time.
    """

    kernel: int
    expanded: int
    out: int
    squeeze: bool = False
    activation: str = "relu"
    stride: int = 1


@dataclass(frozen=True)
class Design:
    """A network: a convolution with stride 2, blocks, and a 1x1 convolution, whose mean is the embedding.

    Attributes:
        stem, last: channels of the first and the last convolution.
        activation: of these two.
    """

    stem: int
    blocks: tuple[Block, ...]
    last: int
    activation: str = "relu"

    def block_parts(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of each block and the names of its parts in order: of its convolutions, and "se"."""
        channels = self.stem
        for number, block in enumerate(self.blocks, 1):
            parts = ["depthwise", *["se"] * block.squeeze, "project"]
            yield number, parts if block.expanded == channels else ["expand", *parts]
            channels = block.out


def channels(at_width_1: float) -> int:
    """Round a number of channels to a multiple of 8, at most 10 % down."""
    rounded = max(8, int(at_width_1 + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * at_width_1 else rounded


def mobilenet_v3_large(width: float) -> Design:
    """Return MobileNetV3-Large with all channels multiplied by `width`."""
    table = (  # kernel, expanded, out, squeeze-and-excitation, hard swish, stride
        (3, 16, 16, False, False, 1),
        (3, 64, 24, False, False, 2),
        (3, 72, 24, False, False, 1),
        (5, 72, 40, True, False, 2),
        (5, 120, 40, True, False, 1),
        (5, 120, 40, True, False, 1),
        (3, 240, 80, False, True, 2),
        (3, 200, 80, False, True, 1),
        (3, 184, 80, False, True, 1),
        (3, 184, 80, False, True, 1),
        (3, 480, 112, True, True, 1),
        (3, 672, 112, True, True, 1),
        (5, 672, 160, True, True, 2),
        (5, 960, 160, True, True, 1),
        (5, 960, 160, True, True, 1),
    )
    blocks = (
        Block(k, channels(e * width), channels(c * width), se, "hard_swish" if hs else "relu", stride)
        for k, e, c, se, hs, stride in table
    )
    return Design(channels(16 * width), tuple(blocks), channels(960 * width), "hard_swish")


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


def block(x: keras.KerasTensor, b: Block, name: str) -> keras.KerasTensor:
    """Apply an inverted residual block."""
    from keras import layers

    n_in = x.shape[-1]
    y = convolution(x, b.expanded, 1, 1, b.activation, f"{name}_expand") if b.expanded != n_in else x
    y = convolution(y, 0, b.kernel, b.stride, b.activation, f"{name}_depthwise")
    if b.squeeze:
        y = squeeze_and_excite(y, f"{name}_se")
    y = convolution(y, b.out, 1, 1, None, f"{name}_project")
    return layers.Add(name=f"{name}_add")([x, y]) if b.stride == 1 and n_in == b.out else y
