"""Measure a bundle on audio: robustness, short clips, calibration, audio that is not music, and styles.

    python -m tools.study_model --bundle runs/edge/measured --tracks tracks.csv --split valid --audio gtzan/ \\
        --not-music sounds/not-music-test --other emotify/ --teacher mn04_as_mAP_432.pt --songs sounds/music-test \\
        --write models/edge/MODEL_CARD.md

The bundle must not have been trained on the split. `--audio` is the folder that the table's column `audio` is relative
to. Requires ffmpeg with the encoders libmp3lame and libopus.

Optional are `--mels`, the mel archive of the tracks, for bundles with its front end; `--teacher` and `--songs`, for
bundles with styles; and `--against`, another bundle for a paired comparison.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import soundfile

from genre_edge import Classifier
from genre_edge.errors import GenreEdgeError
from genre_edge.model.prediction import Model
from tools.docs.pages import split_page
from tools.study import inputs
from tools.study.sections import Study
from tools.training import conditions, data
from tools.training.distillation import audioset, efficientat


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", required=True, help="name of an installed model, or a bundle's directory")
    parser.add_argument("--tracks", type=Path, required=True, help="table of tracks (.csv)")
    parser.add_argument("--split", required=True, help="the split to measure on")
    parser.add_argument("--audio", type=Path, required=True, help="the folder of the table's column audio")
    parser.add_argument("--not-music", type=Path, required=True, help="audio that is not music, one folder per kind")
    parser.add_argument("--other", type=Path, required=True, help="independently labelled music, one folder per genre")
    parser.add_argument("--mels", type=Path, help="mel archive of the tracks (.npz), to compare it with audio")
    parser.add_argument("--teacher", type=Path, help="the teacher's weights (.pt), to compare styles with it")
    parser.add_argument("--songs", type=Path, help="music of sources not trained on, with --teacher")
    parser.add_argument("--against", help="name or directory of another bundle, to compare on the same tracks")
    parser.add_argument("--write", type=Path, help="page to update between its study markers (default: print)")
    arguments = parser.parse_args()
    if arguments.songs and not arguments.teacher:
        parser.error("--songs needs --teacher")
    return arguments


def load_study(arguments: argparse.Namespace) -> Study:
    """Load and check the bundles, the teacher and all data.

    Raises:
        SystemExit: an input is missing, damaged, or does not fit the bundle.
        GenreEdgeError: a bundle cannot be loaded.
    """
    classifier = Classifier(arguments.bundle)
    bundle = classifier.bundle
    if data.trained_on(bundle, arguments.split):
        raise SystemExit(f"{arguments.bundle} was trained on split {arguments.split!r}; use the bundle in OUT/measured")
    if arguments.mels:
        data.check_archive_mel(bundle)
    if arguments.teacher and not any(audioset.family_classes(style.name) for style in bundle.styles):
        raise SystemExit(f"{arguments.bundle} has no styles to compare with the teacher's")
    if arguments.write:
        split_page(arguments.write, "study")  # exits here, not after an hour, if the page lacks the markers
    found = inputs.load(
        arguments.tracks,
        arguments.split,
        arguments.audio,
        arguments.mels,
        arguments.not_music,
        arguments.other,
        arguments.songs,
    )
    against = Classifier(arguments.against) if arguments.against else None
    for compared in (classifier, against) if against else (classifier,):
        inputs.check_genres(compared.bundle, found)
    teacher = efficientat.Teacher(efficientat.load_weights(arguments.teacher)) if arguments.teacher else None
    by_style = Classifier(arguments.bundle, vocabulary="styles") if bundle.styles else None
    return Study(classifier, Model(arguments.bundle), arguments.split, found, teacher, against, by_style)


def main() -> None:
    arguments = parse_arguments()
    conditions.check_encoders()
    text = load_study(arguments).text()
    if arguments.write is None:
        print(text, end="")
    else:
        before, _, after = split_page(arguments.write, "study")
        arguments.write.write_text(before + text + after)


if __name__ == "__main__":
    try:
        main()
    except (GenreEdgeError, soundfile.SoundFileError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")
