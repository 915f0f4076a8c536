"""Data -> trained network -> checked int8 bundle, in one command.

    python tools/train_and_export.py --mels mel.npz --tracks tracks.csv --architecture separable --out runs/mine
    python tools/train_and_export.py --audio my_music/ --architecture paper660 --out runs/paper660

Interrupt it when you like: the same command goes on where it stopped. The bundle lands in OUT/bundle and works with
`genre-edge classify --model OUT/bundle`.
"""

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from training import data, fit, report, ship
from training.architectures import ARCHITECTURES, Architecture

from genre_edge.errors import GenreEdgeError

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


def random_splits(
    tracks: list[data.Track], labels: list[str], architecture: Architecture, arguments: argparse.Namespace, epochs: int
) -> dict[str, Any]:
    """Train and test accuracy over random 80/20 splits, the paper's protocol."""
    train_figures, test_figures = [], []
    for seed in range(arguments.random_splits):
        train, test = data.random_split(tracks, RANDOM_HOLDOUT, seed)
        network, _ = fit.fit(
            architecture, labels, train, test, arguments.out / f"random-{seed}", seed, epochs, verbose=0
        )
        train_figures.append(fit.accuracy(fit.track_probabilities(network, train, architecture), train, labels))
        test_figures.append(fit.accuracy(fit.track_probabilities(network, test, architecture), test, labels))
        print(f"random split {seed}: train {train_figures[-1]:.3f}, test {test_figures[-1]:.3f}", flush=True)
    return {
        "tracks": len(tracks),
        "epochs": epochs,
        "test_accuracy": [round(a, 4) for a in test_figures],
        "test_mean": round(float(np.mean(test_figures)), 4),
        "test_std": round(float(np.std(test_figures, ddof=1)), 4) if len(test_figures) > 1 else 0.0,
        "train_mean": round(float(np.mean(train_figures)), 4),
    }


def public_command(arguments: argparse.Namespace) -> str:
    """The command that made the bundle, without the maker's directories."""
    paths = {str(path) for path in (arguments.audio, arguments.mels, arguments.tracks, arguments.out) if path}
    words = []
    for word in sys.argv[1:]:
        option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        words.append(option + equals + (Path(value).name if value.rstrip("/") in paths else value))
    return shlex.join(["python", "tools/train_and_export.py", *words])


def main() -> None:
    arguments = parse_arguments()
    architecture = ARCHITECTURES[arguments.architecture]
    tracks, train, holdout = load(arguments, architecture)
    labels = sorted({track.genre for track in tracks})
    epochs = arguments.epochs or architecture.epochs
    metrics: dict[str, Any] = {}
    if arguments.random_splits:
        metrics["random_splits"] = random_splits(tracks, labels, architecture, arguments, epochs)
    print(f"{len(train)} tracks to train on, {len(holdout)} held out, {len(labels)} genres")
    network, history = fit.fit(
        architecture, labels, train, holdout, arguments.out / "checkpoint", arguments.seed, epochs
    )
    metrics |= {"epochs": len(history), "parameters": int(network.count_params())}
    about = ship.About(
        name=arguments.name or arguments.architecture,
        version=arguments.bundle_version,
        description=architecture.about,
        data=arguments.data_text.replace("{n}", str(len(train))),
        holdout_split=arguments.holdout_split if arguments.mels else f"random {RANDOM_HOLDOUT}",
        command=public_command(arguments),
    )
    bundle = ship.ship(network, architecture, labels, train, holdout, about, metrics, arguments.out / "bundle")
    print(report.as_table(bundle.metrics["holdout"] | {"tracks": []}))
    exact, int8 = bundle.metrics["float_accuracy"], bundle.metrics["holdout"]["accuracy"]
    print(f"float {exact:.4f}, int8 {int8:.4f}: {arguments.out / 'bundle'}")


if __name__ == "__main__":
    try:
        main()
    except GenreEdgeError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from the last finished epoch")
