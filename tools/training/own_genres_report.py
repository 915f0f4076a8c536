"""What a run of own genres tells its user: warnings, the report on the terminal, the model card."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from genre_edge.model.bundle import Bundle
from tools.training import card, report
from tools.training.genre_folders import Song
from tools.training.report import percent

FEW_SONGS = 10  # of a genre; with fewer, the figures say little
OFTEN_CONFUSED = 0.2  # of the songs of two genres
_LISTED = 10  # names that one warning lists


def warnings(songs: list[Song], metrics: dict[str, Any], ungrouped: list[str]) -> list[str]:
    """Return what the user should know before trusting the bundle, one line each."""
    counts = Counter(song.genre for song in songs)
    few = [f"{genre} {n}" for genre, n in sorted(counts.items()) if n < FEW_SONGS]
    not_music = [f"{song.genre}/{song.file.path.name}" for song in songs if not song.embedding.is_music]
    albums = [genre for genre in ungrouped if any(song.group for song in songs if song.genre == genre)]
    lines = []
    if few:
        lines.append(f"fewer than {FEW_SONGS} songs: {', '.join(few)}; the figures are rough, more songs help most")
    if albums:
        lines.append(f"too few albums to hold out whole ones: {', '.join(albums)}; the accuracy is optimistic")
    if is_guessing(metrics["holdout"]):
        lines.append(
            f"no better than guessing: {percent(metrics['holdout']['accuracy'])} are right, guesses "
            f"{percent(chance(metrics['holdout']))}; the network does not hear what these genres differ in"
        )
    lines += _confused(metrics["holdout"])
    if not_music:
        lines.append(f"no music for the base network, answered not_music by this bundle: {_listed(not_music)}")
    return lines


def _listed(names: list[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def chance(holdout: dict[str, Any]) -> float:
    """Return the accuracy of guesses that name each genre as often as the predictions do."""
    confusion = np.array(holdout["confusion"])
    return float(confusion.sum(axis=1) @ confusion.sum(axis=0)) / int(holdout["n"]) ** 2


def is_guessing(holdout: dict[str, Any]) -> bool:
    """Return True if the 95 % interval of the accuracy includes that of guesses."""
    return bool(holdout["ci95"][0] <= chance(holdout))


def _confused(holdout: dict[str, Any]) -> list[str]:
    """Return a line for each two genres that are often confused, the worst first."""
    labels, confusion = holdout["labels"], holdout["confusion"]
    pairs = []
    for i, a in enumerate(labels):
        for j in range(i + 1, len(labels)):
            wrong, n = confusion[i][j] + confusion[j][i], sum(confusion[i]) + sum(confusion[j])
            if wrong >= max(2, OFTEN_CONFUSED * n):
                right = confusion[i][i] + confusion[j][j]
                apart = report.wilson_interval(right, right + wrong)[0] > 0.5
                text = "often confused" if apart else "not told apart; consider one folder for both"
                pairs.append((wrong / n, f"{a} and {labels[j]} are {text}: {wrong} of their {n} songs"))
    return [line for _, line in sorted(pairs, reverse=True)]


def terminal(metrics: dict[str, Any], notes: list[str]) -> str:
    """Return the report for the terminal."""
    lines = [
        report.as_table(metrics["holdout"] | {"tracks": []}),
        "",
        *(f"{name}: {value}" for name, value in _rows(metrics)),
        *(f"warning: {note}" for note in notes),
    ]
    return "\n".join(lines)


def _rows(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (name, value) of the figures beside the table."""
    error, by_chance = metrics["calibration_error"], metrics["calibration_error_by_chance"]
    agreement = percent(metrics["int8_agreement"])
    return [
        ("accuracy of guesses", percent(chance(metrics["holdout"]))),
        ("accuracy on each held-out fifth", ", ".join(map(percent, metrics["fifths"]))),
        ("expected calibration error", f"{error} ({by_chance} with perfect calibration and as many songs)"),
        ("accuracy before quantisation", f"{percent(metrics['float_accuracy'])} (same prediction: {agreement})"),
        ("songs", f"{metrics['songs']}, {metrics['minutes']} minutes; {metrics['skipped']} files skipped"),
        ("time", f"{metrics['seconds']} s"),
    ]


def model_card(bundle: Bundle, size: int, notes: list[str], command: str) -> str:
    """Return the text of MODEL_CARD.md.

    Args:
        size: bytes of model.tflite.
        notes: see `warnings`.
        command: the command line that made the bundle.
    """
    metrics, holdout = bundle.metrics, bundle.metrics["holdout"]
    base, labels = metrics["base"], bundle.labels
    low, high = map(percent, holdout["ci95"])
    figures = "\n".join(f"| {name} | {value} |" for name, value in _rows(metrics))
    per_genre = "\n".join(
        f"| {label} | {sum(row)} | {percent(holdout['per_genre'][label])} | {' | '.join(map(str, row))} |"
        for label, row in zip(labels, holdout["confusion"], strict=True)
    )
    return f"""# {bundle.name} {bundle.version}

The network of {base["name"]} {base["version"]} with a new last layer for {len(labels)} genres: a logistic regression on
the features of labelled songs. The other layers and the other outputs are those of {base["name"]}, whose model.tflite
has the SHA-256 `{base["sha256"]}`.

- Genres: {", ".join(labels)}
- Size: {size} bytes, int8
- SHA-256 of model.tflite: `{bundle.sha256}`

## Measured on {holdout["n"]} songs

Each fifth of the songs was held out once, and predicted by an int8 network whose last layer was fitted to the others.
Songs of one subfolder (an album) are in the same fifth. The last layer of this bundle is fitted to all songs.

| metric | value |
| --- | --- |
| accuracy, int8 | {percent(holdout["accuracy"])} (95 % interval {low} to {high}) |
{figures}
| songs at or above threshold {bundle.threshold} | {percent(metrics["coverage"])} |
| accuracy of these songs | {percent(metrics["accuracy_when_sure"])} |

| genre | songs | recall | predicted {" | ".join(labels)} |
| --- | --- | --- |{" --- |" * len(labels)}
{per_genre}

| confidence | songs | accuracy |
| --- | --- | --- |
{card.table_rows(metrics["reliability"], "confidence", "tracks", "accuracy")}

## Warnings

{chr(10).join(f"- {note}" for note in notes) or "None."}

## Data

{bundle.data}

## Limitations

Music of any other genre is classified as one of these {len(labels)} genres. The figures hold for music like that of
the folders.

## Regenerate

```sh
{command}
```

The command shows only the last part of each path.

## Licence

{bundle.licence}
"""
