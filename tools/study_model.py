"""What a bundle does in real life: codecs, levels, rooms, noise; what is no music; music with other labels.

    python tools/study_model.py --bundle runs/edge/measured --mels mel.npz --tracks tracks.csv --split valid \\
        --audio gtzan/ --not-music sounds/not-music-test --other emotify/ --write models/edge/MODEL_CARD.md

Give it a bundle that never saw the split. `--audio` is where the table's audio column begins. Needs ffmpeg.
"""

import argparse
import csv
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import soundfile
from pages import marked
from training import data, report
from training.conditions import CONDITIONS
from training.corpus import readable_audio

from genre_edge import Classifier
from genre_edge.errors import GenreEdgeError
from genre_edge.verdict import Segment

WHOLE_S = 29.0  # tracks with that much audio are compared with the archive


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


def rows_with_audio(tracks: Path, split: str) -> list[dict[str, str]]:
    with tracks.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["split"] == split and row.get("audio")]


def real_life(classifier: Classifier, rows: list[dict[str, str]], audio: Path) -> str:
    """Accuracy in each condition, on the tracks that have audio."""
    heard: dict[str, list[str | None]] = {name: [] for name in CONDITIONS}
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            y, rate = soundfile.read(audio / row["audio"], dtype="float32", always_2d=True)
            for name, write in CONDITIONS.items():
                path = write(y.mean(axis=1), rate, Path(folder) / "song")
                heard[name].append(best(classifier.classify(path)))
    true = [row["genre"] for row in rows]
    asis = heard[next(iter(CONDITIONS))]
    lines = [f"| the same {len(rows)} tracks | accuracy | 95 % interval | same answer |", "| --- | --- | --- | --- |"]
    for name, guesses in heard.items():
        right = sum(guess == t for guess, t in zip(guesses, true, strict=True))
        low, high = report.wilson(right, len(true))
        same = np.mean([guess == first for guess, first in zip(guesses, asis, strict=True)])
        interval = f"{report.percent(low)} to {report.percent(high)}"
        lines.append(f"| {name} | {report.percent(right / len(true))} | {interval} | {report.percent(float(same))} |")
    return "\n".join(lines)


def against_archive(classifier: Classifier, rows: list[dict[str, str]], arguments: argparse.Namespace) -> str:
    """Archive and audio of the same tracks, by bandwidth; only tracks whose audio is whole."""
    archive = {t.name: t for t in data.load_archive(arguments.mels, arguments.tracks, arguments.split)}
    whole = [row for row in rows if float(row["audio_seconds"]) >= WHOLE_S]
    lines = ["| tracks with 29 s of audio or more | number | from the archive | from audio | same answer |"]
    lines.append("| --- | --- | --- | --- | --- |")
    kinds = {"all frequencies": [r for r in whole if int(r["audio_rate"]) >= 22050]}
    kinds["nothing above 8 kHz"] = [r for r in whole if int(r["audio_rate"]) < 22050]
    for name, some in kinds.items():
        if some:
            a = [best(classifier.classify_frames(archive[row["track"]].frames)) for row in some]
            b = [best(classifier.classify(arguments.audio / row["audio"])) for row in some]
            right = [np.mean([g == row["genre"] for g, row in zip(x, some, strict=True)]) for x in (a, b)]
            same = np.mean([x == y for x, y in zip(a, b, strict=True)])
            shares = " | ".join(report.percent(float(share)) for share in (*right, same))
            lines.append(f"| {name} | {len(some)} | {shares} |")
    return "\n".join(lines)


def refusals(classifier: Classifier, arguments: argparse.Namespace) -> str:
    """How often each kind of sound is refused, and music of the split, which should not be."""
    lines = ["| sound | number | not_music | low_confidence | silence | given a genre |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    kinds: dict[str, list[Segment]] = {}
    for folder in sorted(path for path in arguments.not_music.iterdir() if path.is_dir()):
        kinds[folder.name] = [classifier.classify(path) for path in readable_audio([folder], 1.0)]
    tracks = data.load_archive(arguments.mels, arguments.tracks, arguments.split)
    kinds[f"music of split {arguments.split}"] = [classifier.classify_frames(track.frames) for track in tracks]
    for name, answers in kinds.items():
        reasons = Counter(answer.reason for answer in answers)
        shares = [reasons[reason] / len(answers) for reason in ("not_music", "low_confidence", "silence", None)]
        lines.append(f"| {name} | {len(answers)} | " + " | ".join(map(report.percent, shares)) + " |")
    return "\n".join(lines)


def other_labels(classifier: Classifier, folder: Path) -> str:
    """The share of each folder that is given the folder's genre, and the commonest answers."""
    lines = ["| folder | songs | given its name | heard as |", "| --- | --- | --- | --- |"]
    for genre in sorted(path for path in folder.iterdir() if path.is_dir()):
        guesses = Counter(best(classifier.classify(path)) for path in readable_audio([genre], 1.0))
        n = sum(guesses.values())
        own = report.percent(guesses[genre.name] / n) if genre.name in classifier.bundle.labels else "(not one of ours)"
        commonest = ", ".join(f"{name} {count}" for name, count in guesses.most_common(4))
        lines.append(f"| {genre.name} | {n} | {own} | {commonest} |")
    return "\n".join(lines)


def study(arguments: argparse.Namespace) -> str:
    classifier = Classifier(arguments.bundle)
    rows = rows_with_audio(arguments.tracks, arguments.split)
    if not rows:
        raise SystemExit(f"{arguments.tracks}: no tracks of split {arguments.split!r} with audio")
    return f"""## In real life

By `tools/study_model.py`, with the network that was trained without split `{arguments.split}`. Many of these tracks
have only 2 to 15 s of audio, which makes them harder than the whole ones above.

{real_life(classifier, rows, arguments.audio)}

{against_archive(classifier, rows, arguments)}

## What is no music

Sounds of other sources than those that it learnt from; an answer is `not_music` from a probability of
{classifier.bundle.not_music} on, `low_confidence` below a confidence of {classifier.bundle.threshold}.

{refusals(classifier, arguments)}

## Music that others have labelled

Never used as labels; the teacher has heard it.

{other_labels(classifier, arguments.other)}

"""


def main() -> None:
    arguments = parse_arguments()
    text = study(arguments)
    if arguments.write is None:
        print(text, end="")
    else:
        before, _, after = marked(arguments.write, "study")
        arguments.write.write_text(before + text + after)


if __name__ == "__main__":
    try:
        main()
    except GenreEdgeError as error:
        sys.exit(f"error: {error}")
