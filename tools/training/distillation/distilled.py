"""Recipe of the distilled networks: a student of the AudioSet teacher, with heads for genres, styles and sounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from genre_edge.mel.spectrogram import Frames, MelSpectrogram
from tools.training import conditions, examples, head, quantise, report, tflite_head
from tools.training.architectures import size
from tools.training.data import Track
from tools.training.distillation import audioset, efficientat, genre_head, recordings, students, teacher_heads, views
from tools.training.distillation.effects import Effects
from tools.training.distillation.function_matching import PHASES, Distiller
from tools.training.distillation.int8_features import Int8Features
from tools.training.distillation.mobilenet import Design
from tools.training.distillation.recordings import Recording
from tools.training.distillation.student import Student
from tools.training.head import LinearLayer, Outputs
from tools.training.jobs import TrainedNetwork, TrainingJob
from tools.training.sounds.synthetic_sounds import read_mono

NOT_MUSIC_THRESHOLD = 0.7  # probability from which the answer is "not_music"; docs/model.md has its error rates
STYLE_THRESHOLD = 0.5  # probability from which a style is named
FOLD_SEEDS = 3
SNR_DB, DECAY_S = (5.0, 25.0), (0.2, 1.0)  # ranges of noise and reverberation in the copies that the head is fitted to
CALIBRATION = views.Batch(16, students.PATCH_FRAMES, 0.5)
CALIBRATION_BATCHES = 20


class DistilledStudent:
    """A student after distillation, as int8 network without heads, with its estimates and the teacher's for many views.

    Args:
        job: its students are distilled together, or restored from a finished run.
        tracks, holdout: labelled tracks; no audio of the holdout is listened to.
        run: name of the checkpoint's directory in `job.out`.

    Raises:
        SystemExit: the data does not suffice, or the checkpoint belongs to another run.
    """

    def __init__(self, job: TrainingJob, tracks: list[Track], holdout: list[Track], run: str) -> None:
        assert job.teacher and job.architecture.student
        head.check_groups(tracks)
        found = _recordings(job, tracks, holdout)
        teacher = efficientat.Teacher(efficientat.load_weights(job.teacher))
        designs = {name: students.DESIGNS[name] for name in job.students}
        distiller = Distiller(designs, teacher, found, job.out / run, PHASES, job.seed)
        explained = distiller.run()[job.student]
        hours = recordings.hours(found, students.MEL)
        self._metrics = {
            "hours_heard": {source: round(value, 2) for source, value in hours.items()},
            "explained": {name: round(value, 4) for name, value in explained.items()},
        }
        self._job, self._design = job, job.architecture.student.network
        self._student = distiller.students[job.student]
        self._backbone = _quantised_backbone(self._student, self._design, found, job.seed)
        self._embed = Int8Features(self._backbone)
        other = [recording for recording in found if recording.source in {folder.name for folder in job.not_music}]
        self._heard = teacher_heads.listen(self._student, teacher, self._embed, found, other, job.seed)

    def fit(self, tracks: list[Track]) -> TrainedNetwork:
        """Return the student with heads that are fitted to `tracks`, for which the holdout may be used, too.

        They are fitted to the int8 network's embedding, so that training and inference see the same values.
        """
        layer, limits, temperature, metrics = self._heads(tracks)
        network = students.with_head(self._student.stages, self._design, layer)
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
        job, heard, labels = self._job, self._heard, [track.genre for track in tracks]
        degraded = [*degraded_copies(tracks, job.seed), *recorded_copies(tracks, job.seed)]
        copies = [examples.track_outputs(self._embed, frames, job.architecture) for frames in degraded]
        patches = np.concatenate([rows for copy in copies for rows in copy])
        genres, temperature, metrics = self._genres(copies, tracks)
        styles = teacher_heads.style_layer(self._student, heard)
        styles = teacher_heads.fit_to_labels(styles, copies[0], labels)
        not_music = heard.embedding[-heard.n_not_music :]
        sounds = teacher_heads.fit_to_recordings(teacher_heads.sound_layer(heard), patches, not_music)
        layer = head.concatenate(genres, styles, sounds)
        outputs = layer(np.concatenate([heard.embedding, patches]))
        return layer, (float(outputs.min()), float(outputs.max())), temperature, metrics

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


def _recordings(job: TrainingJob, tracks: list[Track], holdout: list[Track]) -> list[Recording]:
    """Return the sound to listen to: that of tracks and folders, without the files of tracks that are held out."""
    cache = job.out / "spectrograms"
    held_out = {recordings.cached_path(track.path, students.MEL, cache) for track in holdout if track.path}
    labelled = [("labelled", track.path) for track in tracks if track.path]
    found = recordings.load([*labelled, *recordings.find([*job.listen, *job.not_music])], students.MEL, cache)
    return [recording for recording in found if recording.cached not in held_out]


def degraded_copies(tracks: list[Track], seed: int) -> list[list[Frames]]:
    """Return the tracks' frames unchanged, with noise, with a random band limit, and in the telephone band."""
    rng, effects = np.random.default_rng([seed, 1]), Effects(students.MEL)
    degradations: tuple[Callable[[Frames], Frames], ...] = (
        lambda x: effects.add_noise(x, rng.uniform(*SNR_DB), rng),
        lambda x: effects.limit_band(x, rng),
        lambda x: effects.telephone(x, rng),
    )
    return [[t.frames for t in tracks], *([degrade(t.frames) for t in tracks] for degrade in degradations)]


def recorded_copies(tracks: list[Track], seed: int) -> list[list[Frames]]:
    """Return the frames of the tracks' audio in a random room, and with pink noise.

    They are computed from samples: a mel spectrogram cannot simulate the fine structure of a room.
    """
    rng, spectrogram = np.random.default_rng([seed, 4]), MelSpectrogram(students.MEL)
    rate = round(students.MEL.sr)
    copies: tuple[list[Frames], list[Frames]] = ([], [])
    for track in tracks:
        assert track.path
        y = read_mono(track.path, rate)
        copies[0].append(spectrogram.db(conditions.reverberate(y, rate, rng.uniform(*DECAY_S), rng)))
        copies[1].append(spectrogram.db(conditions.add_pink_noise(y, rate, rng.uniform(*SNR_DB), rng)))
    return list(copies)


def _quantised_backbone(student: Student, design: Design, found: list[Recording], seed: int) -> bytes:
    """Return the int8 network; its outputs are the teacher's logits of kinds of music, to be replaced."""
    maker, rng = views.ViewMaker(found), np.random.default_rng([seed, 3])
    calibration = [maker.batch(CALIBRATION, rng)[0].astype(np.float32) for _ in range(CALIBRATION_BATCHES)]
    network = students.with_head(student.stages, design, student.logits_of(audioset.is_music()))
    return quantise.to_int8(network, np.concatenate(calibration))


def _accuracy(logits: list[np.ndarray], classes: np.ndarray) -> float:
    return round(float((report.track_means(logits, 1.0).argmax(axis=1) == classes).mean()), 4)
