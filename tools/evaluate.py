"""A bundle on labelled data -> accuracy with its 95 % interval, recall by genre, confusion matrix.

    python -m tools.evaluate --bundle runs/edge/measured --mels mel.npz --tracks tracks.csv --split valid
    python -m tools.evaluate --bundle runs/edge/measured --audio gtzan/ --tracks tracks.csv --split valid
    python -m tools.evaluate --bundle models/edge --audio my_music/ --format json --per-track

The most probable genre counts, however unsure; a track in which nothing is heard counts as wrong. Where the bundle says
that it has learnt from these tracks, a warning does, too.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from genre_edge import Classifier
from genre_edge.classify.verdict import Segment
from genre_edge.errors import GenreEdgeError
from genre_edge.model.bundle import Bundle
from tools.training import data, report

Answer = tuple[str, str, Segment]  # track, true genre, what was heard


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", required=True, help="an installed model's name, or a bundle's directory")
    form = parser.add_mutually_exclusive_group(required=True)
    form.add_argument("--audio", type=Path, help="a folder a genre with audio, or where the table's audio begins")
    form.add_argument("--mels", type=Path, help="mel archive (.npz), with --tracks")
    parser.add_argument("--tracks", type=Path, help="the archive's tracks.csv; with --audio, those with audio")
    parser.add_argument("--split", help="only the tracks of this split")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("--per-track", action="store_true", help="also what was heard in each track")
    arguments = parser.parse_args()
    if arguments.mels and not arguments.tracks:
        parser.error("--mels needs --tracks")
    if arguments.split and not arguments.tracks:
        parser.error("--split needs --tracks")
    return arguments


def warn_of_known_tracks(bundle: Bundle, arguments: argparse.Namespace) -> None:
    """One line, if the bundle's figures say that it learnt from such tracks."""
    made_from_a_folder = str(bundle.metrics.get("holdout_split")).startswith("random")
    some = arguments.split is None and (arguments.tracks or made_from_a_folder)
    if some or data.has_learnt(bundle, arguments.split):
        which = "a part of them" if some else f"split {arguments.split!r}"
        print(
            f"warning: {arguments.bundle} has learnt from {which}, if it was made from these tracks; "
            "the figures in its card are of music that was new to it",
            file=sys.stderr,
        )


def from_archive(classifier: Classifier, arguments: argparse.Namespace) -> Iterator[Answer]:
    data.needs_archive_mel(classifier.bundle)
    for track in data.load_archive(arguments.mels, arguments.tracks, arguments.split):
        yield track.name, track.genre, classifier.classify_frames(track.frames)


def from_audio(classifier: Classifier, arguments: argparse.Namespace) -> Iterator[Answer]:
    for path, name, genre in audio_tracks(arguments):
        try:
            yield name, genre, classifier.classify(path)
        except GenreEdgeError as error:
            print(f"skipped: {error}", file=sys.stderr)


def audio_tracks(arguments: argparse.Namespace) -> list[tuple[Path, str, str]]:
    """(file, track, genre): of the table, if there is one, to compare audio with the archive; else of the folders."""
    if not arguments.tracks:
        return [(path, path.stem, genre) for path, genre in data.audio_files(arguments.audio)]
    rows = data.read_csv(arguments.tracks, arguments.split)
    return [(arguments.audio / row["audio"], row["track"], row["genre"]) for row in rows if row["audio"]]


def main() -> None:
    arguments = parse_arguments()
    classifier = Classifier(arguments.bundle)
    warn_of_known_tracks(classifier.bundle, arguments)
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
