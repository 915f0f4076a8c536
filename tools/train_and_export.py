"""Data -> trained network -> checked int8 bundle, in one command.

    python -m tools.train_and_export --audio my_music/ --architecture paper660 --out runs/paper660
    python -m tools.fetch_sounds sounds/
    python -m tools.train_and_export --mels mel.npz --tracks tracks.csv --architecture edge --out runs/edge \\
        --listen my_music/ sounds/music --not-music sounds/not-music --then-use-all

`edge` listens to music without labels with a teacher (fetched with pip), learns to say what it says, and fits its last
layer to the labelled tracks. Interrupt it when you like: the same command goes on where it stopped. The bundle lands in
OUT/bundle and works with `genre-edge classify --model OUT/bundle`.
"""

import argparse
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from genre_edge.errors import GenreEdgeError
from tools.training import data, examples, recipes, report, ship
from tools.training.architectures import ARCHITECTURES, Architecture

RANDOM_HOLDOUT = 0.2


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument(
        "--audio", type=Path, help="a folder a genre with audio inside; a fifth of each genre is held out"
    )
    form.add_argument("--mels", type=Path, help="mel archive (.npz), with --tracks")
    parser.add_argument("--tracks", type=Path, help="the archive's tracks.csv")
    parser.add_argument("--train-split", default="train", help="name in the split column (default: train)")
    parser.add_argument("--holdout-split", default="valid", help="name in the split column (default: valid)")
    parser.add_argument("--architecture", choices=ARCHITECTURES, required=True)
    parser.add_argument("--listen", type=Path, nargs="+", default=[], metavar="DIR", help="music for the teacher")
    parser.add_argument("--not-music", type=Path, nargs="+", default=[], metavar="DIR", help="sounds to be refused")
    parser.add_argument("--start-from", metavar="BUNDLE", help="an edge bundle to go on from, instead of distilling")
    parser.add_argument(
        "--then-use-all", action="store_true", help="after measuring, fit edge's last layer again, to all tracks"
    )
    parser.add_argument("--out", type=Path, required=True, help="directory for checkpoints and the bundle")
    parser.add_argument("--name", help="the bundle's name (default: the architecture's)")
    parser.add_argument("--bundle-version", default="1")
    parser.add_argument("--data-text", default="{n} labelled tracks.", help="the model card's paragraph on the data")
    parser.add_argument("--epochs", type=int, help="instead of the architecture's own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--random-splits", type=int, default=0, metavar="N", help="also train and test on N random 80/20 splits"
    )
    arguments = parser.parse_args()
    if bool(arguments.mels) != bool(arguments.tracks):
        parser.error("--mels and --tracks go together")
    if arguments.epochs is not None and arguments.epochs < 1:
        parser.error("--epochs must be at least 1")
    if ARCHITECTURES[arguments.architecture].distilled != bool(arguments.listen):
        parser.error("--listen goes with --architecture edge")
    if (arguments.not_music or arguments.then_use_all or arguments.start_from) and not arguments.listen:
        parser.error("--not-music, --start-from and --then-use-all go with --architecture edge")
    return arguments


def load(
    arguments: argparse.Namespace, architecture: Architecture
) -> tuple[list[data.Track], list[data.Track], list[data.Track]]:
    """(all, train, holdout)"""
    if arguments.audio:
        tracks = data.load_audio(arguments.audio, architecture.mel)
        return tracks, *data.random_split(tracks, RANDOM_HOLDOUT, arguments.seed)
    if architecture.mel != data.ARCHIVE_MEL:
        raise SystemExit(f"--architecture {arguments.architecture} needs --audio: the archive has another frame rate")
    tracks = data.load_archive(arguments.mels, arguments.tracks)
    return tracks, *data.named_split(tracks, arguments.train_split, arguments.holdout_split)


def random_splits(job: recipes.Job, tracks: list[data.Track], count: int) -> dict[str, Any]:
    """Train and test accuracy over random 80/20 splits, the paper's protocol."""
    found: tuple[list[float], list[float]] = ([], [])
    for seed in range(count):
        parts = data.random_split(tracks, RANDOM_HOLDOUT, seed)
        network = recipes.train(replace(job, seed=seed), *parts, f"random-{seed}").network
        for part, accuracies in zip(parts, found, strict=True):
            p = examples.track_probabilities(network, part, job.architecture, len(job.labels))
            accuracies.append(examples.accuracy(p, part, job.labels))
        print(f"random split {seed}: train {found[0][-1]:.3f}, test {found[1][-1]:.3f}", flush=True)
    return {
        "tracks": len(tracks),
        "epochs": job.epochs,
        "test_accuracy": [round(a, 4) for a in found[1]],
        "test_mean": round(float(np.mean(found[1])), 4),
        "test_std": round(float(np.std(found[1], ddof=1)), 4) if count > 1 else 0.0,
        "train_mean": round(float(np.mean(found[0])), 4),
    }


def public_command(arguments: argparse.Namespace) -> str:
    """The command that made the bundle, without the maker's directories."""
    given = (arguments.audio, arguments.mels, arguments.tracks, arguments.start_from, arguments.out)
    paths = {str(path) for path in (*given, *arguments.listen, *arguments.not_music) if path}
    words = []
    for word in sys.argv[1:]:
        option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        words.append(option + equals + (Path(value).name if value.rstrip("/") in paths else value))
    return shlex.join(["python", "tools/train_and_export.py", *words])


def main() -> None:
    arguments = parse_arguments()
    architecture = ARCHITECTURES[arguments.architecture]
    tracks, train, holdout = load(arguments, architecture)
    job = recipes.Job(
        architecture=architecture,
        labels=sorted({track.genre for track in tracks}),
        epochs=arguments.epochs or architecture.schedule.epochs,
        seed=arguments.seed,
        out=arguments.out,
        listen=tuple(arguments.listen),
        not_music=tuple(arguments.not_music),
        start_from=arguments.start_from,
    )
    job.out.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {}
    if arguments.random_splits:
        figures["random_splits"] = random_splits(job, tracks, arguments.random_splits)
    print(f"{len(train)} tracks to train on, {len(holdout)} held out, {len(job.labels)} genres")
    about = ship.About(
        name=arguments.name or arguments.architecture,
        version=arguments.bundle_version,
        data=arguments.data_text.replace("{n}", str(len(train) + len(holdout) * arguments.then_use_all)),
        holdout_split=arguments.holdout_split if arguments.mels else f"random {RANDOM_HOLDOUT}",
        command=public_command(arguments),
    )
    trained = recipes.train(job, train, holdout, "checkpoint")
    directory = job.out / ("measured" if arguments.then_use_all else "bundle")
    bundle = ship.ship(trained, job, train, holdout, about, figures, directory)
    print(report.as_table(bundle.metrics["holdout"] | {"tracks": []}))
    print(
        f"float {bundle.metrics['float_accuracy']:.4f}, int8 {bundle.metrics['holdout']['accuracy']:.4f}: {directory}"
    )
    if arguments.then_use_all:
        everything = [*train, *holdout]
        trained = recipes.train(job, everything, holdout, "checkpoint")
        stated = bundle.metrics | {"measured_sha256": bundle.sha256}
        bundle = ship.ship_on(trained, job, everything, about, stated, job.out / "bundle")
        print(f"last layer fitted to all {len(everything)} tracks: {job.out / 'bundle'}")


if __name__ == "__main__":
    try:
        main()
    except GenreEdgeError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from the last finished epoch")
