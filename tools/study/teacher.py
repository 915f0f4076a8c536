"""Probabilities of styles, of a bundle and of the teacher, for the same patches."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from genre_edge.model.prediction import Model
from genre_edge.model.preprocessing import logistic, normalise
from tools.study.answers import patch_probabilities, patches
from tools.training.distillation import audioset, students
from tools.training.distillation.efficientat import Teacher

BATCH = 16


def style_scores(model: Model, paths: Iterable[Path], styles: Sequence[str]) -> np.ndarray:
    """Return a bundle's mean probability of each style over a song's patches, `(songs, styles)`; zeros for silence."""
    part, names = model.bundle.layout.styles, [style.name for style in model.bundle.styles]
    columns = [part.start + names.index(style) for style in styles]
    return np.array([_mean(patch_probabilities(model, path)[:, columns]) for path in paths])


class TeacherStyles:
    """Styles of the teacher: the maximum of its classes for the style and for those that it includes.

    Args:
        teacher: the network.
        styles: names of styles.
        silence_db: patches below this level are left out.
    """

    def __init__(self, teacher: Teacher, styles: Sequence[str], silence_db: float) -> None:
        self._teacher, self._silence_db = teacher, silence_db
        self._classes = [audioset.family_classes(style) for style in styles]

    def scores(self, paths: Iterable[Path]) -> np.ndarray:
        """Return the mean probability of each style over a song's patches, `(songs, styles)`; zeros for silence.

        The patches are those of the students: the same front end, length and hop.
        """
        return np.array([_mean(self._song(path)) for path in paths])

    def _song(self, path: Path) -> np.ndarray:
        found = patches(path, students.MEL, students.PATCH_FRAMES, students.HOP_FRAMES, self._silence_db)
        rows = [np.empty((0, len(self._classes)))]
        while batch := list(islice(found, BATCH)):
            inputs = [normalise(patch, students.NORMALISATION, students.TOP_DB, students.MEL) for patch in batch]
            logits = self._teacher.outputs(np.stack(inputs)[..., None])[1]
            p = logistic(np.asarray(logits, dtype=np.float64))
            rows.append(np.stack([p[:, classes].max(axis=1) for classes in self._classes], axis=1))
        return np.concatenate(rows)


def _mean(rows: np.ndarray) -> np.ndarray:
    mean: np.ndarray = rows.mean(axis=0) if len(rows) else np.zeros(rows.shape[1])
    return mean
