"""Calibration: is a genre with a confidence of 80 % right in 80 % of the cases?"""

from dataclasses import dataclass

import numpy as np

from tools.study.tables import table
from tools.training import report

BINS = 10
MAX_SONG_ERROR, MAX_PATCH_ERROR = 0.04, 0.06  # targets


@dataclass(frozen=True)
class Bin:
    """A bin of probabilities: number of cases, mean probability, and mean observation, such as the share right."""

    number: int
    probability: float
    observed: float


def reliability(probability: np.ndarray, observed: np.ndarray) -> list[Bin]:
    """Return the non-empty ones of `BINS` equally wide bins.

    Args:
        probability: `(n,)`.
        observed: `(n,)`: whether the case occurred, or its true probability.
    """
    index = np.minimum((probability * BINS).astype(int), BINS - 1)
    chosen = [index == number for number in np.unique(index)]
    return [Bin(int(c.sum()), float(probability[c].mean()), float(observed[c].mean())) for c in chosen]


def calibration_error(bins: list[Bin]) -> float:
    """Return the expected calibration error (Guo et al. 2017): the mean distance of probability and observation."""
    return sum(b.number * abs(b.probability - b.observed) for b in bins) / sum(b.number for b in bins)


def reliability_table(bins: list[Bin], cases: str, probability: str, observed: str) -> str:
    """Return the table of the bins under the given names of its columns."""
    rows = [[report.percent(b.probability), b.number, report.percent(b.observed)] for b in bins]
    return table([probability, cases, observed], rows)


def genre_confidence(songs: np.ndarray, songs_true: np.ndarray, patches: np.ndarray, patches_true: np.ndarray) -> str:
    """Return the calibration of whole songs and of single patches, each with its table.

    Args:
        songs, patches: probabilities, `(n, labels)`.
        songs_true, patches_true: index of the true label, `(n,)`.
    """
    parts = []
    for cases, p, true, limit in (
        ("tracks", songs, songs_true, MAX_SONG_ERROR),
        ("single patches that are not silent", patches, patches_true, MAX_PATCH_ERROR),
    ):
        confidence, right = p.max(axis=1), p.argmax(axis=1) == true
        bins = reliability(confidence, right)
        error = calibration_error(bins)
        by_chance = ""
        if cases == "tracks":
            mean, most = report.calibration_error_by_chance(p, BINS)
            by_chance = (
                f" With perfect calibration, the\nerror of so few tracks is {mean} on average, and above {most} in 5 % "
                "of the cases."
            )
        parts.append(
            f"Expected calibration error of the {len(p)} {cases}: {error:.4f} ({met(error <= limit)}: at most {limit})."
            f"{by_chance}\nAccuracy {report.percent(float(right.mean()))}, mean confidence "
            f"{report.percent(float(confidence.mean()))}.\n\n"
            + reliability_table(bins, cases.removesuffix(" that are not silent"), "confidence", "accuracy")
        )
    return "\n\n".join(parts)


def met(is_met: bool) -> str:
    """Return whether a target is met, in words."""
    return "target met" if is_met else "target missed"
