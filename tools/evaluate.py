"""Evaluate a bundle on labelled data: accuracy with its 95 % interval, recall by genre, confusion matrix.

    python -m tools.evaluate --bundle runs/edge/measured --mels mel.npz --tracks tracks.csv --split valid
    python -m tools.evaluate --bundle runs/edge/measured --audio gtzan/ --tracks tracks.csv --split valid
    python -m tools.evaluate --bundle models/edge --audio my_music/ --format json --per-track

The prediction is the most probable genre, whatever its confidence; a track without a prediction (silence) counts as
wrong. A warning is printed if the bundle's metrics say that it was trained on these tracks.
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

Answer = tuple[str, str, Segment]  # (track, true genre, prediction)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", required=True, help="name of an installed model, or a bundle's directory")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--audio",
        type=Path,
        help="labelled audio, one folder per genre; or, with --tracks, the folder of the column audio",
    )
    source.add_argument("--mels", type=Path, help="mel archive (.npz), with --tracks")
    parser.add_argument("--tracks", type=Path, help="table of tracks (.csv); with --audio, only its tracks with audio")
    parser.add_argument("--split", help="evaluate only the tracks of this split")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("--per-track", action="store_true", help="also print the prediction for each track")
    arguments = parser.parse_args()
    if arguments.mels and not arguments.tracks:
        parser.error("--mels needs --tracks")
    if arguments.split and not arguments.tracks:
        parser.error("--split needs --tracks")
    return arguments


def warn_of_training_tracks(bundle: Bundle, arguments: argparse.Namespace) -> None:
    """Print a warning if the bundle's metrics say that it was trained on the tracks or a part of them."""
    random_holdout = str(bundle.metrics.get("holdout_split")).startswith("random")
    partly = arguments.split is None and (arguments.tracks or random_holdout)
    if partly or data.trained_on(bundle, arguments.split):
        which = "a part of them" if partly else f"split {arguments.split!r}"
        print(
            f"warning: if {arguments.bundle} was made from these tracks, it was trained on {which}; "
            "see its card for figures on tracks that were held out",
            file=sys.stderr,
        )


def classify_archive(classifier: Classifier, arguments: argparse.Namespace) -> Iterator[Answer]:
    """Yield the predictions for the tracks of a mel archive."""
    data.check_archive_mel(classifier.bundle)
    for track in data.load_archive(arguments.mels, arguments.tracks, arguments.split):
        yield track.name, track.genre, classifier.classify_frames(track.frames)


def classify_audio(classifier: Classifier, arguments: argparse.Namespace) -> Iterator[Answer]:
    """Yield the predictions for audio files; unreadable files are reported on stderr and skipped."""
    for path, name, genre in audio_tracks(arguments):
        try:
            yield name, genre, classifier.classify(path)
        except GenreEdgeError as error:
            print(f"skipped: {error}", file=sys.stderr)


def audio_tracks(arguments: argparse.Namespace) -> list[tuple[Path, str, str]]:
    """Return (file, track, genre) of the tracks table if there is one, else of the genre folders."""
    if not arguments.tracks:
        return [(path, path.stem, genre) for path, genre in data.audio_files(arguments.audio)]
    rows = data.read_csv(arguments.tracks, arguments.split)
    return [(arguments.audio / row["audio"], row["track"], row["genre"]) for row in rows if row["audio"]]


def main() -> None:
    arguments = parse_arguments()
    classifier = Classifier(arguments.bundle)
    warn_of_training_tracks(classifier.bundle, arguments)
    answers = list((classify_archive if arguments.mels else classify_audio)(classifier, arguments))
    labels = classifier.bundle.labels
    unknown = sorted({genre for _, genre, _ in answers} - set(labels))
    if unknown or not answers:
        raise SystemExit(
            f"{arguments.bundle} does not have the genres {', '.join(unknown)}" if answers else "no tracks to evaluate"
        )
    predictions = [segment.genres[0].genre if segment.genres else None for _, _, segment in answers]
    result = report.classification_metrics(labels, [genre for _, genre, _ in answers], predictions)
    result["tracks"] = [
        {"track": name, "true": genre, "predicted": prediction, "confidence": segment.confidence}
        for (name, genre, segment), prediction in zip(answers, predictions, strict=True)
        if arguments.per_track
    ]
    print(json.dumps(result, indent=2) if arguments.format == "json" else report.as_table(result))


if __name__ == "__main__":
    try:
        main()
    except GenreEdgeError as error:
        sys.exit(f"error: {error}")
