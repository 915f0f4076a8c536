"""Agreement of a bundle's styles with the teacher's, on music from sources that were not trained on."""

import numpy as np
from sklearn.metrics import average_precision_score

from tools.study.confidence import BINS, calibration_error, met, reliability, reliability_table
from tools.study.tables import table
from tools.training import report

OCCURS = 0.3  # the teacher's mean probability of a song from which a style occurs in it
MIN_MEAN_PRECISION, MAX_ERROR = 0.6, 0.05  # targets


def average_precisions(bundle: np.ndarray, teacher: np.ndarray) -> dict[int, float]:
    """Return the average precision of the styles that occur in some songs, but not in all, by column.

    Args:
        bundle, teacher: mean probabilities, `(songs, styles)`.
    """
    occurs = teacher >= OCCURS
    chosen = np.flatnonzero(occurs.any(axis=0) & ~occurs.all(axis=0))
    return {int(i): float(average_precision_score(occurs[:, i], bundle[:, i])) for i in chosen}


def mean_calibration_error(bundle: np.ndarray, teacher: np.ndarray) -> float:
    """Return the mean of the styles' calibration errors; `bundle` and `teacher` are `(songs, styles)`."""
    errors = [calibration_error(reliability(p, q)) for p, q in zip(bundle.T, teacher.T, strict=True)]
    return float(np.mean(errors))


def against_labels(scores: np.ndarray, true: np.ndarray, styles: list[str]) -> str:
    """Return the table of the calibration of the styles that are genres, with the genres as truth.

    Args:
        scores: mean probabilities, `(songs, styles)`.
        true: whether a song's genre is the style, or one that it includes, `(songs, styles)`.
        styles: names of the columns.
    """
    rows, errors, by_chance = [], [], []
    for style, p, occurs in zip(styles, scores.T, true.T, strict=True):
        errors.append(report.occurrence_error(p, occurs))
        by_chance.append(report.calibration_error_by_chance(p[:, None], BINS)[0])
        own, others = (f"{p[chosen].mean():.2f}" if chosen.any() else "-" for chosen in (occurs, ~occurs))
        rows.append([style, occurs.sum(), own, others, f"{errors[-1]:.3f}"])
    header = ["style", "its songs", "mean probability", "that of other songs", "calibration error"]
    error = float(np.mean(errors))
    return f"""{table(header, rows)}

Each song is assumed to have the style of its genre and the style that includes it (metal: rock), and no others.
Mean calibration error of these styles: {error:.3f} ({met(error <= MAX_ERROR)}: at most {MAX_ERROR}). With perfect \
calibration, the
error of so few songs would be {np.mean(by_chance):.3f} on average."""


def agreement(bundle: np.ndarray, teacher: np.ndarray, styles: list[str]) -> str:
    """Return mean average precision, calibration error and their tables.

    Args:
        bundle, teacher: mean probabilities, `(songs, styles)`.
        styles: names of the columns.
    """
    precision, occurs = average_precisions(bundle, teacher), (teacher >= OCCURS).sum(axis=0)
    error, of_occurring = mean_calibration_error(bundle, teacher), ""
    if occurs.any():
        value = mean_calibration_error(bundle[:, occurs > 0], teacher[:, occurs > 0])
        of_occurring = f"; of the {(occurs > 0).sum()} that occur: {value:.4f}"
    return f"""{len(bundle)} songs of sources that were not trained on; {len(styles)} styles. A style occurs in a song
if the teacher's mean probability is at least {OCCURS:g}; a parent has at least its child's probability, in each patch.

- {_mean_precision(precision)}
- Mean calibration error of all styles: {error:.4f} ({met(error <= MAX_ERROR)}: at most {MAX_ERROR})\
{of_occurring}.

{_precisions(precision, occurs, len(bundle), styles)}All styles of all songs, by the bundle's probability:

{reliability_table(reliability(bundle.ravel(), teacher.ravel()), "styles of songs", "bundle", "teacher")}"""


def _mean_precision(precision: dict[int, float]) -> str:
    if not precision:
        return "Mean average precision: unknown, because no style occurs in some of the songs, but not in all."
    mean = float(np.mean(list(precision.values())))
    return (
        f"Mean average precision of the {len(precision)} styles that occur in some songs, but not in all: {mean:.3f} "
        f"({met(mean >= MIN_MEAN_PRECISION)}: at least {MIN_MEAN_PRECISION})."
    )


def _precisions(precision: dict[int, float], occurs: np.ndarray, n_songs: int, styles: list[str]) -> str:
    """Return the table of the styles' average precision, the most frequent ones first; "" without any."""
    if not precision:
        return ""
    rows = [
        [styles[i], occurs[i], f"{value:.3f}", f"{occurs[i] / n_songs:.3f}"]
        for i, value in sorted(precision.items(), key=lambda item: -occurs[item[0]])
    ]
    return table(["style", "songs", "average precision", "of a random order"], rows) + "\n\n"
