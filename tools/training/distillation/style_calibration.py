"""Calibration of the styles that are genres of labelled tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from genre_edge.model.bundle import Bundle
from tools.training import report
from tools.training.distillation import audioset
from tools.training.head import LinearLayer, Outputs

METRIC = "style_calibration"
RIDGE = 1.0, 0.3  # of the deviations of a style's logarithmic slope and offset from those of all styles
COMMON_RIDGE = 0.1  # of those of all styles, which have no limit if the genres are perfectly separated
_COLUMNS = {index: column for column, index in enumerate(audioset.STYLES)}
_LEAST = 1e-6  # probability, so that its logarithm is finite


@dataclass(frozen=True)
class Calibration:
    """Slope and offset of the log odds of each style, `(styles,)`."""

    slope: np.ndarray
    offset: np.ndarray

    def applied(self, layer: LinearLayer) -> LinearLayer:
        """Return the layer with calibrated log odds."""
        return LinearLayer(layer.weights * self.slope, layer.bias * self.slope + self.offset)

    def as_metric(self) -> dict[str, list[float]]:
        """Return slopes and offsets for the metrics of a bundle."""
        return {"slope": self.slope.round(6).tolist(), "offset": self.offset.round(6).tolist()}

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Calibration | None:
        """Return the calibration that a bundle's styles have; None if its metrics have none (until version 10)."""
        metric = bundle.metrics.get("refitted", bundle.metrics).get(METRIC)
        return metric and cls(np.array(metric["slope"]), np.array(metric["offset"]))

    def removed(self, layer: LinearLayer) -> LinearLayer:
        """Return the layer whose log odds `applied` calibrated."""
        return LinearLayer(layer.weights / self.slope, (layer.bias - self.offset) / self.slope)


def fit(styles: LinearLayer, tracks: Outputs, genres: Sequence[str], each: bool = True) -> Calibration:
    """Return the slopes and offsets with which the genres of tracks are likeliest (Platt 1999).

    AudioSet's labels are sparse: an annotator who was asked whether a clip is jazz seldom was asked whether it is
    swing, so the teacher's probabilities are too small. All styles get one slope and one offset; the styles that are
    genres of the tracks deviate from them as far as the labels require. All genres weigh the same. With fewer than two
    such genres, nothing changes.

    Args:
        styles: see `teacher_heads.style_layer`.
        tracks: features of each track's patches, each `(patches, features)`.
        genres: genre of each track.
        each: False for one slope and one offset for all styles.

    Raises:
        SystemExit: the log odds are not finite, or the fit does not converge.
    """
    labels, n = _known(genres), len(_COLUMNS)
    if len(labels) < 2:
        return Calibration(np.ones(n), np.zeros(n))
    # Without included styles: songs without a label for them would make all styles improbable
    alone = _Likelihood.of(styles, tracks, genres, labels, with_included=False)
    parameters = alone.most_likely([(None, None)] * 2 + [(0.0, 0.0)] * (2 * len(labels)))
    if each:
        likelihood = _Likelihood.of(styles, tracks, genres, labels, with_included=True)
        common = [(value, value) for value in parameters[:2]]
        parameters = likelihood.most_likely(common + [(None, None)] * (2 * len(labels)))
    return alone.calibration(parameters)


@dataclass(frozen=True)
class _Likelihood:
    """Penalised likelihood of the labels of tracks.

    Attributes:
        log_odds: of the styles in all patches, `(patches, styles)`.
        starts: index of each track's first patch, `(tracks,)`.
        own: columns of the styles that are labels, `(labels,)`.
        families: columns of each label's style and, if they count, of those that it includes.
        true: whether a track has the style of a label, `(tracks, labels)`.
        weight: of each track, `(tracks,)`.
    """

    log_odds: np.ndarray
    starts: np.ndarray
    own: np.ndarray
    families: list[np.ndarray]
    true: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(
        cls,
        styles: LinearLayer,
        tracks: Outputs,
        genres: Sequence[str],
        labels: Sequence[str],
        with_included: bool,
    ) -> _Likelihood:
        lengths = np.array([len(rows) for rows in tracks])
        weight = 1 / np.array([list(genres).count(genre) for genre in genres])
        own = np.array([_COLUMNS[audioset.GENRES[label]] for label in labels])
        alone = np.array(genres)[:, None] == np.array(labels)
        return cls(
            styles(np.concatenate(tracks)),
            np.cumsum(lengths) - lengths,
            own,
            [_family(label) for label in labels] if with_included else [column[None] for column in own],
            has_style(genres, _names(labels)) if with_included else alone,
            weight / weight.mean(),
        )

    def most_likely(self, bounds: list[tuple[float | None, float | None]]) -> np.ndarray:
        """Return the parameters with the lowest loss within bounds; see `calibration`."""
        start = np.array([0.0 if low is None else low for low, _ in bounds])
        found = minimize(self.loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
        if not np.isfinite(found.fun):
            raise SystemExit("the styles cannot be calibrated: their log odds are not finite")
        if not found.success:
            raise SystemExit(f"the styles cannot be calibrated: {found.message}")
        best: np.ndarray = found.x
        return best

    def calibration(self, parameters: np.ndarray) -> Calibration:
        """Return the slopes and offsets: the common ones, logarithmic slope first, then deviations from them."""
        common, deviations = parameters[:2], parameters[2:].reshape(2, -1)
        log_slope, offset = (np.full(self.log_odds.shape[1], value) for value in common)
        log_slope[self.own] += deviations[0]
        offset[self.own] += deviations[1]
        return Calibration(np.exp(log_slope), offset)

    def loss(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the negative logarithm of the likelihood with the penalty, and its gradient."""
        found = self.calibration(parameters)
        p = expit(self.log_odds * found.slope + found.offset)
        total, by_log_odds = 0.0, np.zeros_like(p)
        lengths, rows = np.diff(np.append(self.starts, len(p))), np.arange(len(p))
        for family, true in zip(self.families, self.true.T, strict=True):
            # A style is as probable as the most probable one that it includes
            highest = family[p[:, family].argmax(axis=1)]
            of_patches = p[rows, highest]
            of_tracks = np.clip(np.add.reduceat(of_patches, self.starts) / lengths, _LEAST, 1 - _LEAST)
            total -= float(self.weight @ np.log(np.where(true, of_tracks, 1 - of_tracks)))
            slope = self.weight * (of_tracks - true) / (of_tracks * (1 - of_tracks)) / lengths
            by_log_odds[rows, highest] += np.repeat(slope, lengths) * of_patches * (1 - of_patches)
        gradient = np.stack([(by_log_odds * self.log_odds).sum(axis=0) * found.slope, by_log_odds.sum(axis=0)])
        deviations = parameters[2:].reshape(2, -1)
        penalty, of_common = np.array(RIDGE)[:, None] * deviations, COMMON_RIDGE * parameters[:2]
        total += 0.5 * float((penalty * deviations).sum() + of_common @ parameters[:2])
        return total, np.concatenate([gradient.sum(axis=1) + of_common, (gradient[:, self.own] + penalty).ravel()])


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
    true, errors = has_style(genres, _names(labels)), []
    for fold in folds:
        p = np.empty(true.shape)
        for number in np.unique(fold):
            train = np.flatnonzero(fold != number)
            layer = fit(styles, [tracks[i] for i in train], [genres[i] for i in train]).applied(styles)
            for i in np.flatnonzero(fold == number):
                of_patches = expit(layer(tracks[i]))
                p[i] = [of_patches[:, _family(label)].max(axis=1).mean() for label in labels]
        errors += [report.occurrence_error(*columns) for columns in zip(p.T, true.T, strict=True)]
    return round(float(np.mean(errors)), 4)


def has_style(genres: Sequence[str], styles: Sequence[str]) -> np.ndarray:
    """Return whether songs of some genres have some styles, `(songs, styles)`: a song of metal is one of rock, too."""
    families = [audioset.family_classes(style) for style in styles]
    return np.array([[audioset.GENRES.get(genre) in family for family in families] for genre in genres])


def _known(genres: Sequence[str]) -> list[str]:
    """Return the genres that are styles, too, each once."""
    return [genre for genre in sorted(set(genres)) if genre in audioset.GENRES]


def _names(labels: Sequence[str]) -> list[str]:
    """Return the names of the styles of some genres."""
    return [audioset.STYLES[audioset.GENRES[label]].name for label in labels]


def _family(label: str) -> np.ndarray:
    """Return the columns of a genre's style and of all styles that it includes."""
    return np.array([_COLUMNS[index] for index in audioset.family_classes(*_names([label]))])
