"""Make a bundle for your own genres, or train a network from scratch and export it as a checked int8 bundle.

    python -m tools.train_and_export --audio my_music/ --out runs/mine
    python -m tools.train_and_export --audio my_music/ --from-scratch --architecture paper660 --out runs/paper660
    python -m tools.fetch_sounds sounds/
    python -m tools.train_and_export --audio gtzan/ --tracks tracks.csv --architecture edge nano \\
        --teacher mn04_as_mAP_432.pt --unlabelled my_music/ sounds/music --not-music sounds/not-music --out runs/ear

The first form takes a minute: it fits a new last layer of the shipped network (--base) to the songs of a folder for
each genre, 10 songs or more, and measures it on songs that are held out. Albums in subfolders are held out as a whole.

The other forms train all layers. `paper` is trained on the labelled tracks alone, in minutes. `edge` and `nano` are
distilled together from a teacher network on unlabelled sound, in hours, and their last layers are fitted to the
labelled tracks and to music that the teacher labels; the teacher's weights are those of the release v0.0.1 of
fschmid56/EfficientAT. With --warm-start, the distillation begins with the layers of the shipped networks, and
with --gpu-folder, another machine does most of it (tools.distil_on_gpu). With --heads-only, these layers are kept, and
only the heads are fitted again (without --teacher, the genres to the labelled tracks alone). An interrupted run resumes
with the same command. --architecture and --mels imply --from-scratch.

The bundle is written to OUT/bundle, those of `edge` and `nano` to OUT/edge/bundle and OUT/nano/bundle; use it with
`genre-edge classify --model OUT/bundle`.
"""

import argparse
import os
import sys
import time
from dataclasses import replace
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from genre_edge.errors import GenreEdgeError
from tools.docs import commands
from tools.training import (
    archive_frames,
    bundle_export,
    data,
    examples,
    options,
    own_genres,
    own_genres_report,
    recipes,
    report,
)
from tools.training.architectures import ARCHITECTURES, Architecture
from tools.training.embedding import Embedder
from tools.training.genre_folders import GenreFolders, without_few_groups
from tools.training.jobs import TrainingJob

RANDOM_HOLDOUT = 0.2


def load(
    arguments: argparse.Namespace, architecture: Architecture
) -> tuple[list[data.Track], list[data.Track], list[data.Track]]:
    """Load the tracks and return (all, train, holdout)."""
    if arguments.audio and arguments.tracks:
        tracks = data.load_audio_table(arguments.audio, arguments.tracks, architecture.mel)
        if arguments.mels:
            archived = data.load_archive(arguments.mels, arguments.tracks)
            tracks = archive_frames.add(tracks, archived, architecture.mel)
    elif arguments.audio:
        tracks = data.load_audio(arguments.audio, architecture.mel)
        return tracks, *data.random_split(tracks, RANDOM_HOLDOUT, arguments.seed)
    elif architecture.mel != data.ARCHIVE_MEL:
        raise SystemExit(
            f"--architecture {arguments.architecture[0]} needs --audio: the frame rate of mel archives differs"
        )
    else:
        tracks = data.load_archive(arguments.mels, arguments.tracks)
    return tracks, *data.named_split(tracks, arguments.train_split, arguments.holdout_split)


def random_splits(job: TrainingJob, tracks: list[data.Track], count: int) -> dict[str, Any]:
    """Train on `count` random 80/20 splits (the paper's protocol) and return the accuracies."""
    train_and_test: tuple[list[float], list[float]] = ([], [])
    for seed in range(count):
        parts = data.random_split(tracks, RANDOM_HOLDOUT, seed)
        network = recipes.train_on_labels(replace(job, seed=seed), *parts, f"random-{seed}").network
        for part, accuracies in zip(parts, train_and_test, strict=True):
            p = examples.track_probabilities(network, part, job.architecture, len(job.labels))
            accuracies.append(examples.accuracy(p, part, job.labels))
        print(f"random split {seed}: train {train_and_test[0][-1]:.3f}, test {train_and_test[1][-1]:.3f}", flush=True)
    train_accuracy, test_accuracy = train_and_test
    return {
        "tracks": len(tracks),
        "epochs": job.epochs,
        "test_accuracy": [round(a, 4) for a in test_accuracy],
        "test_mean": round(float(np.mean(test_accuracy)), 4),
        "test_std": round(float(np.std(test_accuracy, ddof=1)), 4) if count > 1 else 0.0,
        "train_mean": round(float(np.mean(train_accuracy)), 4),
    }


def public_command(arguments: argparse.Namespace) -> str:
    """Return the command line for the model card."""
    single = (arguments.base, arguments.audio, arguments.mels, arguments.tracks, arguments.teacher, arguments.out)
    folders = (*arguments.unlabelled, *arguments.not_music, arguments.gpu_folder)
    return commands.public_command("train_and_export", [*single, *folders])


def fit_own_genres(arguments: argparse.Namespace) -> None:
    """Fit a new last layer of the base network to the folders' genres; write the bundle, print its report."""
    start = time.monotonic()
    folders, base = GenreFolders.find(arguments.audio), Embedder(arguments.base)
    texts = {
        "name": arguments.name or arguments.audio.resolve().name,
        "version": arguments.bundle_version,
        "licence": f"{base.bundle.licence.rstrip('.')}. The songs behind the last layer are not part of this bundle.",
    }
    labels = folders.genres
    replace(base.bundle, labels=labels, **texts)  # a name that is not allowed ends the run before the work begins
    songs = folders.embed(arguments.base)
    for problem in folders.problems:
        print(f"skipped: {problem}", file=sys.stderr)
    grouped, ungrouped = without_few_groups(songs)
    measured = own_genres.measure(grouped, labels, base, arguments.seed)
    bundle, tflite = own_genres.build(grouped, labels, base, arguments.seed)
    metrics = {
        **measured,
        **bundle.metrics,
        "songs": len(songs),
        "minutes": round(sum(song.embedding.seconds for song in songs) / 60, 1),
        "skipped": len(folders.problems),
        "seconds": round(time.monotonic() - start, 1),
    }
    notes = own_genres_report.warnings(songs, metrics, ungrouped)
    text = arguments.data_text.replace("{n}", str(len(songs)))
    bundle = replace(bundle, **texts, metrics=metrics | {"warnings": notes}, data=text)
    directory = arguments.out / "bundle"
    card = own_genres_report.model_card(bundle, len(tflite), notes, public_command(arguments))
    own_genres.save(bundle, tflite, card, directory)
    print(own_genres_report.terminal(metrics, notes))
    print(f"bundle: {directory}")


def main() -> None:
    arguments = options.parse(__doc__)
    if arguments.from_scratch:
        train_from_scratch(arguments)
    else:
        fit_own_genres(arguments)


def train_from_scratch(arguments: argparse.Namespace) -> None:
    """Train all layers of one or more networks and export them."""
    tracks, train, holdout = load(arguments, ARCHITECTURES[arguments.architecture[0]])
    for split, part in (("train", train), ("holdout", holdout)):
        if arguments.audio and not any(track.path for track in part):
            raise SystemExit(f"{arguments.tracks}: the {split} split has no tracks with audio")
    print(f"{len(train)} tracks to train on, {len(holdout)} held out")
    jobs = []
    for name in arguments.architecture:
        architecture = ARCHITECTURES[name]
        job = TrainingJob(
            architecture=architecture,
            labels=sorted({track.genre for track in tracks}),
            epochs=arguments.epochs or (architecture.schedule.epochs if architecture.schedule else 0),
            seed=arguments.seed,
            out=arguments.out,
            student=name if architecture.student else "",
            teacher=arguments.teacher,
            unlabelled=tuple(arguments.unlabelled),
            not_music=tuple(arguments.not_music),
            warm_start=arguments.warm_start,
            heads_only=arguments.heads_only,
            gpu_folder=arguments.gpu_folder,
        )
        jobs.append(job)
    arguments.out.mkdir(parents=True, exist_ok=True)
    metrics: dict[str, Any] = {}
    if arguments.random_splits:
        metrics["random_splits"] = random_splits(jobs[0], tracks, arguments.random_splits)
    trained = {id(track) for track in train}
    unused = [track for track in tracks if id(track) not in trained]
    for job, trainer in recipes.trainers(jobs, train, holdout, unused, "checkpoint"):
        export(job, trainer, train, holdout, arguments, metrics)


def export(
    job: TrainingJob,
    trainer: recipes.Trainer,
    train: list[data.Track],
    holdout: list[data.Track],
    arguments: argparse.Namespace,
    metrics: dict[str, Any],
) -> None:
    """Train one network, write its bundle, and print its metrics: those on the holdout's tracks with audio, if any."""
    info = bundle_export.BundleInfo(
        name=arguments.name or job.student or arguments.architecture[0],
        version=arguments.bundle_version,
        data=arguments.data_text.replace("{n}", str(len(train) + len(holdout) * arguments.then_use_all)),
        holdout_split=arguments.holdout_split if arguments.tracks else f"random {RANDOM_HOLDOUT}",
        command=public_command(arguments),
    )
    trained = trainer(train)
    measured_on = [track for track in holdout if track.path] or holdout
    out = job.out / job.student if job.student else job.out
    directory = out / ("measured" if arguments.then_use_all else "bundle")
    bundle = bundle_export.export_measured(trained, job, train, measured_on, info, metrics, directory)
    print(report.as_table(bundle.metrics["holdout"] | {"tracks": []}))
    print(
        f"float {bundle.metrics['float_accuracy']:.4f}, int8 {bundle.metrics['holdout']['accuracy']:.4f}: {directory}"
    )
    if arguments.then_use_all:
        all_tracks = [*train, *holdout]
        trained = trainer(all_tracks)
        measured = bundle.metrics | {"measured_sha256": bundle.sha256}
        bundle = bundle_export.export_refitted(trained, job, all_tracks, info, measured, out / "bundle")
        print(f"last layer fitted to all {len(all_tracks)} tracks: {out / 'bundle'}")


if __name__ == "__main__":
    try:
        main()
    except GenreEdgeError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command resumes from the last checkpoint")
