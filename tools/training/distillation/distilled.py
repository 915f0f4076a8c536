"""Recipe of the distilled networks: a student of the AudioSet teacher, with heads for genres, styles and sounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tools.training import examples, head, quantise, report, tflite_head
from tools.training.architectures import size
from tools.training.data import Track
from tools.training.distillation import (
    audioset,
    efficientat,
    genre_head,
    recordings,
    students,
    teacher_heads,
    track_copies,
    views,
)
from tools.training.distillation.function_matching import PHASES, Distiller
from tools.training.distillation.int8_features import Int8Features
from tools.training.distillation.mobilenet import Design
from tools.training.distillation.recordings import Recording
from tools.training.distillation.student import Student
from tools.training.head import LinearLayer, Outputs
from tools.training.jobs import TrainedNetwork, TrainingJob

NOT_MUSIC_THRESHOLD = 0.7  # probability from which the answer is "not_music"; docs/model.md has its error rates
STYLE_THRESHOLD = 0.5  # probability from which a style is named
FOLD_SEEDS = 3
CALIBRATION = views.Batch(16, students.PATCH_FRAMES, 0.5)
CALIBRATION_BATCHES = 20


class Distillation:
    """Students of one teacher, trained together on unlabelled sound.

    Args:
        jobs: one for each student, with the same data.
        tracks: labelled tracks, whose audio is used.
        unused: labelled tracks whose audio is not used, not even from another folder.
        run: name of the checkpoint's directory in the job's `out`; a finished run is restored.

    Raises:
        SystemExit: the data does not suffice, or the checkpoint belongs to another run.
    """

    def __init__(self, jobs: Sequence[TrainingJob], tracks: list[Track], unused: list[Track], run: str) -> None:
        job = jobs[0]
        assert job.teacher
        head.check_groups(tracks)
        self._recordings = _recordings(job, tracks, unused)
        self._teacher = efficientat.Teacher(efficientat.load_weights(job.teacher))
        designs = {job.student: students.DESIGNS[job.student] for job in jobs}
        self._distiller = Distiller(designs, self._teacher, self._recordings, job.out / run, PHASES, job.seed)
        self._explained = self._distiller.run()

    def student(self, job: TrainingJob) -> DistilledStudent:
        """Return the student of a job, quantised, with the examples that its heads are fitted to."""
        assert job.architecture.student
        student, design = self._distiller.students[job.student], job.architecture.student.network
        backbone = _quantised_backbone(student, design, self._recordings, job.seed)
        names = {folder.name for folder in job.not_music}
        not_music = [recording for recording in self._recordings if recording.source in names]
        views_of_all = teacher_heads.predict(
            student, self._teacher, Int8Features(backbone), self._recordings, not_music, job.seed
        )
        hours = recordings.hours(self._recordings, students.MEL)
        metrics = {
            "hours": {source: round(value, 2) for source, value in hours.items()},
            "explained": {name: round(value, 4) for name, value in self._explained[job.student].items()},
        }
        return DistilledStudent(job, student, backbone, views_of_all, metrics)


class DistilledStudent:
    """A student after distillation, as int8 network without heads, with its predictions and the teacher's."""

    def __init__(
        self,
        job: TrainingJob,
        student: Student,
        backbone: bytes,
        views_of_all: teacher_heads.Examples,
        metrics: dict[str, Any],
    ) -> None:
        self._job, self._student, self._backbone = job, student, backbone
        self._examples, self._metrics = views_of_all, metrics
        self._embed = Int8Features(backbone)
        self._copies: dict[Path, Outputs] = {}  # by the track's path: embedding of its patches, for each copy

    def fit(self, tracks: list[Track]) -> TrainedNetwork:
        """Return the student with heads that are fitted to `tracks`, whether or not they were used before.

        They are fitted to the int8 network's embedding, so that training and inference see the same values.
        """
        assert self._job.architecture.student
        layer, limits, temperature, metrics = self._heads(tracks)
        network = students.with_head(self._student.stages, self._job.architecture.student.network, layer)
        return TrainedNetwork(
            network,
            size(network) | self._metrics | metrics,
            temperature,
            tflite_head.replace_layer(self._backbone, layer.weights, layer.bias, limits),
            NOT_MUSIC_THRESHOLD,
            list(audioset.STYLES.values()),
            STYLE_THRESHOLD,
            teacher_heads.SOUNDS,
        )

    def _heads(self, tracks: list[Track]) -> tuple[LinearLayer, tuple[float, float], float, dict[str, Any]]:
        """Return the layer of all heads, the limits of its outputs, the genres' temperature, and metrics on folds."""
        labels, embedding = [track.genre for track in tracks], self._examples.embedding
        copies = [list(copy) for copy in zip(*(self._embedded_copies(track) for track in tracks), strict=True)]
        patches = np.concatenate([rows for copy in copies for rows in copy])
        genres, temperature, metrics = self._genres(copies, tracks)
        styles = teacher_heads.style_layer(self._student, self._examples)
        styles = teacher_heads.fit_to_labels(styles, copies[0], labels)
        not_music = embedding[-self._examples.n_not_music :]
        sounds = teacher_heads.fit_to_recordings(teacher_heads.sound_layer(self._examples), patches, not_music)
        layer = head.concatenate(genres, styles, sounds)
        outputs = layer(np.concatenate([embedding, patches]))
        return layer, (float(outputs.min()), float(outputs.max())), temperature, metrics

    def _embedded_copies(self, track: Track) -> Outputs:
        assert track.path
        if track.path not in self._copies:
            frames = track_copies.copies(track, self._job.seed)
            self._copies[track.path] = examples.track_outputs(self._embed, frames, self._job.architecture)
        return self._copies[track.path]

    def _genres(self, copies: list[Outputs], tracks: list[Track]) -> tuple[LinearLayer, float, dict[str, Any]]:
        job, classes = self._job, self._job.classes(tracks)
        model = genre_head.GenreHead.of(self._student, job.labels)
        folds = [head.folds(tracks, seed) for seed in range(FOLD_SEEDS)]
        logits = [model.cross_validated_logits(copies, classes, fold) for fold in folds]
        temperature = report.fit_temperature(logits[0], classes)
        p = report.track_means(logits[0], temperature)
        predicted = [job.labels[i] for i in p.argmax(axis=1)]
        by_genre = report.classification_metrics(job.labels, [track.genre for track in tracks], predicted)["per_genre"]
        metrics = {
            "folds": [_accuracy(fold_logits, classes) for fold_logits in logits],
            "folds_by_genre": by_genre,
            "folds_calibration_error": report.calibration_error(p, classes),
        }
        return model.fit(copies, classes), temperature, metrics


def _recordings(job: TrainingJob, tracks: list[Track], unused: list[Track]) -> list[Recording]:
    """Return the sound of tracks and folders, without files whose content is that of unused tracks."""
    cache = job.out / "spectrograms"
    excluded = {recordings.cached_path(track.path, students.MEL, cache) for track in unused if track.path}
    labelled = [("labelled", track.path) for track in tracks if track.path]
    found = recordings.load([*labelled, *recordings.find([*job.unlabelled, *job.not_music])], students.MEL, cache)
    return [recording for recording in found if recording.cached not in excluded]


def _quantised_backbone(student: Student, design: Design, found: list[Recording], seed: int) -> bytes:
    """Return the int8 network; its outputs are the teacher's logits of kinds of music, to be replaced."""
    maker, rng = views.ViewMaker(found), np.random.default_rng([seed, 3])
    calibration = [maker.batch(CALIBRATION, rng)[0].astype(np.float32) for _ in range(CALIBRATION_BATCHES)]
    network = students.with_head(student.stages, design, student.logits_of(audioset.is_music()))
    return quantise.to_int8(network, np.concatenate(calibration))


def _accuracy(logits: list[np.ndarray], classes: np.ndarray) -> float:
    return round(float((report.track_means(logits, 1.0).argmax(axis=1) == classes).mean()), 4)
