"""The networks, and how each wants its input: front end, patch, normalisation, schedule.

All give linear outputs; softmax happens outside, where the temperature is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from genre_edge.mel.config import MelConfig
from tools.training.data import ARCHIVE_MEL
from tools.training.fit import Schedule


@dataclass(frozen=True)
class Architecture:
    """A network and its recipe. `distilled`: it learns from a teacher first, and its last layer is a regression."""

    build: Callable[[tuple[int, int, int], int], Any]
    mel: MelConfig
    patch_frames: int
    hop_frames: int
    normalisation: str
    schedule: Schedule
    about: str
    distilled: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a patch, as the network takes it."""
        return self.mel.n_mels, self.patch_frames, 1


def paper_cnn(shape: tuple[int, int, int], n_outputs: int) -> Any:
    """The published network: two 3x3 convolutions with 2x4 pooling, 64 units."""
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


def student(shape: tuple[int, int, int], n_outputs: int) -> Any:
    """Residual blocks (He et al. 2016), then one convolution over all bands, then mean and maximum over time."""
    import keras
    from keras import layers

    def convolution(x: Any, channels: int, size: int | tuple[int, int], strides: tuple[int, int], padding: str) -> Any:
        x = layers.Conv2D(channels, size, strides=strides, padding=padding, use_bias=False)(x)
        return layers.BatchNormalization(momentum=0.97)(x)

    def residual(x: Any, channels: int, strides: tuple[int, int]) -> Any:
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


def multiply_accumulates(network: Any) -> int:
    """What a patch costs: the products of its convolutions and dense layers."""
    total = 0
    for layer in network.layers:
        places = layer.output.shape[1] * layer.output.shape[2] if type(layer).__name__ == "Conv2D" else 1
        if hasattr(layer, "kernel"):
            total += int(layer.kernel.shape.num_elements()) * places
    return total


_PAPER = {
    "build": paper_cnn,
    "normalisation": "minmax",
    "schedule": Schedule(epochs=15, batch_size=16, learning_rate=1e-3, cosine=False),
    "about": (
        "The published network: two 3x3 convolutions (16 and 32 filters) with 2x4 max-pooling, 64 units, "
        "softmax; mel spectrogram of 30 s scaled to 0..1. Kept as a reference: `edge` is better."
    ),
}

ARCHITECTURES = {
    # 30 s at the archive's 12.9 frames a second
    "paper": Architecture(mel=ARCHIVE_MEL, patch_frames=387, hop_frames=387, **_PAPER),
    # 30 s in the paper's own 660 frames, for whoever has the audio
    "paper660": Architecture(
        mel=MelConfig(sr=22050, n_fft=2048, hop_length=1002, n_mels=128), patch_frames=660, hop_frames=660, **_PAPER
    ),
    "edge": Architecture(
        build=student,
        mel=ARCHIVE_MEL,
        patch_frames=39,  # 3 s, as the teacher hears
        hop_frames=20,  # a patch every 13 frames costs half as much again and hears the same (docs/model.md)
        normalisation="active_bands",
        schedule=Schedule(epochs=36, batch_size=128, learning_rate=2e-3, weight_decay=1e-3),
        about=(
            "A residual CNN of 3 s patches that learnt to say what MSD_musicnn (Pons and Serra 2019) says of "
            "unlabelled music, then to say the same in noise and narrow bands; on what it says stands a logistic "
            "regression, its last layer: docs/model.md. (The teacher's weights, which are no part of this, are "
            "published under the ISC licence.)"
        ),
        distilled=True,
    ),
}
