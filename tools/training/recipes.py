"""From tracks to a network: by their labels alone, or by a teacher's ears and then the labels."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genre_edge.mel.spectrogram import Frames
from genre_edge.model.bundle import Bundle, bundle_path
from tools.training import augment, corpus, distil, examples, fit, head, report, teacher, toughen
from tools.training.architectures import Architecture, multiply_accumulates
from tools.training.data import Track

# From this probability on an answer is "not_music"; docs/model.md shows what that refuses.
NOT_MUSIC = 0.7
SHORTEST_S = 2.0
FOLD_SEEDS = 3
TOUGH_EPOCHS, TOUGH_RATE = 0.4, 0.3  # of distilling's
HEAD_NOISE_DB = 5.0, 25.0  # below the music, in the noisy copies that the last layer learns from
WITNESSES = 300  # songs that the teacher hears when a network is there already


@dataclass(frozen=True)
class Job:
    """What to learn from. `listen`: folders of music for the teacher; `not_music`: folders of other sounds.

    `start_from`: a bundle of the same network, whose layers are taken instead of distilling.
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
        """The number of each track's label."""
        return np.array([self.labels.index(track.genre) for track in tracks])


@dataclass(frozen=True)
class Trained:
    """A network whose outputs are logits, and what its recipe measured. No temperature: the holdout's will do."""

    network: Any
    metrics: dict[str, Any]
    temperature: float | None = None
    not_music: float | None = None


def train(job: Job, tracks: list[Track], holdout: list[Track], run: str) -> Trained:
    """A network trained on `tracks`, after listening to nothing of the holdout; checkpoints go to `job.out / run`."""
    return (_from_teacher if job.architecture.distilled else _from_labels)(job, tracks, holdout, run)


def _from_labels(job: Job, tracks: list[Track], holdout: list[Track], run: str) -> Trained:
    def watch(network: Any) -> dict[str, float]:
        p = examples.track_probabilities(network, holdout, job.architecture, len(job.labels))
        return {"holdout_accuracy": examples.accuracy(p, holdout, job.labels)}

    import keras

    network, history = fit.fit(
        build=lambda: job.architecture.build(job.architecture.shape, len(job.labels)),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        epoch_data=examples.labelled(tracks, job.labels, job.architecture, job.seed),
        schedule=replace(job.architecture.schedule, epochs=job.epochs),
        checkpoint=job.out / run,
        identity={
            "network": job.architecture.build.__name__,
            "frames": job.architecture.patch_frames,
            "tracks": [[f"{track.genre}/{track.name}" for track in part] for part in (tracks, holdout)],
        },
        seed=job.seed,
        watch=watch,
    )
    return Trained(network, _size(network) | {"epochs": len(history)})


def _from_teacher(job: Job, tracks: list[Track], holdout: list[Track], run: str) -> Trained:
    head.check_groups(tracks)
    kept_aside = {(track.genre, track.name) for track in holdout}
    learnt_from = [track for track in tracks if (track.genre, track.name) not in kept_aside]
    songs, trunk, learnt = _student(job, learnt_from, holdout, run)
    heard = [examples.outputs(trunk, frames, job.architecture) for frames in copies(tracks, job.seed)]
    said, classes = heard[0], job.classes(tracks)
    layer = head.genre_layer(heard, classes)
    held_out = [head.held_out(heard, classes, head.folds(tracks, seed)) for seed in range(FOLD_SEEDS)]
    temperature = report.fit_temperature(held_out[0], classes)
    metrics = {
        **learnt,
        "folds": [round(_accuracy(logits, classes), 4) for logits in held_out],
        "folds_calibration_error": report.calibration_error(report.track_means(held_out[0], temperature), classes),
    }
    if job.not_music:
        not_music, found = _not_music_layer(job, trunk, said, songs)
        layer, metrics = head.beside(layer, not_music), metrics | found
    network = head.crown(trunk, layer)
    return Trained(network, _size(network) | metrics, temperature, NOT_MUSIC if job.not_music else None)


def copies(tracks: list[Track], seed: int) -> list[list[Frames]]:
    """The tracks as they are, in noise, with narrow bands, and by telephone."""
    rng = np.random.default_rng([seed, 1])
    rough = (
        lambda x: augment.noisy(x, rng, *HEAD_NOISE_DB),
        lambda x: augment.cut_bands(x, rng),
        lambda x: augment.telephone(x, rng),
    )
    return [[t.frames for t in tracks], *([cause(t.frames[None])[0] for t in tracks] for cause in rough)]


def _to_hear(job: Job, tracks: list[Track], holdout: list[Track]) -> list[Path]:
    """The audio that may be listened to: nothing of the holdout.

    A file is a held-out track by its name, or by its folder and name where several genres have such a file.
    """
    names = {track.name for track in holdout} - {track.name for track in tracks}
    places = {(track.genre, track.name) for track in holdout}
    paths = corpus.readable_audio(list(job.listen), SHORTEST_S)
    return [p for p in paths if p.stem not in names and (p.parent.name, p.stem) not in places]


def _student(
    job: Job, tracks: list[Track], holdout: list[Track], run: str
) -> tuple[list[corpus.Song], Any, dict[str, Any]]:
    """(songs, network, figures): distilled from the teacher, or begun from a bundle; then toughened."""
    paths = _to_hear(job, tracks, holdout)
    ear = teacher.Teacher(teacher.fetch(job.out)).targets
    mel, checkpoint = job.architecture.mel, job.out / run
    if job.start_from is None:
        songs = heard = corpus.songs(paths, mel, ear, job.out / "heard")
        normalisation = job.architecture.normalisation
        smooth, history = distil.distil(songs, job.architecture, job.epochs, checkpoint, job.seed)
    else:
        heard = corpus.songs(paths[:: max(1, len(paths) // WITNESSES)], mel, ear, job.out / "heard")
        songs = corpus.songs(paths, mel, None, job.out / "read")
        smooth, normalisation, history = distil.begin_from(job.start_from, heard, job.architecture, job.seed)
        print(f"begun from {job.start_from}: {history[-1]}", flush=True)
        checkpoint.mkdir(parents=True, exist_ok=True)
        smooth.save(checkpoint / "network.keras")  # where distilling leaves it, too
    schedule = job.architecture.schedule
    rough, toughened = toughen.toughen(
        smooth,
        normalisation,
        [[toughen.Music(track.frames, 1) for track in tracks], [toughen.Music(s.frames, corpus.FINE) for s in songs]],
        job.architecture,
        replace(
            schedule, epochs=max(1, round(TOUGH_EPOCHS * job.epochs)), learning_rate=TOUGH_RATE * schedule.learning_rate
        ),
        checkpoint / "tough",
        {"begun from": job.start_from or "nothing", "tracks": sorted(track.name for track in tracks)},
        job.seed,
    )
    figures = {
        "epochs": job.epochs if job.start_from is None else 0,
        "begun_from": job.start_from and Bundle.load(bundle_path(job.start_from)).sha256,
        "songs_heard": len(heard),
        "patches_heard": sum(len(song.starts) for song in heard),
        "explained": round(history[-1]["explained"], 4),
        "tough_epochs": len(toughened),
        **{key: round(value, 4) for key, value in toughened[-1].items() if key.startswith("kept")},
    }
    return songs, rough, figures


def _not_music_layer(
    job: Job, trunk: Any, said: list[np.ndarray], songs: list[corpus.Song]
) -> tuple[head.Layer, dict[str, float]]:
    """The layer, fitted on the tracks, every other song and what is no music; and its faults on the other songs."""
    longest = max(len(rows) for rows in said) * job.architecture.hop_frames + job.architecture.patch_frames
    of_songs = examples.outputs(
        trunk, [_frames(song.frames[:, : longest * corpus.FINE]) for song in songs], job.architecture
    )
    paths = corpus.readable_audio(list(job.not_music), SHORTEST_S)
    rest = [_frames(corpus.load(path, job.architecture.mel)[1]) for path in paths]
    of_rest = examples.outputs(trunk, rest, job.architecture)
    layer = head.not_music_layer([*said, *of_songs[::2]], of_rest)
    refused = [float((1 / (1 + np.exp(-layer(rows)))).mean()) for rows in of_songs[1::2]]
    print(f"{len(of_rest)} sounds that are no music", file=sys.stderr)
    return layer, {"other_songs_refused": round(float(np.mean(np.array(refused) >= NOT_MUSIC)), 4)}


def _frames(fine: np.ndarray) -> np.ndarray:
    """The network's frames out of those kept four times as close."""
    return np.ascontiguousarray(fine[:, :: corpus.FINE], dtype=np.float32)


def _accuracy(logits: list[np.ndarray], classes: np.ndarray) -> float:
    return float((report.track_means(logits, 1.0).argmax(axis=1) == classes).mean())


def _size(network: Any) -> dict[str, int]:
    return {"parameters": int(network.count_params()), "multiply_accumulates": multiply_accumulates(network)}
