"""Accuracy under recording conditions, of short clips, and of the mel archive beside audio."""

import math
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from genre_edge import Classifier
from tools.study.answers import genre_probabilities, top_genre
from tools.study.confidence import calibration_error, reliability
from tools.study.inputs import StudyData, TrackAudio
from tools.study.tables import table
from tools.training import report
from tools.training.conditions import CONDITIONS, allowed_loss

FULL_LENGTH_S = 29.0  # tracks with at least this much audio are compared with the archive
CLIPS_S = 1, 3, 10, 30

Predictions = dict[str, list[str | None]]  # condition -> predicted genre of each track


def predict_conditions(classifier: Classifier, songs: list[TrackAudio]) -> Predictions:
    """Return the predictions in each recording condition."""
    predictions: Predictions = {name: [] for name in CONDITIONS}
    with tempfile.TemporaryDirectory() as folder:
        for song in songs:
            y, rate = soundfile.read(song.path, dtype="float32", always_2d=True)
            for name, write in CONDITIONS.items():
                path = write(y.mean(axis=1), rate, Path(folder) / "song")
                predictions[name].append(top_genre(classifier.classify(path)))
    return predictions


def conditions_table(predictions: Predictions, true: list[str]) -> str:
    """Return the table of accuracies and the conditions that miss the target.

    Args:
        predictions: losses are relative to the first condition.
        true: genre of each track.
    """
    right = {name: sum(g == t for g, t in zip(guesses, true, strict=True)) for name, guesses in predictions.items()}
    first = next(iter(predictions))
    rows, missed = [], []
    for name, guesses in predictions.items():
        loss, limit = 100 * (right[first] - right[name]) / len(true), allowed_loss(name)
        if limit is not None and loss > limit:
            missed.append(f"{name} ({loss:.1f} points, at most {limit})")
        low, high = map(report.percent, report.wilson_interval(right[name], len(true)))
        same = report.percent(float(np.mean([g == f for g, f in zip(guesses, predictions[first], strict=True)])))
        accuracy = report.percent(right[name] / len(true))
        rows.append(
            [name, accuracy, f"{low} to {high}", f"{loss:.1f}", "" if limit is None else f"at most {limit}", same]
        )
    header = [f"the same {len(true)} tracks", "accuracy", "95 % interval", "loss, points", "target", "same prediction"]
    verdict = f"Missed targets: {'; '.join(missed)}." if missed else "All targets are met."
    return f"{table(header, rows)}\n\n{verdict}"


def classify_clips(
    classifier: Classifier, songs: list[TrackAudio], whole: list[str | None]
) -> dict[int, list[tuple[bool, bool]]]:
    """Return for each length whether the predictions for clip and whole track are right, for the tracks so long.

    Args:
        whole: prediction for each whole track.
    """
    right: dict[int, list[tuple[bool, bool]]] = {seconds: [] for seconds in CLIPS_S}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.wav"
        for song, of_whole in zip(songs, whole, strict=True):
            for seconds in CLIPS_S:
                frames = math.ceil(seconds * song.rate)
                y, rate = soundfile.read(song.path, frames=frames, dtype="float32")
                if len(y) == frames:
                    soundfile.write(path, y, rate, subtype="FLOAT")
                    guess = top_genre(classifier.classify(path))
                    right[seconds].append((guess == song.track.genre, of_whole == song.track.genre))
    return right


def clips_table(right: dict[int, list[tuple[bool, bool]]]) -> str:
    """Return the table of the accuracy by length, see `classify_clips`."""
    rows = []
    for seconds, pairs in right.items():
        if pairs:
            clip, whole = (sum(column) for column in zip(*pairs, strict=True))
            low, high = map(report.percent, report.wilson_interval(clip, len(pairs)))
            shares = [report.percent(n / len(pairs)) for n in (clip, whole)]
            rows.append([f"{seconds} s", len(pairs), shares[0], f"{low} to {high}", shares[1]])
        else:
            rows.append([f"{seconds} s", 0, "", "", ""])
    return table(["beginning of a track", "tracks", "accuracy", "95 % interval", "of these tracks, whole"], rows)


def archive_and_audio(classifier: Classifier, study_data: StudyData) -> str:
    """Return the accuracy on the archive, and the table that compares it with audio of the same full-length tracks."""
    tracks, labels = study_data.archive, classifier.bundle.labels
    p = genre_probabilities([classifier.classify_frames(track.frames) for track in tracks], labels)
    right = p.argmax(axis=1) == [labels.index(track.genre) for track in tracks]
    error = calibration_error(reliability(p.max(axis=1), right))
    full_length = [song for song in study_data.songs if song.seconds >= FULL_LENGTH_S]
    kinds = {"full bandwidth": [song for song in full_length if song.rate >= 22050]}
    kinds["no content above 8 kHz"] = [song for song in full_length if song.rate < 22050]
    rows = []
    for name, chosen in kinds.items():
        if chosen:
            a = [top_genre(classifier.classify_frames(song.track.frames)) for song in chosen]
            b = [top_genre(classifier.classify(song.path)) for song in chosen]
            shares = [np.mean([g == song.track.genre for g, song in zip(x, chosen, strict=True)]) for x in (a, b)]
            shares.append(np.mean([x == y for x, y in zip(a, b, strict=True)]))
            rows.append([name, len(chosen), *(report.percent(float(share)) for share in shares)])
    header = ["tracks with 29 s of audio or more", "number", "from the archive", "from audio", "same prediction"]
    return (
        f"All {len(tracks)} tracks from the mel archive: accuracy {report.percent(float(right.mean()))}, expected "
        f"calibration error {error:.4f}.\n\n{table(header, rows)}"
    )
