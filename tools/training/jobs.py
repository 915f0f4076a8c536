"""`TrainingJob` and `TrainedNetwork`: what a training recipe gets and returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genre_edge.model.styles import Style
from tools.training.architectures import Architecture
from tools.training.data import Track

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class TrainingJob:
    """Configuration of a training run: architecture, labels, data folders and output directory.

    Attributes:
        epochs: of a training on labels.
        out: directory of checkpoints and caches.
        student: name of the student's design; "" for a training on labels.
        teacher: file of the teacher's weights; None for a training on labels, or for heads without pseudo-labels.
        unlabelled: folders of unlabelled music.
        not_music: folders of audio that is not music.
        warm_start: whether the distillation continues that of the shipped network.
        heads_only: whether the student keeps the layers of the shipped network.
        gpu_folder: see `tools.distil_on_gpu`; None for a distillation without a GPU.
    """

    architecture: Architecture
    labels: list[str]
    epochs: int
    seed: int
    out: Path
    student: str = ""
    teacher: Path | None = None
    unlabelled: tuple[Path, ...] = ()
    not_music: tuple[Path, ...] = ()
    warm_start: bool = False
    heads_only: bool = False
    gpu_folder: Path | None = None

    def classes(self, tracks: list[Track]) -> np.ndarray:
        """Return the index of each track's label, `(tracks,)`."""
        return np.array([self.labels.index(track.genre) for track in tracks])


@dataclass(frozen=True)
class TrainedNetwork:
    """A network whose outputs are logits, and its recipe's metrics.

    Attributes:
        temperature: None if it is to be fitted to the holdout.
        tflite: the int8 network; None if `network` is to be quantised.
        not_music: threshold for this answer; None if the network has no such output.
        styles, style_threshold, sounds: fields of the bundle.
    """

    network: keras.Model
    metrics: dict[str, Any]
    temperature: float | None = None
    tflite: bytes | None = None
    not_music: float | None = None
    styles: list[Style] = field(default_factory=list)
    style_threshold: float = 0.5
    sounds: list[str] = field(default_factory=list)
