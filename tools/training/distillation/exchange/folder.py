"""The folder that `tools.distil_on_gpu` trains from."""

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
from tools.training.distillation.exchange import files, keras_networks
from tools.training.distillation.exchange.files import SpectrogramFile
from tools.training.distillation.recordings import Recording, Sampler
from tools.training.distillation.student import Student

SUBFOLDER = "spectrograms"


def write(
    folder: Path,
    identity: str,
    networks: Mapping[str, Student],
    teacher: Teacher,
    recordings: Sequence[Recording],
    validation: Sequence[Recording],
) -> None:
    """Write networks, constants and spectrograms. Spectrograms are hard links where the file system allows it.

    Args:
        folder: made if it is missing.
        identity: of the shipped networks and the recordings; the trained networks will have it, too.
        networks: the students, with their first weights.
        teacher: the teacher.
        recordings: to learn from.
        validation: to measure the students.
    """
    (folder / SUBFOLDER).mkdir(parents=True, exist_ok=True)
    listed = []
    for part in (recordings, validation):
        for recording, weight in Sampler(part).probabilities():
            file = f"{SUBFOLDER}/{recording.cached.name}"
            _link(recording.cached, folder / file)
            listed.append(SpectrogramFile(file, weight, part is validation))
    files.save_list(folder, listed)
    data = {name: keras_networks.student_data(student) for name, student in networks.items()}
    teacher_data = keras_networks.teacher_data(teacher)
    all_constants = constants() | {"identity": np.array(identity)}
    files.save_networks(folder / files.START, data | {files.TEACHER: teacher_data}, all_constants)


def constants() -> dict[str, np.ndarray]:
    """Return the attributes of `gpu.views.FrontEnd`, and which of the teacher's classes are music."""
    mel, effects = students.MEL, Effects(students.MEL)
    shape, power = effects.noise_distribution()
    values = {
        "gain": preprocessing.pre_emphasis_gain(mel),
        "band_hz": effects.band_hz,
        "noise_shape": shape,
        "noise_power": power,
        "top_db": students.TOP_DB,
        "offset": preprocessing.LOG_OFFSET,
        "divisor": preprocessing.LOG_DIVISOR,
        "frame_s": mel.hop_length / mel.sr,
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
