"""The network architectures and the input each expects: mel front end, patch length, normalisation, schedule.

All networks output logits; softmax and temperature are applied outside the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genre_edge.mel.config import MelConfig
from tools.training.data import ARCHIVE_MEL
from tools.training.fit import Schedule

if TYPE_CHECKING:
    import keras

Shape = tuple[int, int, int]  # (n_mels, frames, channels) of one patch


@dataclass(frozen=True)
class Architecture:
    """A network with its training recipe.

    `build(shape, n_outputs)` returns an untrained network. With `distilled`, the network is first distilled from a
    teacher and its last layer is then a logistic regression; otherwise it is trained on the labels.
    """

    build: Callable[[Shape, int], keras.Model]
    mel: MelConfig
    patch_frames: int
    hop_frames: int
    normalisation: str
    schedule: Schedule
    about: str
    distilled: bool = False

    @property
    def shape(self) -> Shape:
        """Shape of one input patch, `(n_mels, patch_frames, 1)`."""
        return self.mel.n_mels, self.patch_frames, 1


def paper_cnn(shape: Shape, n_outputs: int) -> keras.Model:
    """Build the published network: two 3x3 convolutions with 2x4 max-pooling, then 64 units."""
    from keras import Sequential, layers

    return Sequential(
        [
            layers.Input(shape),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D((2, 4)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D((2, 4)),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(n_outputs),
        ]
    )


def student(shape: Shape, n_outputs: int) -> keras.Model:
    """Build the student: residual blocks (He et al. 2016), a convolution over all bands, mean and max over time."""
    import keras
    from keras import layers

    def convolution(
        x: keras.KerasTensor, channels: int, size: int | tuple[int, int], strides: tuple[int, int], padding: str
    ) -> keras.KerasTensor:
        x = layers.Conv2D(channels, size, strides=strides, padding=padding, use_bias=False)(x)
        return layers.BatchNormalization(momentum=0.97)(x)

    def residual(x: keras.KerasTensor, channels: int, strides: tuple[int, int]) -> keras.KerasTensor:
        y = layers.ReLU()(convolution(x, channels, 3, strides, "same"))
        y = convolution(y, channels, 3, (1, 1), "same")
        shortcut = layers.AveragePooling2D(strides, padding="same")(x)
        return layers.ReLU()(layers.Add()([y, convolution(shortcut, channels, 1, (1, 1), "same")]))

    inputs = keras.Input(shape)
    x = inputs
    for channels in (16, 24):
        x = layers.ReLU()(convolution(x, channels, 3, (2, 1), "same"))
    for channels, strides in ((40, (2, 2)), (64, (2, 1)), (80, (2, 2))):
        x = residual(x, channels, strides)
    x = layers.ReLU()(convolution(x, 144, (x.shape[1], 1), (1, 1), "valid"))
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    x = layers.Dropout(0.2)(x)
    x = layers.Dense(192, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(n_outputs)(x))


def multiply_accumulates(network: keras.Model) -> int:
    """Count the multiply-accumulates per patch of a network's convolutions and dense layers."""
    total = 0
    for layer in network.layers:
        positions = layer.output.shape[1] * layer.output.shape[2] if type(layer).__name__ == "Conv2D" else 1
        if hasattr(layer, "kernel"):
            total += int(layer.kernel.shape.num_elements()) * positions
    return total


def _paper(mel: MelConfig, patch_frames: int) -> Architecture:
    return Architecture(
        build=paper_cnn,
        mel=mel,
        patch_frames=patch_frames,
        hop_frames=patch_frames,
        normalisation="minmax",
        schedule=Schedule(epochs=15, batch_size=16, learning_rate=1e-3, cosine=False),
        about=(
            "The published network: two 3x3 convolutions (16 and 32 filters) with 2x4 max-pooling, 64 units, "
            "softmax; mel spectrogram of 30 s scaled to 0..1. Kept as a reference: `edge` is more accurate."
        ),
    )


ARCHITECTURES = {
    # 30 s at the archive's 12.9 frames per second
    "paper": _paper(ARCHIVE_MEL, 387),
    # 30 s in the paper's own 660 frames; needs the audio
    "paper660": _paper(MelConfig(sr=22050, n_fft=2048, hop_length=1002, n_mels=128), 660),
    "edge": Architecture(
        build=student,
        mel=ARCHIVE_MEL,
        patch_frames=39,  # 3 s, the length of the teacher's patches
        hop_frames=20,  # a hop of 13 frames costs 50 % more and is no more accurate (docs/model.md)
        normalisation="active_bands",
        schedule=Schedule(epochs=36, batch_size=128, learning_rate=2e-3, weight_decay=1e-3),
        about=(
            "A residual CNN for 3 s patches, distilled from MSD_musicnn (Pons and Serra 2019) on unlabelled music, "
            "then fine-tuned to give the same outputs for noisy and band-limited input; its last layer is a logistic "
            "regression on these outputs: docs/model.md. (The teacher's weights, which are not part of this bundle, "
            "are published under the ISC licence.)"
        ),
        distilled=True,
    ),
}
