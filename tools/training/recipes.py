"""Training recipes: from labels alone, or by distillation from a teacher with a head fitted to the labels."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genre_edge.mel.spectrogram import Frames
from genre_edge.model.bundle import Bundle, bundle_path
from tools.training import augment, corpus, distil, examples, fit, head, report, robust_finetune, teacher
from tools.training.architectures import Architecture, multiply_accumulates
from tools.training.data import Track
from tools.training.robust_finetune import Recording

if TYPE_CHECKING:
    import keras

NOT_MUSIC_THRESHOLD = 0.7  # probability from which the answer is "not_music"; docs/model.md has its error rates
MIN_DURATION_S = 2.0
FOLD_SEEDS = 3
FINETUNE_EPOCHS, FINETUNE_RATE = 0.4, 0.3  # relative to distillation
HEAD_SNR_DB = 5.0, 25.0  # range of the noisy copies that the head is fitted to
TEACHER_SONGS = 300  # about as many songs suffice for a new last layer when a run starts from a bundle


@dataclass(frozen=True)
class TrainingJob:
    """Configuration of a training run: architecture, labels, data folders and output directory.

    Attributes:
        epochs: of the first training (labels or distillation).
        out: directory of checkpoints and caches.
        listen: folders of unlabelled music for the teacher.
        not_music: folders of audio that is not music.
        start_from: a bundle with the same architecture to start from instead of distilling.
    """

    architecture: Architecture
    labels: list[str]
    epochs: int
    seed: int
    out: Path
    listen: tuple[Path, ...] = ()
    not_music: tuple[Path, ...] = ()
    start_from: str | None = None

    def classes(self, tracks: list[Track]) -> np.ndarray:
        """Return the index of each track's label, `(tracks,)`."""
        return np.array([self.labels.index(track.genre) for track in tracks])


@dataclass(frozen=True)
class TrainedNetwork:
    """A network whose outputs are logits, and its recipe's metrics.

    With `temperature` None, the temperature is to be fitted to the holdout. `not_music` is the threshold for that
    answer, None if the network has no such output.
    """

    network: keras.Model
    metrics: dict[str, Any]
    temperature: float | None = None
    not_music: float | None = None


def train(job: TrainingJob, tracks: list[Track], holdout: list[Track], run: str) -> TrainedNetwork:
    """Train a network on `tracks`, with checkpoints in `job.out / run`; no audio of the holdout is used.

    Raises:
        SystemExit: the data does not suffice, or the checkpoint belongs to another run.
    """
    return (_train_distilled if job.architecture.distilled else _train_on_labels)(job, tracks, holdout, run)


def _train_on_labels(job: TrainingJob, tracks: list[Track], holdout: list[Track], run: str) -> TrainedNetwork:
    def validate(network: keras.Model) -> dict[str, float]:
        p = examples.track_probabilities(network, holdout, job.architecture, len(job.labels))
        return {"holdout_accuracy": examples.accuracy(p, holdout, job.labels)}

    import keras

    network, history = fit.fit(
        build=lambda: job.architecture.build(job.architecture.shape, len(job.labels)),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        epoch_data=examples.labelled_epochs(tracks, job.labels, job.architecture, job.seed),
        schedule=replace(job.architecture.schedule, epochs=job.epochs),
        checkpoint=job.out / run,
        identity={
            "network": job.architecture.build.__name__,
            "frames": job.architecture.patch_frames,
            "tracks": [[f"{track.genre}/{track.name}" for track in part] for part in (tracks, holdout)],
        },
        seed=job.seed,
        validate=validate,
    )
    return TrainedNetwork(network, _size(network) | {"epochs": len(history)})


def _train_distilled(job: TrainingJob, tracks: list[Track], holdout: list[Track], run: str) -> TrainedNetwork:
    head.check_groups(tracks)
    held_out = {(track.genre, track.name) for track in holdout}
    student_tracks = [track for track in tracks if (track.genre, track.name) not in held_out]
    songs, student, student_metrics = _train_student(job, student_tracks, holdout, run)
    outputs = [
        examples.track_outputs(student, frames, job.architecture) for frames in degraded_copies(tracks, job.seed)
    ]
    classes = job.classes(tracks)
    layer = head.fit_genre_layer(outputs, classes)
    logits = [head.cross_validated_logits(outputs, classes, head.folds(tracks, seed)) for seed in range(FOLD_SEEDS)]
    temperature = report.fit_temperature(logits[0], classes)
    metrics = {
        **student_metrics,
        "folds": [round(_accuracy(fold_logits, classes), 4) for fold_logits in logits],
        "folds_calibration_error": report.calibration_error(report.track_means(logits[0], temperature), classes),
    }
    if job.not_music:
        not_music, music_metrics = _not_music_layer(job, student, outputs[0], songs)
        layer, metrics = head.concatenate(layer, not_music), metrics | music_metrics
    network = head.attach_head(student, layer)
    threshold = NOT_MUSIC_THRESHOLD if job.not_music else None
    return TrainedNetwork(network, _size(network) | metrics, temperature, threshold)


def degraded_copies(tracks: list[Track], seed: int) -> list[list[Frames]]:
    """Return the tracks' frames unchanged, with noise, with a random band limit, and in the telephone band."""
    rng = np.random.default_rng([seed, 1])
    degradations: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
        lambda x: augment.add_noise(x, rng, *HEAD_SNR_DB),
        lambda x: augment.limit_band(x, rng),
        lambda x: augment.limit_to_telephone_band(x, rng),
    )
    return [[t.frames for t in tracks], *([degrade(t.frames[None])[0] for t in tracks] for degrade in degradations)]


def _training_audio(job: TrainingJob, tracks: list[Track], holdout: list[Track]) -> list[Path]:
    """Return the audio files of `job.listen` without those of held-out tracks.

    A file belongs to a held-out track by its name, or by folder and name where several genres have a file of that name.
    """
    names = {track.name for track in holdout} - {track.name for track in tracks}
    genres_and_names = {(track.genre, track.name) for track in holdout}
    paths = corpus.readable_audio(list(job.listen), MIN_DURATION_S)
    return [p for p in paths if p.stem not in names and (p.parent.name, p.stem) not in genres_and_names]


def _train_student(
    job: TrainingJob, tracks: list[Track], holdout: list[Track], run: str
) -> tuple[list[corpus.Song], keras.Model, dict[str, Any]]:
    """Return (songs, network, metrics): distilled from the teacher or started from a bundle, then fine-tuned."""
    paths = _training_audio(job, tracks, holdout)
    targets = teacher.Teacher(teacher.fetch(job.out)).targets
    mel, checkpoint, cache = job.architecture.mel, job.out / run, job.out / "teacher_targets"
    if job.start_from is None:
        songs = teacher_songs = corpus.load_songs(paths, mel, targets, cache)
        normalisation = job.architecture.normalisation
        clean, history = distil.distil(songs, job.architecture, job.epochs, checkpoint, job.seed)
    else:
        teacher_songs = corpus.load_songs(paths[:: max(1, len(paths) // TEACHER_SONGS)], mel, targets, cache)
        songs = corpus.load_songs(paths, mel, None, job.out / "spectrograms")
        clean, normalisation, history = distil.start_from_bundle(
            job.start_from, teacher_songs, job.architecture, job.seed
        )
        print(f"started from {job.start_from}: {history[-1]}", flush=True)
        checkpoint.mkdir(parents=True, exist_ok=True)
        clean.save(checkpoint / "network.keras")  # the path of a distilled network
    robust, finetuned = _finetune(job, clean, normalisation, tracks, songs, checkpoint / "robust")
    metrics = {
        "epochs": job.epochs if job.start_from is None else 0,
        "begun_from": job.start_from and Bundle.load(bundle_path(job.start_from)).sha256,
        "songs_heard": len(teacher_songs),
        "patches_heard": sum(len(song.starts) for song in teacher_songs),
        "explained": round(history[-1]["explained"], 4),
        "tough_epochs": len(finetuned),
        **{key: round(value, 4) for key, value in finetuned[-1].items() if key.startswith("kept")},
    }
    return songs, robust, metrics


def _finetune(
    job: TrainingJob,
    network: keras.Model,
    normalisation: str,
    tracks: list[Track],
    songs: list[corpus.Song],
    checkpoint: Path,
) -> tuple[keras.Model, fit.History]:
    schedule = job.architecture.schedule
    return robust_finetune.robust_finetune(
        network,
        normalisation,
        [[Recording(track.frames, 1) for track in tracks], [Recording(s.frames, corpus.OVERSAMPLING) for s in songs]],
        job.architecture,
        replace(
            schedule,
            epochs=max(1, round(FINETUNE_EPOCHS * job.epochs)),
            learning_rate=FINETUNE_RATE * schedule.learning_rate,
        ),
        checkpoint,
        {"start_from": job.start_from, "tracks": sorted(track.name for track in tracks)},
        job.seed,
    )


def _not_music_layer(
    job: TrainingJob, student: keras.Model, track_outputs: list[np.ndarray], songs: list[corpus.Song]
) -> tuple[head.LinearLayer, dict[str, float]]:
    """Fit the not-music layer on the tracks, every other song and the non-music; measure it on the other songs."""
    longest = max(len(rows) for rows in track_outputs) * job.architecture.hop_frames + job.architecture.patch_frames
    song_frames = [_network_frames(song.frames[:, : longest * corpus.OVERSAMPLING]) for song in songs]
    song_outputs = examples.track_outputs(student, song_frames, job.architecture)
    paths = corpus.readable_audio(list(job.not_music), MIN_DURATION_S)
    not_music_frames = [_network_frames(corpus.load(path, job.architecture.mel)[1]) for path in paths]
    not_music_outputs = examples.track_outputs(student, not_music_frames, job.architecture)
    layer = head.fit_not_music_layer([*track_outputs, *song_outputs[::2]], not_music_outputs)
    refused = [float((1 / (1 + np.exp(-layer(rows)))).mean()) for rows in song_outputs[1::2]]
    print(f"{len(not_music_outputs)} recordings that are not music", file=sys.stderr)
    return layer, {"other_songs_refused": round(float(np.mean(np.array(refused) >= NOT_MUSIC_THRESHOLD)), 4)}


def _network_frames(oversampled: np.ndarray) -> np.ndarray:
    """Return the frames at the network's rate, float32."""
    return np.ascontiguousarray(oversampled[:, :: corpus.OVERSAMPLING], dtype=np.float32)


def _accuracy(logits: list[np.ndarray], classes: np.ndarray) -> float:
    return float((report.track_means(logits, 1.0).argmax(axis=1) == classes).mean())


def _size(network: keras.Model) -> dict[str, int]:
    return {"parameters": int(network.count_params()), "multiply_accumulates": multiply_accumulates(network)}
