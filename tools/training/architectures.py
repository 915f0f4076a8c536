"""The networks, and how each wants its input: front end, patch, normalisation, schedule.

All give logits; softmax happens outside, where the temperature is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from genre_edge.mel_config import MelConfig
from training.data import ARCHIVE_MEL


@dataclass(frozen=True)
class Architecture:
    """A network and its recipe; `patches_per_track` random crops of each track make an epoch."""

    build: Callable[[tuple[int, int, int], int], Any]
    mel: MelConfig
    patch_frames: int
    hop_frames: int
    normalisation: str
    epochs: int
    batch_size: int
    learning_rate: float
    patches_per_track: int
    augment: bool
    about: str


def paper_cnn(shape: tuple[int, int, int], n_labels: int) -> Any:
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
            layers.Dense(n_labels),
        ]
    )


def separable_cnn(shape: tuple[int, int, int], n_labels: int) -> Any:
    """Depthwise-separable blocks, pooled over time and frequency at the end."""
    from keras import Sequential, layers

    def normalised(layer: Any) -> list[Any]:
        # Keras' momentum of 0.99 is too slow for a few thousand steps.
        return [layer, layers.BatchNormalization(momentum=0.95), layers.ReLU()]

    def block(channels: int) -> list[Any]:
        return [
            *normalised(layers.DepthwiseConv2D(3, padding="same", use_bias=False)),
            *normalised(layers.Conv2D(channels, 1, use_bias=False)),
        ]

    pool = layers.MaxPooling2D
    return Sequential(
        [
            layers.Input(shape),
            *normalised(layers.Conv2D(24, 3, strides=2, padding="same", use_bias=False)),
            *block(48),
            pool((2, 1)),
            *block(96),
            pool((2, 2)),
            *block(128),
            pool((2, 2)),
            *block(192),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.3),
            layers.Dense(n_labels),
        ]
    )


_PAPER = {
    "build": paper_cnn,
    "normalisation": "minmax",
    "epochs": 15,
    "batch_size": 16,
    "learning_rate": 1e-3,
    "patches_per_track": 1,
    "augment": False,
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
    "separable": Architecture(
        build=separable_cnn,
        mel=ARCHIVE_MEL,
        patch_frames=64,  # 5 s
        hop_frames=32,
        normalisation="standard",
        epochs=50,
        batch_size=64,
        learning_rate=3e-3,
        patches_per_track=8,
        augment=True,
        about=(
            "A depthwise-separable CNN trained from scratch on short patches, with random equalisers, masks and "
            "mixing. A first model, to be replaced by one that has heard more music."
        ),
    ),
}
