"""The command line of `tools.train_and_export`: its options, and which of them fit together."""

import argparse
from pathlib import Path

from tools.training.architectures import ARCHITECTURES
from tools.training.distillation.recordings import LABELLED, source_name

FROM_SCRATCH_ONLY = (
    "tracks",
    "heads_only",
    "warm_start",
    "gpu_folder",
    "teacher",
    "unlabelled",
    "not_music",
    "then_use_all",
    "epochs",
    "random_splits",
)


def parse(description: str | None) -> argparse.Namespace:
    """Parse and check the command line; `description` is for --help."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--audio",
        type=Path,
        help="labelled audio, one folder per genre, of which a fifth is held out; or, with --tracks, the folder of the "
        "column audio",
    )
    parser.add_argument(
        "--mels",
        type=Path,
        help="mel archive (.npz), with --tracks; beside --audio for tracks whose audio is missing or short",
    )
    parser.add_argument(
        "--base", metavar="BUNDLE", help="network that gets a new last layer for your own genres (default: edge)"
    )
    parser.add_argument("--from-scratch", action="store_true", help="train all layers instead of the last one")
    parser.add_argument("--tracks", type=Path, help="table of tracks (.csv), for --mels or --audio")
    parser.add_argument(
        "--train-split", default="train", help="value of the split column for training (default: train)"
    )
    parser.add_argument(
        "--holdout-split", default="valid", help="value of the split column for the holdout (default: valid)"
    )
    parser.add_argument(
        "--architecture", choices=ARCHITECTURES, nargs="+", default=[], help="network to train from scratch"
    )
    parser.add_argument("--heads-only", action="store_true", help="keep the layers of the shipped edge and nano")
    parser.add_argument(
        "--warm-start", action="store_true", help="begin the distillation with the layers of the shipped edge and nano"
    )
    parser.add_argument(
        "--gpu-folder",
        type=Path,
        metavar="DIR",
        help="with --warm-start: the first run writes DIR for tools.distil_on_gpu and ends",
    )
    parser.add_argument("--teacher", type=Path, metavar="FILE", help="the teacher's weights (mn04_as_mAP_432.pt)")
    parser.add_argument("--unlabelled", type=Path, nargs="+", default=[], metavar="DIR", help="unlabelled music")
    parser.add_argument("--not-music", type=Path, nargs="+", default=[], metavar="DIR", help="audio that is not music")
    parser.add_argument(
        "--then-use-all", action="store_true", help="after the evaluation, fit the last layer to all tracks"
    )
    parser.add_argument("--out", type=Path, required=True, help="directory for checkpoints and the bundle")
    parser.add_argument("--name", help="name of the bundle (default: that of the folder or the architecture)")
    parser.add_argument("--bundle-version", default="1")
    parser.add_argument(
        "--data-text", default="{n} labelled tracks.", help="the model card's text on the training data"
    )
    parser.add_argument("--epochs", type=int, help="number of epochs (default: the architecture's)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--random-splits", type=int, default=0, metavar="N", help="also train and test on N random 80/20 splits"
    )
    arguments = parser.parse_args()
    if not (arguments.audio or arguments.mels):
        parser.error("one of the arguments --audio --mels is required")
    arguments.from_scratch |= bool(arguments.architecture or arguments.mels)
    if not arguments.from_scratch:
        if given := [name for name in FROM_SCRATCH_ONLY if getattr(arguments, name)]:
            parser.error(f"--{given[0].replace('_', '-')} needs --from-scratch and --architecture")
        arguments.base = arguments.base or "edge"
        return arguments
    _check_from_scratch(parser, arguments)
    return arguments


def _check_from_scratch(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Exit with a message if the options of a training from scratch do not fit together."""
    if not arguments.architecture:
        parser.error("--from-scratch needs --architecture")
    if arguments.base:
        parser.error("--base cannot be combined with --from-scratch or --architecture")
    if arguments.mels and not arguments.tracks:
        parser.error("--mels needs --tracks")
    if arguments.epochs is not None and arguments.epochs < 1:
        parser.error("--epochs must be at least 1")
    arguments.architecture = sorted(set(arguments.architecture))
    students = [bool(ARCHITECTURES[name].student) for name in arguments.architecture]
    if len(students) > 1 and not all(students):
        parser.error("only edge and nano can be trained together")
    (_check_students if students[0] else _check_training_on_labels)(parser, arguments)


def _check_students(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Exit with a message if the options of a distillation do not fit together."""
    if arguments.heads_only and arguments.warm_start:
        parser.error("--heads-only cannot be combined with --warm-start")
    if arguments.gpu_folder and not arguments.warm_start:
        parser.error("--gpu-folder needs --warm-start")
    if not (arguments.heads_only or arguments.teacher):
        parser.error("--teacher or --heads-only is required by --architecture edge and nano")
    for option in ("unlabelled", "not_music"):
        if not getattr(arguments, option):
            parser.error(f"--{option.replace('_', '-')} is required by --architecture edge and nano")
    for option in ("random_splits", "epochs"):
        if getattr(arguments, option):
            parser.error(f"--{option.replace('_', '-')} needs --architecture paper or paper660")
    if len(arguments.architecture) > 1 and arguments.name:
        parser.error("--name is for one network; edge and nano keep their names")
    sources = [source_name(folder) for folder in (*arguments.unlabelled, *arguments.not_music)]
    if len({*sources, LABELLED}) <= len(sources):
        parser.error(f"folders of --unlabelled and --not-music need different names, none of them {LABELLED!r}")


def _check_training_on_labels(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Exit with a message if an option is for distillation only."""
    if arguments.audio and arguments.mels:
        parser.error("--audio and --mels together need --architecture edge or nano")
    for option in ("heads_only", "warm_start", "gpu_folder", "teacher", "unlabelled", "not_music", "then_use_all"):
        if getattr(arguments, option):
            parser.error(f"--{option.replace('_', '-')} needs --architecture edge or nano")
