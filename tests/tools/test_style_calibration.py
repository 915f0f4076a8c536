"""Tests of the calibration of styles on labelled tracks."""

import numpy as np
import pytest

from tools.training import head
from tools.training.distillation import audioset, style_calibration

N = len(audioset.STYLES)
COLUMNS = {genre: list(audioset.STYLES).index(c) for genre, c in audioset.GENRES.items()}


def some_tracks(genres: list[str]) -> list[np.ndarray]:
    """Return features, which are log odds of the styles, of three patches of each track; a fifth seem to be rock."""
    rng, tracks = np.random.default_rng(0), []
    for genre in genres:
        rows = rng.normal(0, 0.1, (3, N))
        rows[:, COLUMNS[genre if rng.random() < 0.8 else "rock"]] += 3
        tracks.append(rows)
    return tracks


def probabilities(layer: head.LinearLayer, tracks: list[np.ndarray]) -> np.ndarray:
    return 1 / (1 + np.exp(-np.stack([layer(rows).mean(axis=0) for rows in tracks])))


def test_fit_raises_probabilities() -> None:
    """Too small probabilities are raised until they are as frequent as the labels; other styles change alike."""
    layer = head.LinearLayer(np.eye(N), np.full(N, -4.0))
    genres = [("jazz", "rock")[i % 2] for i in range(200)]
    tracks = some_tracks(genres)
    fitted = style_calibration.fit(layer, tracks, genres)
    p = probabilities(fitted, tracks)
    for genre in ("jazz", "rock"):
        assert p[:, COLUMNS[genre]].mean() == pytest.approx(0.5, abs=0.05)
    others = [i for i in range(N) if i not in (COLUMNS["jazz"], COLUMNS["rock"])]
    assert np.ptp(np.diag(fitted.weights)[others]) == 0 == np.ptp(fitted.bias[others])
    assert style_calibration.fit(layer, tracks, ["polka"] * 200) is layer


def test_fit_gives_each_genre_its_own_offset() -> None:
    """A style whose probabilities are far smaller than those of the others becomes as frequent as its genre."""
    bias = np.full(N, -2.0)
    bias[COLUMNS["blues"]] = -6.0
    genres = [("blues", "jazz", "metal")[i % 3] for i in range(240)]
    tracks = some_tracks(genres)
    fitted = style_calibration.fit(head.LinearLayer(np.eye(N), bias), tracks, genres)
    p = probabilities(fitted, tracks)
    for genre in ("blues", "jazz", "metal"):
        assert p[:, COLUMNS[genre]].mean() == pytest.approx(1 / 3, abs=0.05)


def test_slopes_and_offsets_have_the_lowest_loss() -> None:
    """No small change of a parameter lowers the penalised loss, computed here term by term."""
    rng = np.random.default_rng(0)
    z, weight = rng.normal(size=(60, 3)), rng.uniform(0.5, 1.5, 60)
    true = rng.random((60, 3)) < 1 / (1 + np.exp(-(z * [0.5, 1.0, 2.0] + [0.0, 1.0, -1.0])))
    (slope, offset), own = style_calibration._slopes_and_offsets(z, true, weight)

    def loss(parameters: np.ndarray) -> float:
        total = 0.0
        for k in range(3):
            log_slope, shift = parameters[2 + 2 * k : 4 + 2 * k]
            p = 1 / (1 + np.exp(-(np.exp(log_slope) * z[:, k] + shift)))
            total -= float(weight @ np.log(np.where(true[:, k], p, 1 - p)))
            for ridge, value, common in zip(style_calibration.RIDGE, (log_slope, shift), parameters[:2], strict=True):
                total += 0.5 * ridge * (value - common) ** 2
        return total

    best = np.array([np.log(slope), offset, *np.stack([np.log(own[0]), own[1]], axis=1).ravel()])
    changes = [sign * 0.05 * row for row in np.eye(len(best)) for sign in (-1, 1)]
    assert min(loss(best + change) for change in changes) > loss(best)


def test_error_on_folds_excludes_own_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each track's probabilities are those of a layer that is fitted to the other folds; metal is rock, too."""
    genres, fold = ["metal", "rock", "jazz", "jazz"] * 5, np.repeat(np.arange(5), 4)
    tracks = [np.full((1, N), float(i)) for i in range(20)]

    def fit(styles: head.LinearLayer, chosen: list[np.ndarray], names: list[str]) -> head.LinearLayer:
        (left_out,) = set(range(5)) - {int(rows[0, 0]) // 4 for rows in chosen}
        assert names == ["metal", "rock", "jazz", "jazz"] * 4
        weights, bias = np.zeros((N, N)), np.full(N, -50.0)
        bias[COLUMNS["metal"]] = 50.0 if left_out == 0 else -50.0
        return head.LinearLayer(weights, bias)

    monkeypatch.setattr(style_calibration, "fit", fit)
    error = style_calibration.error_on_folds(fit, tracks, genres, [fold])
    # jazz: 10 of 20 occur at probability 0. metal: 3 of the first fold do not occur at 1, 4 of the others do at 0.
    # rock: 2 of the first fold do not occur at 1, 8 of the others do at 0.
    assert error == pytest.approx(np.mean([10, 3 + 4, 2 + 8]) / 20, abs=1e-4)
    assert style_calibration.error_on_folds(fit, tracks, ["polka"] * 20, [fold]) is None


def test_a_song_has_the_styles_that_include_its_genre() -> None:
    """Metal is a kind of rock, rock is none of metal, and a genre that is no style has none."""
    true = style_calibration.has_style(["metal", "rock", "polka"], ["rock", "metal"])
    assert true.tolist() == [[True, True], [True, False], [False, False]]
