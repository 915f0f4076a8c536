"""Write the folder that `tools.distil_on_gpu` trains from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from genre_edge.model import preprocessing
from tools.training.distillation import audioset, students
from tools.training.distillation.effects import Effects
from tools.training.distillation.efficientat import Teacher
from tools.training.distillation.gpu import handover, keras_networks
from tools.training.distillation.gpu.handover import Sound
from tools.training.distillation.recordings import Recording, Sampler
from tools.training.distillation.student import Student


def write(
    folder: Path,
    networks: Mapping[str, Student],
    teacher: Teacher,
    recordings: Sequence[Recording],
    validation: Sequence[Recording],
) -> None:
    """Write networks, constants and spectrograms. Spectrograms are hard links where the file system allows it.

    Args:
        folder: made if it is missing; its list of spectrograms is written last.
        networks: the students, with their first weights.
        teacher: the teacher.
        recordings: to learn from.
        validation: to measure the students.
    """
    (folder / handover.SOUNDS).mkdir(parents=True, exist_ok=True)
    data = {name: keras_networks.student_data(student) for name, student in networks.items()}
    handover.save_networks(
        folder / handover.START, data | {handover.TEACHER: keras_networks.teacher_data(teacher)}, constants()
    )
    listed = []
    for part in (recordings, validation):
        for recording, weight in Sampler(part).probabilities():
            file = f"{handover.SOUNDS}/{recording.cached.name}"
            _link(recording.cached, folder / file)
            listed.append(Sound(file, weight, part is validation))
    handover.save_sounds(folder, listed)


def constants() -> dict[str, np.ndarray]:
    """Return the constants of the front end and which of the teacher's classes are music."""
    mel = students.MEL
    shape, power = Effects(mel).noise_distribution()
    scalars = students.TOP_DB, preprocessing.LOG_OFFSET, preprocessing.LOG_DIVISOR, mel.hop_length / mel.sr
    values = {
        "gain": preprocessing.pre_emphasis_gain(mel),
        "band_hz": Effects(mel).band_hz,
        "noise_shape": shape,
        "noise_power": power,
        "scalars": np.array(scalars),
    }
    single = {name: np.asarray(value, dtype=np.float32) for name, value in values.items()}
    return single | {"is_music": audioset.is_music()}


def _link(source: Path, to: Path) -> None:
    if to.exists():
        return
    incomplete = to.with_suffix(".incomplete")
    incomplete.unlink(missing_ok=True)
    try:
        os.link(source, incomplete)
    except OSError:  # another file system
        shutil.copyfile(source, incomplete)
    incomplete.rename(to)
