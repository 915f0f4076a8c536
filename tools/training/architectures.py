"""The network architectures and the input each expects: mel front end, patch length, normalisation, schedule.

All networks output logits; softmax and temperature are applied outside the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genre_edge.mel.config import MelConfig
from tools.training.data import ARCHIVE_MEL
from tools.training.distillation import student_network, students
from tools.training.distillation.students import StudentDesign
from tools.training.fit import Schedule

if TYPE_CHECKING:
    import keras

Shape = tuple[int, int, int]  # (n_mels, frames, channels) of one patch


@dataclass(frozen=True)
class Architecture:
    """A network with its training recipe.

    `build(shape, n_outputs)` returns an untrained network. It is trained on the labels with `schedule`; a `student` is
    distilled from a teacher instead, and gets its last layer by regressions.
    """

    build: Callable[[Shape, int], keras.Model]
    mel: MelConfig
    patch_frames: int
    hop_frames: int
    normalisation: str
    top_db: float
    about: str
    schedule: Schedule | None = None
    student: StudentDesign | None = None

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


def multiply_accumulates(network: keras.Model) -> int:
    """Count the multiply-accumulates per patch of a network's convolutions and dense layers."""
    total = 0
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            positions = layer.output.shape[1] * layer.output.shape[2] if len(layer.output.shape) == 4 else 1
            total += int(layer.kernel.shape.num_elements()) * positions
    return total


def size(network: keras.Model) -> dict[str, int]:
    """Return the number of parameters and of multiply-accumulates per patch."""
    return {"parameters": int(network.count_params()), "multiply_accumulates": multiply_accumulates(network)}


PAPER_SCHEDULE = Schedule(epochs=15, batch_size=16, learning_rate=1e-3, cosine=False)


def _paper(mel: MelConfig, patch_frames: int) -> Architecture:
    return Architecture(
        build=paper_cnn,
        mel=mel,
        patch_frames=patch_frames,
        hop_frames=patch_frames,
        normalisation="minmax",
        top_db=80.0,
        schedule=PAPER_SCHEDULE,
        about=(
            "The published network: two 3x3 convolutions (16 and 32 filters) with 2x4 max-pooling, 64 units, "
            "softmax; mel spectrogram of 30 s scaled to 0..1. Kept as a reference: `edge` is more accurate."
        ),
    )


def _student(design: StudentDesign) -> Architecture:
    return Architecture(
        build=lambda _, n_outputs: student_network.network(design, n_outputs),
        mel=students.MEL,
        patch_frames=students.PATCH_FRAMES,
        hop_frames=students.HOP_FRAMES,
        normalisation=students.NORMALISATION,
        top_db=students.TOP_DB,
        about=(
            "A MobileNetV3 (Howard et al. 2019) for patches of 5 s, distilled from the EfficientAT network `mn04_as` "
            "(Schmid et al. 2023) on unlabelled sound, partly degraded: docs/model.md. Its last layer gives "
            "genres, by a regression on labelled tracks with the embedding and statistics of early layers, and styles "
            "and sounds as the teacher predicts them. (The teacher's weights, which are not part of this bundle, are "
            "published under the MIT licence.)"
        ),
        student=design,
    )


ARCHITECTURES = {
    # 30 s at the archive's 12.9 frames per second
    "paper": _paper(ARCHIVE_MEL, 387),
    # 30 s in the paper's own 660 frames; needs the audio
    "paper660": _paper(MelConfig(sr=22050, n_fft=2048, hop_length=1002, n_mels=128), 660),
    "edge": _student(students.EDGE),
    "nano": _student(students.NANO),
}
