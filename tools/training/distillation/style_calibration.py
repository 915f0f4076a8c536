"""Calibration of the styles that are genres of labelled tracks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from genre_edge.model.preprocessing import logistic
from tools.training import report
from tools.training.distillation import audioset
from tools.training.head import LinearLayer, Outputs

RIDGE = 1.0, 0.3  # of the deviations of a style's logarithmic slope and offset from those of all styles
_COLUMNS = {index: column for column, index in enumerate(audioset.STYLES)}


def fit(styles: LinearLayer, tracks: Outputs, genres: list[str]) -> LinearLayer:
    """Return the styles' layer, scaled and shifted again to tracks whose genre is also a style.

    AudioSet's labels are sparse: an annotator who was asked whether a clip is jazz seldom was asked whether it is
    swing, so the teacher's probabilities are too small. All styles get one slope and one offset; the styles that are
    genres of the tracks deviate from them as far as the labels require. All genres weigh the same.

    Args:
        styles: see `teacher_heads.style_layer`.
        tracks: features of each track's patches, each `(patches, features)`.
        genres: genre of each track.
    """
    labels = _known(genres)
    if len(labels) < 2:
        return styles
    columns = [_COLUMNS[audioset.GENRES[label]] for label in labels]
    p = np.stack([logistic(styles(rows)[:, columns]).mean(axis=0) for rows in tracks])
    true = np.array(genres)[:, None] == np.array(labels)
    weight = 1 / np.array([genres.count(genre) for genre in genres])
    common, own = _slopes_and_offsets(np.log(p / (1 - p)), true, weight / weight.mean())
    slope, offset = (np.full(len(_COLUMNS), value) for value in common)
    slope[columns], offset[columns] = own
    return LinearLayer(styles.weights * slope, styles.bias * slope + offset)


def _slopes_and_offsets(z: np.ndarray, true: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the common slope and offset, `(2,)`, and those of each column, `(2, columns)`, of the highest likelihood.

    Args:
        z: log odds, `(k, columns)`.
        true: whether each case occurred, `(k, columns)`.
        weight: of each row, `(k,)`.
    """
    n = z.shape[1]

    def unpacked(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        common, deviations = parameters[:2], parameters[2:].reshape(2, n)
        return common, common[:, None] + deviations, deviations

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        _, (log_slope, offset), deviations = unpacked(parameters)
        slope = np.exp(log_slope)
        log_odds = slope * z + offset
        error = weight[:, None] * (logistic(log_odds) - true)
        gradient = np.stack([(error * z).sum(axis=0) * slope, error.sum(axis=0)])
        value = (weight[:, None] * (np.logaddexp(0, log_odds) - true * log_odds)).sum()
        penalty = np.asarray(RIDGE)[:, None] * deviations
        total = value + 0.5 * float((penalty * deviations).sum())
        return float(total), np.concatenate([gradient.sum(axis=1), (gradient + penalty).ravel()])

    common, own, _ = unpacked(minimize(loss, np.zeros(2 + 2 * n), jac=True, method="L-BFGS-B").x)
    return np.array([np.exp(common[0]), common[1]]), np.stack([np.exp(own[0]), own[1]])


def error_on_folds(
    styles: LinearLayer, tracks: Outputs, genres: list[str], folds: Sequence[np.ndarray]
) -> float | None:
    """Return the mean calibration error of the styles that are genres; None for fewer than two such genres.

    Args:
        styles, tracks, genres: see `fit`, which gets the tracks of the other folds.
        folds: for each division, fold of each track, `(tracks,)`.
    """
    labels = _known(genres)
    if len(labels) < 2:
        return None
    true, errors = has_style(genres, [audioset.STYLES[audioset.GENRES[label]].name for label in labels]), []
    for fold in folds:
        p = np.empty(true.shape)
        for number in np.unique(fold):
            train = np.flatnonzero(fold != number)
            layer = fit(styles, [tracks[i] for i in train], [genres[i] for i in train])
            for i in np.flatnonzero(fold == number):
                p[i] = _probabilities(layer, tracks[i], labels)
        errors += [report.occurrence_error(*columns) for columns in zip(p.T, true.T, strict=True)]
    return round(float(np.mean(errors)), 4)


def has_style(genres: Sequence[str], styles: Sequence[str]) -> np.ndarray:
    """Return whether songs of some genres have some styles, `(songs, styles)`: a song of metal is one of rock, too."""
    families = [audioset.family_classes(style) for style in styles]
    return np.array([[audioset.GENRES.get(genre) in family for family in families] for genre in genres])


def _known(genres: Sequence[str]) -> list[str]:
    """Return the genres that are styles, too, each once."""
    return [genre for genre in sorted(set(genres)) if genre in audioset.GENRES]


def _probabilities(layer: LinearLayer, rows: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Return the mean probabilities of the styles of some genres, `(labels,)`, for the features of a track's patches.

    A style has at least the probability of each style that it includes.
    """
    p = logistic(layer(rows))
    names = [audioset.STYLES[audioset.GENRES[label]].name for label in labels]
    families = [[_COLUMNS[index] for index in audioset.family_classes(name)] for name in names]
    return np.array([p[:, family].max(axis=1).mean() for family in families])
