"""Figures: accuracy with its interval, recall by genre, confusion, calibration; and the model card."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from genre_edge.model import Bundle


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927)."""
    z = 1.959964
    share, centre = right / n, right / n + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, (centre - half) / (1 + z * z / n)), min(1.0, (centre + half) / (1 + z * z / n))


def figures(labels: list[str], true: list[str], predicted: list[str | None]) -> dict[str, Any]:
    """`n`, `accuracy`, `ci95`, `per_genre` (recall), `labels`, `confusion` (rows true, columns predicted).

    None (nothing was heard) counts as wrong and stands in no column.
    """
    right = sum(t == p for t, p in zip(true, predicted, strict=True))
    confusion = [[0] * len(labels) for _ in labels]
    for t, p in zip(true, predicted, strict=True):
        if p is not None:
            confusion[labels.index(t)][labels.index(p)] += 1
    totals = {label: true.count(label) for label in labels}
    return {
        "n": len(true),
        "accuracy": round(right / len(true), 4),
        "ci95": [round(limit, 4) for limit in wilson(right, len(true))],
        "per_genre": {
            label: round(confusion[i][i] / totals[label], 4) if totals[label] else None
            for i, label in enumerate(labels)
        },
        "labels": labels,
        "confusion": confusion,
    }


def fit_temperature(logits: list[np.ndarray], true: np.ndarray) -> float:
    """The temperature that makes the tracks' mean probabilities most likely; `logits[i]` is `(patches, labels)`."""
    grid = np.exp(np.linspace(math.log(0.25), math.log(8), 121))
    return round(float(min(grid, key=lambda t: -np.log(track_means(logits, t)[np.arange(len(true)), true]).sum())), 3)


def track_means(logits: list[np.ndarray], temperature: float) -> np.ndarray:
    """Mean softmax of each track's patches, `(tracks, labels)`."""
    means = []
    for rows in logits:
        odds = np.exp((rows - rows.max(axis=1, keepdims=True)) / temperature)
        means.append((odds / odds.sum(axis=1, keepdims=True)).mean(axis=0))
    return np.stack(means)


def choose_threshold(p: np.ndarray, true: np.ndarray) -> tuple[float, dict[str, float]]:
    """The highest confidence below which fewer than one answer in three is right, in steps of 0.05.

    Returns it with the share of tracks answered and the accuracy among them.
    """
    confidence, right = p.max(axis=1), p.argmax(axis=1) == true
    threshold = 0.0
    for candidate in np.arange(0.05, 0.51, 0.05):
        below = confidence < candidate
        if below.any() and right[below].mean() < 1 / 3:
            threshold = round(float(candidate), 2)
    sure = confidence >= threshold
    accuracy = float(right[sure].mean()) if sure.any() else 0.0
    return threshold, {"coverage": round(float(sure.mean()), 4), "accuracy_when_sure": round(accuracy, 4)}


def calibration_error(p: np.ndarray, true: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over equal-width bins of confidence (Guo et al. 2017)."""
    confidence, right = p.max(axis=1), p.argmax(axis=1) == true
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[index == b].mean() - right[index == b].mean()) * (index == b).mean() for b in np.unique(index)
    ]
    return round(float(sum(gaps)), 4)


def percent(share: float) -> str:
    """0.1234 -> "12.3 %"."""
    return f"{100 * share:.1f} %"


def as_table(report: dict[str, Any]) -> str:
    """The figures of an evaluation as plain text."""
    low, high = report["ci95"]
    width = max(map(len, report["labels"]))
    lines = [
        f"{report['n']} tracks, accuracy {percent(report['accuracy'])} "
        f"(95 % interval {percent(low)} to {percent(high)})",
        "",
        f"{'':{width}}  recall  heard as " + " ".join(label[:5].rjust(5) for label in report["labels"]),
    ]
    for label, row in zip(report["labels"], report["confusion"], strict=True):
        recall = report["per_genre"][label]
        text = "-" if recall is None else percent(recall)
        lines.append(f"{label:{width}}  {text:>6}           " + " ".join(str(n).rjust(5) for n in row))
    for track in report["tracks"]:
        lines.append(f"{track['track']}\t{track['true']}\t{track['predicted'] or '-'}\t{track['confidence'] or 0:.3f}")
    return "\n".join(lines)


def model_card(bundle: Bundle, size: int, front_end: str, text: str, command: str) -> str:
    """MODEL_CARD.md: what it is, how it was made, the measured figures and their limits."""
    holdout = bundle.metrics["holdout"]
    rows = "\n".join(
        f"| {label} | {percent(recall) if recall is not None else '-'} |"
        for label, recall in holdout["per_genre"].items()
    )
    confusion = "\n".join(
        f"| {label} | " + " | ".join(map(str, row)) + " |"
        for label, row in zip(holdout["labels"], holdout["confusion"], strict=True)
    )
    figure: Callable[[str], str] = lambda key: percent(bundle.metrics[key])  # noqa: E731
    low, high = holdout["ci95"]
    return f"""# {bundle.name} {bundle.version}

{text}

- Input: {front_end}
- Output: {len(bundle.labels)} genres of GTZAN: {", ".join(bundle.labels)}
- Size: {size} bytes, int8. SHA-256 of model.tflite: `{bundle.sha256}`
- Made by: `{command}`

## Measured on {holdout["n"]} tracks of split `{bundle.metrics["holdout_split"]}`, none of them used for training

| figure | value |
| --- | --- |
| accuracy, int8 | {percent(holdout["accuracy"])} (95 % interval {percent(low)} to {percent(high)}) |
| accuracy, float before quantisation | {figure("float_accuracy")} |
| same answer int8 and float | {figure("int8_agreement")} |
| expected calibration error | {bundle.metrics["calibration_error"]} |
| tracks answered at threshold {bundle.threshold} | {figure("coverage")} |
| accuracy among those | {figure("accuracy_when_sure")} |

The temperature ({bundle.temperature}) and the threshold were chosen on the same tracks, so the last three rows are
a little kinder than new music will be.
{_random_splits(bundle)}
| genre | recall |
| --- | --- |
{rows}

Confusion (rows: truth, columns: heard as {", ".join(bundle.labels)}):

| | {" | ".join(label[:3] for label in bundle.labels)} |
| --- |{" --- |" * len(bundle.labels)}
{confusion}

## Data

{bundle.data}

## What it does not know

Ten Western genres of the 1950s to 2000, 30 s excerpts, mostly by artists of the English-speaking world. Speech, noise
and birdsong get a genre too; other genres and other cultures get the nearest of the ten. GTZAN's labels have known
faults (Sturm 2013): replicas, mislabellings, and many excerpts of one artist in one genre.

## Licence

{bundle.licence}
"""


def _random_splits(bundle: Bundle) -> str:
    splits = bundle.metrics.get("random_splits")
    if splits is None:
        return ""
    paper = "; the paper: 68 % test, 84 % train" if "paper" in bundle.name else ""
    return (
        f"\nOver {len(splits['test_accuracy'])} random 80/20 splits of all {splits['tracks']} tracks "
        f"(the paper's protocol; float, {splits['epochs']} epochs):\n"
        f"test {percent(splits['test_mean'])} on average, standard deviation {percent(splits['test_std'])}, train {percent(splits['train_mean'])}{paper}. Random splits put excerpts\n"
        "of one artist, even of one recording, in both halves: read them as an upper bound.\n"
    )
