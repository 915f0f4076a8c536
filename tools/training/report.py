"""Evaluation metrics: accuracy with its confidence interval, recall by genre, confusion, calibration."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from genre_edge.model.preprocessing import softmax


def wilson_interval(right: int, n: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a proportion (Wilson 1927)."""
    z = 1.959964
    share, centre = right / n, right / n + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, (centre - half) / (1 + z * z / n)), min(1.0, (centre + half) / (1 + z * z / n))


def classification_metrics(labels: list[str], true: list[str], predicted: Sequence[str | None]) -> dict[str, Any]:
    """Return `n`, `accuracy`, `ci95`, `per_genre` (recall), `labels`, `confusion` (rows true, columns predicted).

    A prediction of None (no verdict) counts as wrong and is in no column of the confusion matrix.
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
        "ci95": [round(limit, 4) for limit in wilson_interval(right, len(true))],
        "per_genre": {
            label: round(confusion[i][i] / totals[label], 4) if totals[label] else None
            for i, label in enumerate(labels)
        },
        "labels": labels,
        "confusion": confusion,
    }


def fit_temperature(logits: list[np.ndarray], true: np.ndarray) -> float:
    """Return the temperature that maximises the likelihood of the tracks' mean probabilities (Guo et al. 2017).

    Args:
        logits: `(patches, labels)` for each track.
        true: index of each track's label, `(tracks,)`.
    """
    rows = np.concatenate(logits)
    lengths = np.array([len(part) for part in logits])
    starts, tracks = np.cumsum(lengths) - lengths, np.arange(len(logits))

    def loss(temperature: float) -> float:
        sums = np.add.reduceat(softmax(rows, temperature), starts)
        return float(-np.log(sums[tracks, true] / lengths).sum())

    return round(float(min(np.exp(np.linspace(math.log(0.25), math.log(8), 121)), key=loss)), 3)


def track_means(logits: list[np.ndarray], temperature: float) -> np.ndarray:
    """Return the mean softmax over each track's patches, `(tracks, labels)`."""
    return np.stack([softmax(rows, temperature).mean(axis=0) for rows in logits])


def track_accuracy(logits: list[np.ndarray], true: np.ndarray) -> float:
    """Return the share of tracks whose class has the largest mean probability; `logits` are of each track's patches."""
    return float((track_means(logits, 1.0).argmax(axis=1) == true).mean())


def coverage(p: np.ndarray, true: np.ndarray, threshold: float) -> dict[str, float]:
    """Return the share of tracks with a confidence of at least `threshold`, and the accuracy among them."""
    confident = p.max(axis=1) >= threshold
    accuracy = float((p.argmax(axis=1) == true)[confident].mean()) if confident.any() else 0.0
    return {"coverage": round(float(confident.mean()), 4), "accuracy_when_sure": round(accuracy, 4)}


def coverage_curve(p: np.ndarray, true: np.ndarray) -> list[dict[str, float]]:
    """Return coverage and accuracy at thresholds from 0 to 0.9."""
    return [{"threshold": t / 10, **coverage(p, true, t / 10)} for t in range(10)]


def reliability(p: np.ndarray, true: np.ndarray, bins: int = 10) -> list[dict[str, float]]:
    """Return number, mean confidence and accuracy of the tracks in each non-empty bin of confidence, equally wide."""
    confidence, right = p.max(axis=1), p.argmax(axis=1) == true
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        {
            "tracks": int((index == b).sum()),
            "confidence": round(float(confidence[index == b].mean()), 4),
            "accuracy": round(float(right[index == b].mean()), 4),
        }
        for b in np.unique(index)
    ]


def calibration_error(p: np.ndarray, true: np.ndarray) -> float:
    """Return the expected calibration error over the bins of `reliability` (Guo et al. 2017)."""
    gaps = [abs(b["confidence"] - b["accuracy"]) * b["tracks"] for b in reliability(p, true)]
    return round(sum(gaps) / len(true), 4)


def occurrence_error(p: np.ndarray, occurred: np.ndarray) -> float:
    """Return the expected calibration error of one event: its probability in each case, and whether it occurred."""
    return calibration_error(p[:, None], np.where(occurred, 0, 1))


def calibration_error_by_chance(p: np.ndarray, bins: int = 10, draws: int = 2000) -> tuple[float, float]:
    """Return mean and 95 % quantile of `calibration_error` under perfect calibration, by simulation.

    With few tracks, the error is large even where every confidence equals the probability of being right.
    """
    confidence = p.max(axis=1)
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    right = np.random.default_rng(0).random((draws, len(p))) < confidence
    errors = np.abs((right - confidence) @ np.eye(bins)[index]).sum(axis=1) / len(p)
    return round(float(errors.mean()), 4), round(float(np.quantile(errors, 0.95)), 4)


def percent(share: float) -> str:
    """Format a share: 0.1234 -> "12.3 %"."""
    return f"{100 * share:.1f} %"


def as_table(report: dict[str, Any]) -> str:
    """Format the metrics of an evaluation, and its tracks if any, as plain text."""
    low, high = report["ci95"]
    width = max(map(len, report["labels"]))
    lines = [
        f"{report['n']} tracks, accuracy {percent(report['accuracy'])} "
        f"(95 % interval {percent(low)} to {percent(high)})",
        "",
        f"{'':{width}}  recall  predicted " + " ".join(label[:5].rjust(5) for label in report["labels"]),
    ]
    for label, row in zip(report["labels"], report["confusion"], strict=True):
        recall = report["per_genre"][label]
        text = "-" if recall is None else percent(recall)
        lines.append(f"{label:{width}}  {text:>6}            " + " ".join(str(n).rjust(5) for n in row))
    for track in report["tracks"]:
        lines.append(f"{track['track']}\t{track['true']}\t{track['predicted'] or '-'}\t{track['confidence'] or 0:.3f}")
    return "\n".join(lines)
