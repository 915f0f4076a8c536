"""The students of the AudioSet teacher: their front end, their networks, and the stages that they share with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from genre_edge.mel.config import MelConfig
from tools.training.distillation import mobilenet
from tools.training.distillation.mobilenet import Block, Design

if TYPE_CHECKING:
    import keras

# The teacher's front end without its pre-emphasis, which the normalisation applies to the bands: 100 frames a second
MEL = MelConfig(
    sr=32000, n_fft=1024, hop_length=320, win_length=800, pad_mode="reflect", fmax=15000, htk=True, norm=None
)
NORMALISATION, TOP_DB = "pre_emphasis", 45.0
PATCH_FRAMES, HOP_FRAMES = 500, 250  # 5 s and 2.5 s
HINTED_BLOCKS = 3, 6, 10, 12, 15  # the teacher's blocks at whose end a stage ends


@dataclass(frozen=True)
class Reduction:
    """A cheaper front end than MEL, to compare front ends: see `reduction.reduced`.

    Attributes:
        frames_per_s: frames per second; each averages the powers of its hop.
        n_mels: number of bands for the same range of frequencies.
        sr: sampling rate in Hz.
    """

    frames_per_s: float = MEL.sr / MEL.hop_length
    n_mels: int = MEL.n_mels
    sr: float = MEL.sr


@dataclass(frozen=True)
class StudentDesign:
    """A student's network.

    Attributes:
        network: convolutions up to the embedding.
        stage_ends: blocks at whose end its stages end, as many as HINTED_BLOCKS.
        n_means: the means of the depthwise convolutions of so many blocks, the first ones, are features, too.
        n_deviations: likewise their mean absolute deviations over time.
        reduction: front end whose information the student gets; None for MEL.
    """

    network: Design
    stage_ends: tuple[int, ...]
    n_means: int
    n_deviations: int
    reduction: Reduction | None = None


EDGE = StudentDesign(
    Design(
        8,
        (
            Block(3, 8, 8),
            Block(3, 32, 16, stride=2),
            Block(3, 40, 16),
            Block(5, 48, 16, squeeze=True, stride=2),
            Block(5, 64, 16, squeeze=True),
            Block(5, 64, 16, squeeze=True),
            Block(3, 128, 32, stride=2),
            Block(3, 96, 32),
            Block(3, 96, 32),
            Block(3, 96, 32),
            Block(3, 224, 48, squeeze=True),
            Block(3, 288, 48, squeeze=True),
            Block(5, 320, 64, squeeze=True, stride=2),
            Block(5, 416, 64, squeeze=True),
            Block(5, 416, 64, squeeze=True),
        ),
        512,
    ),
    HINTED_BLOCKS,
    n_means=6,
    n_deviations=10,
)

NANO = StudentDesign(
    Design(
        8,
        (
            Block(3, 8, 16, stride=2),
            Block(3, 24, 16),
            Block(5, 16, 16, squeeze=True, stride=2),
            Block(5, 24, 16, squeeze=True),
            Block(3, 48, 32, stride=2),
            Block(3, 64, 32),
            Block(3, 64, 32),
            Block(3, 72, 48, squeeze=True),
            Block(3, 96, 48, squeeze=True),
            Block(5, 112, 64, squeeze=True, stride=2),
            Block(5, 128, 64, squeeze=True),
        ),
        192,
    ),
    (2, 4, 7, 9, 11),
    n_means=7,
    n_deviations=0,
)
DESIGNS = {"edge": EDGE, "nano": NANO}


def stages(design: Design, ends: tuple[int, ...], inputs: keras.KerasTensor | None = None) -> list[keras.Model]:
    """Return the network in consecutive parts: up to each block in `ends`, and from the last one to the embedding.

    Args:
        design: of the network.
        ends: numbers of blocks, from 1.
        inputs: of the first part; None for patches of any length.
    """
    import keras
    from keras import layers

    parts: list[keras.Model] = []
    inputs = keras.Input((MEL.n_mels, None, 1)) if inputs is None else inputs
    x = mobilenet.convolution(inputs, design.stem, 3, 2, design.activation, "stem")
    for number, block in enumerate(design.blocks, 1):
        x = mobilenet.block(x, block, f"block_{number}")
        if number in ends:
            parts.append(keras.Model(inputs, x, name=f"stage_{len(parts)}"))
            inputs = x = keras.Input((None, None, x.shape[-1]))
    x = mobilenet.convolution(x, design.last, 1, 1, design.activation, "last")
    x = layers.GlobalAveragePooling2D(name="embedding")(x)
    return [*parts, keras.Model(inputs, x, name=f"stage_{len(parts)}")]
