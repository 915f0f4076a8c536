"""Recipe of the distilled networks: a student of the AudioSet teacher, with heads for genres, styles and sounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from genre_edge.mel.spectrogram import Frames
from tools.training import (
    audioset,
    efficientat,
    examples,
    genre_head,
    head,
    recordings,
    report,
    students,
    teacher_heads,
    views,
)
from tools.training.architectures import size
from tools.training.data import Track
from tools.training.effects import Effects
from tools.training.function_matching import PHASES, Distiller
from tools.training.head import LinearLayer, Outputs
from tools.training.jobs import TrainedNetwork, TrainingJob
from tools.training.recordings import Recording
from tools.training.student import Student

NOT_MUSIC_THRESHOLD = 0.7  # probability from which the answer is "not_music"; docs/model.md has its error rates
STYLE_THRESHOLD = 0.3  # probability from which a style is named
FOLD_SEEDS = 3
CLEAN_COPIES = 3  # the undegraded tracks weigh as much as all degraded ones
SNR_DB = 5.0, 25.0  # range of the noisy copies that the genre head is fitted to
CALIBRATION = views.Batch(16, students.PATCH_FRAMES, 0.5)
CALIBRATION_BATCHES = 20


def train(job: TrainingJob, tracks: list[Track], holdout: list[Track], run: str) -> TrainedNetwork:
    """Distil the job's students together and return one of them with its heads, fitted to `tracks`.

    No audio of the holdout is used, except that its tracks may be among `tracks`, which only the genre head is
    fitted to.

    Raises:
        SystemExit: the data does not suffice, or the checkpoint belongs to another run.
    """
    head.check_groups(tracks)
    found = _recordings(job, tracks, holdout)
    assert job.teacher and job.architecture.student
    teacher = efficientat.Teacher(efficientat.load_weights(job.teacher))
    designs = {name: students.DESIGNS[name] for name in job.students}
    distiller = Distiller(designs, teacher, found, job.out / run, PHASES, job.seed)
    explained = distiller.run()[job.student]
    student = distiller.students[job.student]
    layer, temperature, metrics = _heads(job, student, teacher, tracks, found)
    network = students.with_head(student.stages, job.architecture.student.network, layer.weights, layer.bias)
    hours = recordings.hours(found, students.MEL)
    return TrainedNetwork(
        network,
        {
            **size(network),
            "hours_heard": {source: round(value, 2) for source, value in hours.items()},
            "explained": {name: round(value, 4) for name, value in explained.items()},
            **metrics,
        },
        temperature,
        _calibration(found, job.seed),
        NOT_MUSIC_THRESHOLD,
        list(audioset.STYLES.values()),
        STYLE_THRESHOLD,
        teacher_heads.SOUNDS,
    )


def _recordings(job: TrainingJob, tracks: list[Track], holdout: list[Track]) -> list[Recording]:
    """Return the sound to listen to: that of tracks and folders, without the files of tracks that are held out."""
    cache = job.out / "spectrograms"
    held_out = {recordings.cached_path(track.path, students.MEL, cache) for track in holdout if track.path}
    labelled = [("labelled", track.path) for track in tracks if track.path]
    found = recordings.load([*labelled, *recordings.find([*job.listen, *job.not_music])], students.MEL, cache)
    return [recording for recording in found if recording.cached not in held_out]


def _heads(
    job: TrainingJob, student: Student, teacher: efficientat.Teacher, tracks: list[Track], found: list[Recording]
) -> tuple[LinearLayer, float, dict[str, Any]]:
    """Return one layer for genres, styles and sounds, the genres' temperature, and metrics on folds."""
    copies = [_embeddings(student, frames, job) for frames in degraded_copies(tracks, job.seed)]
    copies = [copies[0]] * CLEAN_COPIES + copies[1:]
    classes, model = job.classes(tracks), genre_head.GenreHead.of(student, job.labels)
    genres = model.fit(copies, classes)
    logits = [model.cross_validated_logits(copies, classes, head.folds(tracks, seed)) for seed in range(FOLD_SEEDS)]
    temperature = report.fit_temperature(logits[0], classes)
    p = report.track_means(logits[0], temperature)
    metrics = {
        "folds": [_accuracy(fold_logits, classes) for fold_logits in logits],
        "folds_by_genre": report.classification_metrics(
            job.labels, [track.genre for track in tracks], [job.labels[i] for i in p.argmax(axis=1)]
        )["per_genre"],
        "folds_calibration_error": report.calibration_error(p, classes),
    }
    not_music = {folder.name for folder in job.not_music}
    other = [recording for recording in found if recording.source in not_music]
    heard = teacher_heads.listen(student, teacher, found, other, job.seed)
    layers = genres, teacher_heads.style_layer(student, heard), teacher_heads.sound_layer(heard)
    return head.concatenate(*layers), temperature, metrics


def degraded_copies(tracks: list[Track], seed: int) -> list[list[Frames]]:
    """Return the tracks' frames unchanged, with noise, with a random band limit, and in the telephone band."""
    rng, effects = np.random.default_rng([seed, 1]), Effects(students.MEL)
    degradations: tuple[Callable[[Frames], Frames], ...] = (
        lambda x: effects.add_noise(x, rng.uniform(*SNR_DB), rng),
        lambda x: effects.limit_band(x, rng),
        lambda x: effects.telephone(x, rng),
    )
    return [[t.frames for t in tracks], *([degrade(t.frames) for t in tracks] for degrade in degradations)]


def _embeddings(student: Student, tracks: list[Frames], job: TrainingJob) -> Outputs:
    """Return the student's embedding of each track's patches, each `(patches, features)`."""
    return examples.track_outputs(lambda x: student.stage_outputs(x)[-1], tracks, job.architecture)


def _calibration(found: list[Recording], seed: int) -> np.ndarray:
    """Return views for the value ranges of the int8 network, `(k, n_mels, PATCH_FRAMES, 1)`."""
    maker, rng = views.ViewMaker(found), np.random.default_rng([seed, 3])
    return np.concatenate([maker.batch(CALIBRATION, rng)[0].astype(np.float32) for _ in range(CALIBRATION_BATCHES)])


def _accuracy(logits: list[np.ndarray], classes: np.ndarray) -> float:
    return round(float((report.track_means(logits, 1.0).argmax(axis=1) == classes).mean()), 4)
