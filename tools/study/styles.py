"""Agreement of a bundle's styles with the teacher's, on music from sources that were not trained on."""

import numpy as np
from sklearn.metrics import average_precision_score

from tools.study.confidence import calibration_error, met, reliability, reliability_table
from tools.study.tables import table

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


def agreement(bundle: np.ndarray, teacher: np.ndarray, styles: list[str]) -> str:
    """Return mean average precision, calibration error and their tables.

    Args:
        bundle, teacher: mean probabilities, `(songs, styles)`.
        styles: names of the columns.
    """
    precision, occurring = average_precisions(bundle, teacher), np.flatnonzero((teacher >= OCCURS).any(axis=0))
    rule = (
        f"{len(bundle)} songs of sources that were not trained on; {len(styles)} styles. A style occurs in a song if "
        f"the teacher's mean\nprobability is at least {OCCURS:g}; a parent has at least its child's probability, in "
        "each patch."
    )
    if not precision:
        return f"{rule} No style occurs in some of the songs and is absent from others."
    mean_precision = float(np.mean(list(precision.values())))
    error, of_occurring = (mean_calibration_error(bundle[:, i], teacher[:, i]) for i in (slice(None), occurring))
    occurs = (teacher >= OCCURS).sum(axis=0)
    rows = [
        [styles[i], occurs[i], f"{value:.3f}", f"{occurs[i] / len(bundle):.3f}"]
        for i, value in sorted(precision.items(), key=lambda item: -occurs[item[0]])
    ]
    return f"""{rule}

- Mean average precision of the {len(precision)} styles that occur in some songs, but not in all: {mean_precision:.3f} \
({met(mean_precision >= MIN_MEAN_PRECISION)}: at least {MIN_MEAN_PRECISION}).
- Mean calibration error of all styles: {error:.4f} ({met(error <= MAX_ERROR)}: at most {MAX_ERROR}); \
of the {len(occurring)} that occur: {of_occurring:.4f}.

{table(["style", "songs", "average precision", "of a random order"], rows)}

All styles of all songs, by the bundle's probability:

{reliability_table(reliability(bundle.ravel(), teacher.ravel()), "styles of songs", "bundle", "teacher")}"""
