"""Measure a bundle's robustness: codecs, levels, rooms, noise; audio that is not music; independently labelled music.

    python -m tools.study_model --bundle runs/edge/measured --mels mel.npz --tracks tracks.csv --split valid \\
        --audio gtzan/ --not-music sounds/not-music-test --other emotify/ --write models/edge/MODEL_CARD.md

The bundle must not have been trained on the split. `--audio` is the folder that the table's column `audio` is relative
to. Requires ffmpeg.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from genre_edge import Classifier
from genre_edge.classify.verdict import Segment
from genre_edge.errors import GenreEdgeError
from tools.docs.pages import split_page
from tools.fetch_sounds import TEST_DIFFERENCES
from tools.training import data, report
from tools.training.audio_files import readable_audio
from tools.training.conditions import CONDITIONS, allowed_loss

FULL_LENGTH_S = 29.0  # tracks with at least this much audio are compared with the archive


@dataclass(frozen=True)
class TrackAudio:
    """A track of the split and its audio file."""

    track: data.Track
    path: Path
    seconds: float
    rate: int


@dataclass(frozen=True)
class StudyData:
    """All inputs of the study, checked before the classification starts, which takes an hour."""

    tracks: list[data.Track]
    songs: list[TrackAudio]
    not_music: dict[str, list[Path]]
    other: dict[str, list[Path]]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", required=True, help="name of an installed model, or a bundle's directory")
    parser.add_argument("--mels", type=Path, required=True, help="mel archive (.npz)")
    parser.add_argument("--tracks", type=Path, required=True, help="table of the archive's tracks (.csv)")
    parser.add_argument("--split", required=True, help="the split to measure on")
    parser.add_argument("--audio", type=Path, required=True, help="the folder of the table's column audio")
    parser.add_argument("--not-music", type=Path, required=True, help="audio that is not music, one folder per kind")
    parser.add_argument("--other", type=Path, required=True, help="independently labelled music, one folder per genre")
    parser.add_argument("--write", type=Path, help="page to update between its study markers (default: print)")
    arguments = parser.parse_args()
    if not shutil.which("ffmpeg"):
        parser.error("ffmpeg is required to encode mp3 files, and is not installed")
    return arguments


def top_genre(segment: Segment) -> str | None:
    """Return the most probable genre whatever its confidence, None if there is none (silence)."""
    return segment.genres[0].genre if segment.genres else None


def load_data(arguments: argparse.Namespace) -> StudyData:
    """Load the tracks and list all audio files.

    Raises:
        SystemExit: a file or folder is missing or not readable.
    """
    tracks = {track.name: track for track in data.load_archive(arguments.mels, arguments.tracks, arguments.split)}
    songs = []
    for row in data.read_csv(arguments.tracks, arguments.split):
        if row["audio"]:
            path = arguments.audio / row["audio"]
            try:
                info = soundfile.info(str(path))
            except (soundfile.SoundFileError, OSError):
                raise SystemExit(f"{path}: not a readable audio file") from None
            songs.append(TrackAudio(tracks[row["track"]], path, info.duration, info.samplerate))
    if not songs:
        raise SystemExit(f"{arguments.tracks}: no tracks of split {arguments.split!r} with audio")
    return StudyData(list(tracks.values()), songs, by_folder(arguments.not_music), by_folder(arguments.other))


def by_folder(root: Path) -> dict[str, list[Path]]:
    """Return the audio files below each folder in `root`, by the folder's name.

    Raises:
        SystemExit: there are no folders, or one has no audio.
    """
    folders = sorted(path for path in root.glob("*") if path.is_dir())
    if not folders:
        raise SystemExit(f"{root}: no folders with audio")
    return {folder.name: readable_audio([folder], 1.0) for folder in folders}


def robustness(classifier: Classifier, songs: list[TrackAudio]) -> str:
    """Return the table of the accuracy in each recording condition, on the tracks with audio."""
    predictions: dict[str, list[str | None]] = {name: [] for name in CONDITIONS}
    with tempfile.TemporaryDirectory() as folder:
        for song in songs:
            y, rate = soundfile.read(song.path, dtype="float32", always_2d=True)
            for name, write in CONDITIONS.items():
                path = write(y.mean(axis=1), rate, Path(folder) / "song")
                predictions[name].append(top_genre(classifier.classify(path)))
    return conditions_table(predictions, [song.track.genre for song in songs])


def conditions_table(predictions: dict[str, list[str | None]], true: list[str]) -> str:
    """Return the table of accuracies and the conditions that miss the target.

    Args:
        predictions: condition -> predicted genre of each track; losses are relative to the first condition.
        true: genre of each track.
    """
    right = {name: sum(g == t for g, t in zip(guesses, true, strict=True)) for name, guesses in predictions.items()}
    first = next(iter(predictions))
    lines = [f"| the same {len(true)} tracks | accuracy | 95 % interval | loss, points | same prediction |"]
    lines.append("| --- | --- | --- | --- | --- |")
    missed = []
    for name, guesses in predictions.items():
        loss = 100 * (right[first] - right[name]) / len(true)
        if loss > allowed_loss(name):
            missed.append(f"{name} ({loss:.1f})")
        low, high = map(report.percent, report.wilson_interval(right[name], len(true)))
        same = report.percent(float(np.mean([g == f for g, f in zip(guesses, predictions[first], strict=True)])))
        accuracy = report.percent(right[name] / len(true))
        lines.append(f"| {name} | {accuracy} | {low} to {high} | {loss:.1f} | {same} |")
    lines.append(
        "\nThe target is a loss of at most 3 points for codecs and levels, and 10 for the other conditions; "
        + (f"missed by: {'; '.join(missed)}." if missed else "all conditions meet it.")
    )
    return "\n".join(lines)


def archive_and_audio(classifier: Classifier, songs: list[TrackAudio]) -> str:
    """Return the table that compares archive and audio of the same full-length tracks, by bandwidth."""
    full_length = [song for song in songs if song.seconds >= FULL_LENGTH_S]
    lines = ["| tracks with 29 s of audio or more | number | from the archive | from audio | same prediction |"]
    lines.append("| --- | --- | --- | --- | --- |")
    kinds = {"full bandwidth": [song for song in full_length if song.rate >= 22050]}
    kinds["no content above 8 kHz"] = [song for song in full_length if song.rate < 22050]
    for name, chosen in kinds.items():
        if chosen:
            a = [top_genre(classifier.classify_frames(song.track.frames)) for song in chosen]
            b = [top_genre(classifier.classify(song.path)) for song in chosen]
            right = [np.mean([g == song.track.genre for g, song in zip(x, chosen, strict=True)]) for x in (a, b)]
            same = np.mean([x == y for x, y in zip(a, b, strict=True)])
            shares = " | ".join(report.percent(float(share)) for share in (*right, same))
            lines.append(f"| {name} | {len(chosen)} | {shares} |")
    return "\n".join(lines)


def refusals(classifier: Classifier, study_data: StudyData, split: str) -> str:
    """Return the table of how often each kind of audio, and music of the split, gets no genre and why."""
    lines = ["| audio | number | not_music | low_confidence | silence | genre | difference from the training data |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    kinds: dict[str, list[Segment]] = {
        kind: [classifier.classify(path) for path in paths] for kind, paths in study_data.not_music.items()
    }
    kinds[f"music of split {split}"] = [classifier.classify_frames(track.frames) for track in study_data.tracks]
    for name, answers in kinds.items():
        reasons = Counter(answer.reason for answer in answers)
        shares = [reasons[reason] / len(answers) for reason in ("not_music", "low_confidence", "silence", None)]
        cells = [name, str(len(answers)), *map(report.percent, shares), TEST_DIFFERENCES.get(name, "")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def other_labels(classifier: Classifier, other: dict[str, list[Path]]) -> str:
    """Return the table of each folder's share that is classified as the folder's genre, and the top predictions."""
    lines = ["| folder | songs | predicted as the folder's genre | top predictions |", "| --- | --- | --- | --- |"]
    for genre, paths in other.items():
        guesses = Counter(top_genre(classifier.classify(path)) for path in paths)
        own = (
            report.percent(guesses[genre] / len(paths))
            if genre in classifier.bundle.labels
            else "(not a genre of this model)"
        )
        most_common = ", ".join(f"{name} {count}" for name, count in guesses.most_common(4))
        lines.append(f"| {genre} | {len(paths)} | {own} | {most_common} |")
    return "\n".join(lines)


def artists(tracks: list[data.Track], split: str) -> str:
    """Return a sentence with the number of known artists per genre, "" if none are known."""
    if not any(track.group for track in tracks):
        return ""
    counts = []
    for genre in sorted({track.genre for track in tracks}):
        groups = [track.group for track in tracks if track.genre == genre]
        counts.append(f"{genre} {len({group for group in groups if group})} ({len(groups)})")
    return (
        f"\nKnown artists in split `{split}` (and tracks): {', '.join(counts)}. The recall of a genre with few artists "
        "does not generalise.\n"
    )


def calibration(classifier: Classifier, tracks: list[data.Track]) -> str:
    """Return a sentence with the calibration error and the error that perfect calibration would show by chance."""
    labels = classifier.bundle.labels
    probabilities = [
        {g.genre: g.probability for g in classifier.classify_frames(track.frames).genres} for track in tracks
    ]
    p = np.array([[genres.get(label, 0.0) for label in labels] for genres in probabilities])
    error = report.calibration_error(p, np.array([labels.index(track.genre) for track in tracks]))
    mean, most = report.calibration_error_by_chance(p)
    return (
        f"Expected calibration error of the {len(tracks)} tracks: {error}. With perfect calibration, the\n"
        f"error of so few tracks is {mean} on average, and above {most} in 5 % of the cases.\n"
    )


def study(classifier: Classifier, study_data: StudyData, split: str) -> str:
    """Run all measurements and return the card's sections."""
    short = sum(song.seconds < FULL_LENGTH_S for song in study_data.songs)
    not_music, threshold = classifier.bundle.not_music, classifier.bundle.threshold
    refused = f"`not_music` from a probability of {not_music} on, " if not_music is not None else ""
    distilled = (
        " If *Data* lists these songs as unlabelled music, the network was distilled on them."
        if "songs_heard" in classifier.bundle.metrics
        else ""
    )
    return f"""## Robustness

Measured by `python -m tools.study_model` with the network that was trained without split `{split}`. Of its tracks with
audio, {short} have less than {FULL_LENGTH_S:g} s of it, which makes them harder to classify.
{artists(study_data.tracks, split)}
{calibration(classifier, study_data.tracks)}
{robustness(classifier, study_data.songs)}

{archive_and_audio(classifier, study_data.songs)}

## Audio that is not music

An answer is {refused}`low_confidence` below a confidence of {threshold}. The last column
compares the test audio of `python -m tools.fetch_sounds` with its training audio.

{refusals(classifier, study_data, split)}

## Independently labelled music

These labels were not used for training.{distilled}

{other_labels(classifier, study_data.other)}

"""


def main() -> None:
    arguments = parse_arguments()
    classifier = Classifier(arguments.bundle)
    data.check_archive_mel(classifier.bundle)
    if data.trained_on(classifier.bundle, arguments.split):
        raise SystemExit(f"{arguments.bundle} was trained on split {arguments.split!r}; use the bundle in OUT/measured")
    if arguments.write:
        split_page(arguments.write, "study")  # exits here, not after an hour, if the page lacks the markers
    text = study(classifier, load_data(arguments), arguments.split)
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
