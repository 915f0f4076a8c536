"""A student as int8 network without heads, and the sound that it is quantised and calibrated with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tools.training import quantise
from tools.training.data import Track
from tools.training.distillation import recordings, student_network, students, views
from tools.training.distillation.recordings import Recording
from tools.training.distillation.student_network import FeatureScale
from tools.training.distillation.students import StudentDesign
from tools.training.head import LinearLayer
from tools.training.jobs import TrainingJob

if TYPE_CHECKING:
    import keras

CALIBRATION = views.Batch(16, students.PATCH_FRAMES, 0.5)
CALIBRATION_BATCHES = 20


@dataclass(frozen=True)
class Backbone:
    """A student without heads.

    Attributes:
        stages: the float network, up to its embedding.
        scale: of its features.
        tflite: the int8 network, whose last layer is to be replaced.
    """

    stages: list[keras.Model]
    scale: FeatureScale
    tflite: bytes


def quantised(stages: list[keras.Model], design: StudentDesign, found: list[Recording], seed: int) -> Backbone:
    """Return the backbone, with value ranges for random views of some recordings."""
    maker, rng = views.ViewMaker(found), np.random.default_rng([seed, 3])
    batches = [maker.batch(CALIBRATION, rng)[0].astype(np.float32) for _ in range(CALIBRATION_BATCHES)]
    patches = np.concatenate(batches)
    scale = FeatureScale.measure(stages, design, patches)
    any_layer = LinearLayer(np.eye(len(scale.unit), 2), np.zeros(2))
    network = student_network.with_head(stages, design, scale, any_layer)
    return Backbone(stages, scale, quantise.to_int8(network, patches))


def load_recordings(job: TrainingJob, tracks: list[Track], unused: list[Track]) -> list[Recording]:
    """Return the sound of tracks and of the job's folders, without files whose content is that of unused tracks."""
    cache = job.out / "spectrograms"
    excluded = {recordings.cached_path(track.path, students.MEL, cache) for track in unused if track.path}
    labelled = [(recordings.LABELLED, track.path) for track in tracks if track.path]
    found = recordings.load([*labelled, *recordings.find([*job.unlabelled, *job.not_music])], students.MEL, cache)
    return [recording for recording in found if recording.cached not in excluded]


def from_folders(folders: Sequence[Path], found: list[Recording]) -> list[Recording]:
    """Return the recordings that are from some folders.

    Raises:
        SystemExit: there is none.
    """
    names = {recordings.source_name(folder) for folder in folders}
    chosen = [recording for recording in found if recording.source in names]
    if not chosen:
        raise SystemExit(f"{', '.join(map(str, folders))}: no audio that is long enough and not silent")
    return chosen
