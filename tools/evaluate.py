"""A bundle on labelled data -> accuracy with its 95 % interval, recall by genre, confusion matrix.

    python tools/evaluate.py --bundle models/edge --mels mel.npz --tracks tracks.csv --split valid
    python tools/evaluate.py --bundle models/edge --audio my_music/ --format json --per-track

The most probable genre counts, however unsure; a track in which nothing is heard counts as wrong.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from training import data, report

from genre_edge import Classifier
from genre_edge.errors import GenreEdgeError
from genre_edge.verdict import Segment

Answer = tuple[str, str, Segment]  # track, true genre, what was heard


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", required=True, help="an installed model's name, or a bundle's directory")
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument("--audio", type=Path, help="a folder a genre with audio inside")
    form.add_argument("--mels", type=Path, help="mel archive (.npz), with --tracks")
    parser.add_argument("--tracks", type=Path, help="the archive's tracks.csv")
    parser.add_argument("--split", help="only the tracks of this split")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("--per-track", action="store_true", help="also what was heard in each track")
    arguments = parser.parse_args()
    if bool(arguments.mels) != bool(arguments.tracks):
        parser.error("--mels and --tracks go together")
    if arguments.split and arguments.audio:
        parser.error("--split goes with --mels")
    return arguments


def from_archive(classifier: Classifier, arguments: argparse.Namespace) -> Iterator[Answer]:
    if classifier.bundle.mel != data.ARCHIVE_MEL:
        raise SystemExit(
            f"{arguments.bundle}: its front end {classifier.bundle.mel} is not the archive's {data.ARCHIVE_MEL}"
        )
    for track in data.load_archive(arguments.mels, arguments.tracks, arguments.split):
        yield track.name, track.genre, classifier.classify_frames(track.frames)


def from_audio(classifier: Classifier, arguments: argparse.Namespace) -> Iterator[Answer]:
    for path, genre in data.audio_files(arguments.audio):
        try:
            yield path.stem, genre, classifier.classify(path)
        except GenreEdgeError as error:
            print(f"skipped: {error}", file=sys.stderr)


def main() -> None:
    arguments = parse_arguments()
    classifier = Classifier(arguments.bundle)
    answers = list((from_archive if arguments.mels else from_audio)(classifier, arguments))
    labels = classifier.bundle.labels
    unknown = sorted({genre for _, genre, _ in answers} - set(labels))
    if unknown or not answers:
        raise SystemExit(
            f"genres that {arguments.bundle} does not know: {', '.join(unknown)}" if answers else "no tracks"
        )
    heard = [segment.genres[0].genre if segment.genres else None for _, _, segment in answers]
    result = report.figures(labels, [genre for _, genre, _ in answers], heard)
    result["tracks"] = [
        {"track": name, "true": genre, "predicted": guess, "confidence": segment.confidence}
        for (name, genre, segment), guess in zip(answers, heard, strict=True)
        if arguments.per_track
    ]
    print(json.dumps(result, indent=2) if arguments.format == "json" else report.as_table(result))


if __name__ == "__main__":
    try:
        main()
    except GenreEdgeError as error:
        sys.exit(f"error: {error}")
