"""What a bundle does in real life: codecs, levels, rooms, noise; what is no music; music with other labels.

    python -m tools.study_model --bundle runs/edge/measured --mels mel.npz --tracks tracks.csv --split valid \\
        --audio gtzan/ --not-music sounds/not-music-test --other emotify/ --write models/edge/MODEL_CARD.md

Give it a bundle that never saw the split. `--audio` is where the table's audio column begins. Needs ffmpeg.
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
from tools.fetch_sounds import DIFFERS
from tools.training import data, report
from tools.training.conditions import CONDITIONS, may_cost
from tools.training.corpus import readable_audio

WHOLE_S = 29.0  # tracks with that much audio are compared with the archive


@dataclass(frozen=True)
class Song:
    """A track of the split with audio."""

    track: data.Track
    path: Path
    seconds: float
    rate: int


@dataclass(frozen=True)
class Material:
    """All that is heard; it is looked at before anything is, for that takes long."""

    tracks: list[data.Track]
    songs: list[Song]
    not_music: dict[str, list[Path]]
    other: dict[str, list[Path]]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--mels", type=Path, required=True)
    parser.add_argument("--tracks", type=Path, required=True)
    parser.add_argument("--split", required=True)
    parser.add_argument("--audio", type=Path, required=True)
    parser.add_argument("--not-music", type=Path, required=True, help="a folder a kind of sound")
    parser.add_argument("--other", type=Path, required=True, help="a folder a genre, labelled by others")
    parser.add_argument("--write", type=Path, help="the page to be filled between its study marks; default: stdout")
    arguments = parser.parse_args()
    if not shutil.which("ffmpeg"):
        parser.error("ffmpeg is needed to make mp3 files")
    return arguments


def best(segment: Segment) -> str | None:
    """The most probable genre, however unsure."""
    return segment.genres[0].genre if segment.genres else None


def gather(arguments: argparse.Namespace) -> Material:
    tracks = {track.name: track for track in data.load_archive(arguments.mels, arguments.tracks, arguments.split)}
    songs = []
    for row in data.read_csv(arguments.tracks, arguments.split):
        if row["audio"]:
            path = arguments.audio / row["audio"]
            try:
                info = soundfile.info(str(path))
            except (soundfile.SoundFileError, OSError):
                raise SystemExit(f"{path}: no audio file that can be read") from None
            songs.append(Song(tracks[row["track"]], path, info.duration, info.samplerate))
    if not songs:
        raise SystemExit(f"{arguments.tracks}: no tracks of split {arguments.split!r} with audio")
    return Material(list(tracks.values()), songs, by_folder(arguments.not_music), by_folder(arguments.other))


def by_folder(root: Path) -> dict[str, list[Path]]:
    """The audio below each folder, by the folder's name."""
    folders = sorted(path for path in root.glob("*") if path.is_dir())
    if not folders:
        raise SystemExit(f"{root}: no folders of audio")
    return {folder.name: readable_audio([folder], 1.0) for folder in folders}


def real_life(classifier: Classifier, songs: list[Song]) -> str:
    """Accuracy in each condition, on the tracks that have audio, and what misses the aim."""
    heard: dict[str, list[str | None]] = {name: [] for name in CONDITIONS}
    with tempfile.TemporaryDirectory() as folder:
        for song in songs:
            y, rate = soundfile.read(song.path, dtype="float32", always_2d=True)
            for name, write in CONDITIONS.items():
                path = write(y.mean(axis=1), rate, Path(folder) / "song")
                heard[name].append(best(classifier.classify(path)))
    return conditions_table(heard, [song.track.genre for song in songs])


def conditions_table(heard: dict[str, list[str | None]], true: list[str]) -> str:
    right = {name: sum(g == t for g, t in zip(guesses, true, strict=True)) for name, guesses in heard.items()}
    first = next(iter(heard))
    lines = [f"| the same {len(true)} tracks | accuracy | 95 % interval | loss, points | same answer |"]
    lines.append("| --- | --- | --- | --- | --- |")
    missed = []
    for name, guesses in heard.items():
        loss = 100 * (right[first] - right[name]) / len(true)
        if loss > may_cost(name):
            missed.append(f"{name} ({loss:.1f})")
        low, high = map(report.percent, report.wilson(right[name], len(true)))
        same = report.percent(float(np.mean([g == f for g, f in zip(guesses, heard[first], strict=True)])))
        accuracy = report.percent(right[name] / len(true))
        lines.append(f"| {name} | {accuracy} | {low} to {high} | {loss:.1f} | {same} |")
    lines.append(
        "\nThe aim is to lose no more than 3 points by codecs and levels, 10 by the rest; "
        + (f"missed by: {'; '.join(missed)}." if missed else "no row misses it.")
    )
    return "\n".join(lines)


def against_archive(classifier: Classifier, songs: list[Song]) -> str:
    """Archive and audio of the same tracks, by bandwidth; only tracks whose audio is whole."""
    whole = [song for song in songs if song.seconds >= WHOLE_S]
    lines = ["| tracks with 29 s of audio or more | number | from the archive | from audio | same answer |"]
    lines.append("| --- | --- | --- | --- | --- |")
    kinds = {"all frequencies": [song for song in whole if song.rate >= 22050]}
    kinds["nothing above 8 kHz"] = [song for song in whole if song.rate < 22050]
    for name, some in kinds.items():
        if some:
            a = [best(classifier.classify_frames(song.track.frames)) for song in some]
            b = [best(classifier.classify(song.path)) for song in some]
            right = [np.mean([g == song.track.genre for g, song in zip(x, some, strict=True)]) for x in (a, b)]
            same = np.mean([x == y for x, y in zip(a, b, strict=True)])
            shares = " | ".join(report.percent(float(share)) for share in (*right, same))
            lines.append(f"| {name} | {len(some)} | {shares} |")
    return "\n".join(lines)


def refusals(classifier: Classifier, material: Material, split: str) -> str:
    """How often each kind of sound is refused, and music of the split, which should not be."""
    lines = ["| sound | number | not_music | low_confidence | silence | given a genre | beside what was learnt |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    kinds: dict[str, list[Segment]] = {
        kind: [classifier.classify(path) for path in paths] for kind, paths in material.not_music.items()
    }
    kinds[f"music of split {split}"] = [classifier.classify_frames(track.frames) for track in material.tracks]
    for name, answers in kinds.items():
        reasons = Counter(answer.reason for answer in answers)
        shares = [reasons[reason] / len(answers) for reason in ("not_music", "low_confidence", "silence", None)]
        cells = [name, str(len(answers)), *map(report.percent, shares), DIFFERS.get(name, "")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def other_labels(classifier: Classifier, other: dict[str, list[Path]]) -> str:
    """The share of each folder that is given the folder's genre, and the commonest answers."""
    lines = ["| folder | songs | given its name | heard as |", "| --- | --- | --- | --- |"]
    for genre, paths in other.items():
        guesses = Counter(best(classifier.classify(path)) for path in paths)
        own = report.percent(guesses[genre] / len(paths)) if genre in classifier.bundle.labels else "(not one of ours)"
        commonest = ", ".join(f"{name} {count}" for name, count in guesses.most_common(4))
        lines.append(f"| {genre} | {len(paths)} | {own} | {commonest} |")
    return "\n".join(lines)


def artists(tracks: list[data.Track], split: str) -> str:
    """How many artists stand behind each genre's figures, where any are known."""
    if not any(track.group for track in tracks):
        return ""
    counts = []
    for genre in sorted({track.genre for track in tracks}):
        groups = [track.group for track in tracks if track.genre == genre]
        counts.append(f"{genre} {len({group for group in groups if group})} ({len(groups)})")
    return (
        f"\nKnown artists in split `{split}` (and tracks): {', '.join(counts)}. A recall of few artists says little of "
        "others.\n"
    )


def calibration(classifier: Classifier, tracks: list[data.Track]) -> str:
    """The error of the split's tracks beside that of confidences that are exactly right."""
    labels = classifier.bundle.labels
    heard = [{g.genre: g.probability for g in classifier.classify_frames(track.frames).genres} for track in tracks]
    p = np.array([[genres.get(label, 0.0) for label in labels] for genres in heard])
    error = report.calibration_error(p, np.array([labels.index(track.genre) for track in tracks]))
    mean, most = report.calibration_error_by_chance(p)
    return (
        f"Expected calibration error of the {len(tracks)} tracks: {error}. Were every confidence exactly right, so\n"
        f"few tracks would show {mean} on average, and more than {most} one time in twenty.\n"
    )


def study(classifier: Classifier, material: Material, split: str) -> str:
    short = sum(song.seconds < WHOLE_S for song in material.songs)
    not_music, threshold = classifier.bundle.not_music, classifier.bundle.threshold
    refused = f"`not_music` from a probability of {not_music} on, " if not_music is not None else ""
    heard = (
        " Where *Data* names these songs as music without labels, it was distilled on them."
        if "songs_heard" in classifier.bundle.metrics
        else ""
    )
    return f"""## In real life

By `tools/study_model.py`, with the network that was trained without split `{split}`. Of its tracks with audio, {short}
have less than {WHOLE_S:g} s of it, which makes them harder.
{artists(material.tracks, split)}
{calibration(classifier, material.tracks)}
{real_life(classifier, material.songs)}

{against_archive(classifier, material.songs)}

## What is no music

An answer is {refused}`low_confidence` below a confidence of {threshold}. The last column compares
the sounds of `tools/fetch_sounds.py` with those that it fetches to learn from.

{refusals(classifier, material, split)}

## Music that others have labelled

The network has learnt nothing from these labels.{heard}

{other_labels(classifier, material.other)}

"""


def main() -> None:
    arguments = parse_arguments()
    classifier = Classifier(arguments.bundle)
    data.needs_archive_mel(classifier.bundle)
    if data.has_learnt(classifier.bundle, arguments.split):
        raise SystemExit(f"{arguments.bundle} knows split {arguments.split!r}: take the bundle that was measured")
    if arguments.write:
        split_page(arguments.write, "study")  # complains before an hour is spent
    text = study(classifier, gather(arguments), arguments.split)
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
