"""Tests of the calibration of styles on labelled tracks."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from genre_edge.model.bundle import MODELS, Bundle
from genre_edge.model.preprocessing import logistic
from tools.training import head, report
from tools.training.distillation import audioset, style_calibration
from tools.training.distillation.style_calibration import Calibration

N = len(audioset.STYLES)
COLUMNS = {genre: list(audioset.STYLES).index(c) for genre, c in audioset.GENRES.items()}
PUNK = [style.name for style in audioset.STYLES.values()].index("punk")


def identity(bias: float = -4.0) -> head.LinearLayer:
    """Return the layer whose features are log odds less a bias."""
    return head.LinearLayer(np.eye(N), np.full(N, bias))


def some_tracks(genres: list[str], rng: np.random.Generator) -> list[np.ndarray]:
    """Return features, log odds of the styles, of one to six patches of each track; a fifth seem to be rock."""
    tracks = []
    for genre in genres:
        rows = rng.normal(0, 1, (rng.integers(1, 7), N))
        rows[:, COLUMNS[genre if rng.random() < 0.8 else "rock"]] += 3
        tracks.append(rows)
    return tracks


def mean_probability(layer: head.LinearLayer, tracks: list[np.ndarray], family: list[int]) -> np.ndarray:
    """Return the mean over a track's patches of the highest probability of some styles, `(tracks,)`."""
    return np.array([max_of(logistic(layer(rows)), family).mean() for rows in tracks])


def max_of(p: np.ndarray, family: list[int]) -> np.ndarray:
    return p[:, family].max(axis=1)


def test_fit_raises_probabilities() -> None:
    """Too small probabilities become as frequent as the labels, of which all genres have the same weight."""
    rng, genres = np.random.default_rng(0), ["jazz"] * 300 + ["rock"] * 100
    tracks = some_tracks(genres, rng)
    calibration = style_calibration.fit(identity(), tracks, genres)
    weight = np.where(np.array(genres) == "jazz", 1 / 300, 1 / 100)
    for genre in ("jazz", "rock"):
        p = mean_probability(calibration.applied(identity()), tracks, [COLUMNS[genre]])
        assert np.average(p, weights=weight) == pytest.approx(0.5, abs=0.05)
    common = style_calibration.fit(identity(), tracks, genres, each=False)
    assert np.ptp(common.slope) == 0 == np.ptp(common.offset)
    others = [i for i in range(N) if i not in (COLUMNS["jazz"], COLUMNS["rock"])]
    assert np.ptp(calibration.slope[others]) == 0 == np.ptp(calibration.offset[others])


def test_fit_gives_each_genre_its_own_offset() -> None:
    """A style whose probabilities are far smaller than those of the others becomes as frequent as its genre."""
    rng, genres = np.random.default_rng(0), [("blues", "jazz", "reggae")[i % 3] for i in range(600)]
    tracks = some_tracks(genres, rng)
    layer = identity(-2.0)
    layer.bias[COLUMNS["blues"]] = -6.0
    fitted = style_calibration.fit(layer, tracks, genres).applied(layer)
    for genre in ("blues", "jazz", "reggae"):
        assert mean_probability(fitted, tracks, [COLUMNS[genre]]).mean() == pytest.approx(1 / 3, abs=0.05)


def test_styles_without_labels_do_not_lower_the_others() -> None:
    """Punk in songs of blues, which no label explains, changes neither punk nor the styles that are no kind of rock."""
    rng, genres = np.random.default_rng(0), [("blues", "rock")[i % 2] for i in range(200)]
    tracks = some_tracks(genres, rng)
    with_punk = [rows + 4 * (genre == "blues") * np.eye(N)[PUNK] for rows, genre in zip(tracks, genres, strict=True)]
    usual, changed = (style_calibration.fit(identity(), each, genres) for each in (tracks, with_punk))
    for style in ("punk", "techno"):
        column = [s.name for s in audioset.STYLES.values()].index(style)
        assert changed.offset[column] == usual.offset[column] and changed.slope[column] == usual.slope[column]


def test_fit_without_known_genres() -> None:
    """Nothing is calibrated for genres that are no styles, or for a single one that is."""
    for genres in (["polka"] * 5, ["jazz", "polka"] * 3):
        calibration = style_calibration.fit(identity(), [np.zeros((1, N))] * len(genres), genres)
        assert (calibration.slope == 1).all() and (calibration.offset == 0).all()


def test_likelihood_and_gradient() -> None:
    """The loss is that of tracks whose metal is rock, computed one by one, and the gradient is its slope."""
    rng, genres = np.random.default_rng(0), ["metal", "rock", "jazz", "jazz"] * 3
    tracks, labels = some_tracks(genres, rng), ["jazz", "metal", "rock"]
    likelihood = style_calibration._Likelihood.of(identity(), tracks, genres, labels, with_included=True)
    parameters = rng.normal(0, 0.3, 8)
    fitted = likelihood.calibration(parameters).applied(identity())
    expected, deviations = 0.0, parameters[2:].reshape(2, 3)
    for k, label in enumerate(labels):
        family = [list(audioset.STYLES).index(c) for c in audioset.family_classes(label)]
        assert (len(family) > 2 and PUNK in family) == (label == "rock")
        for genre, p in zip(genres, mean_probability(fitted, tracks, family), strict=True):
            weight = {"metal": 4 / 3, "rock": 4 / 3, "jazz": 2 / 3}[genre]
            occurs = label in (genre, {"metal": "rock"}.get(genre))
            expected -= weight * np.log(p if occurs else 1 - p)
        ridge = style_calibration.RIDGE
        expected += 0.5 * (ridge[0] * deviations[0, k] ** 2 + ridge[1] * deviations[1, k] ** 2)
    expected += 0.5 * style_calibration.COMMON_RIDGE * (parameters[:2] ** 2).sum()
    value, gradient = likelihood.loss(parameters)
    assert value == pytest.approx(expected)
    steps = 1e-5 * np.eye(8)
    slopes = [(likelihood.loss(parameters + s)[0] - likelihood.loss(parameters - s)[0]) / 2e-5 for s in steps]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("each", [False, True])
def test_separable_genres_have_modest_slopes(each: bool) -> None:
    """Genres that are perfectly separated do not raise the slope and the offset of the other styles without limit."""
    genres = ["jazz", "rock"] * 10
    tracks = [np.full((1, N), 0.0) for _ in genres]
    for rows, genre in zip(tracks, genres, strict=True):
        rows[:, COLUMNS[genre]] = 1.5
    calibration = style_calibration.fit(identity(0.0), tracks, genres, each)
    assert 1 < calibration.slope.max() < 30 and np.abs(calibration.offset).max() < 30


def test_log_odds_that_are_not_finite_are_refused() -> None:
    with pytest.raises(SystemExit, match="not finite"):
        style_calibration.fit(identity(np.nan), [np.zeros((1, N))] * 4, ["jazz", "rock"] * 2)


def test_error_on_folds_excludes_own_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each track's probabilities are those of a layer that is fitted to the other folds; metal is rock, too."""
    genres, fold = ["metal", "rock", "jazz", "jazz"] * 5, np.repeat(np.arange(5), 4)
    tracks = [np.array([[float(i)] * N, [-100.0] * N]) for i in range(20)]

    def fit(styles: head.LinearLayer, chosen: list[np.ndarray], names: list[str]) -> Calibration:
        (left_out,) = set(range(5)) - {int(rows[0, 0]) // 4 for rows in chosen}
        assert names == ["metal", "rock", "jazz", "jazz"] * 4
        offset = np.full(N, -100.0)
        offset[COLUMNS["metal"]] = 50.0 if left_out == 0 else -100.0
        return Calibration(np.ones(N), offset)

    monkeypatch.setattr(style_calibration, "fit", fit)
    error = style_calibration.error_on_folds(identity(0.0), tracks, genres, [fold])
    # In the first fold, one of two patches of each track is metal, and so rock. Others are nothing.
    jazz, metal, rock = 10 / 20, (4 * abs(0.5 - 1 / 4) + 4) / 20, (4 * abs(0.5 - 2 / 4) + 8) / 20
    assert error == pytest.approx((jazz + metal + rock) / 3, abs=1e-4)
    assert style_calibration.error_on_folds(identity(), tracks, ["polka"] * 20, [fold]) is None


def test_a_song_has_the_styles_that_include_its_genre() -> None:
    """Metal is a kind of rock, rock is none of metal, and a genre that is no style has none."""
    true = style_calibration.has_style(["metal", "rock", "polka"], ["rock", "metal"])
    assert true.tolist() == [[True, True], [True, False], [False, False]]


def test_calibration_of_a_bundle_is_removed() -> None:
    """What a bundle's last fit applied is in its metrics; removing it gives the layer before."""
    rng = np.random.default_rng(0)
    layer = head.LinearLayer(rng.normal(size=(6, N)), rng.normal(size=N))
    calibration = Calibration(rng.uniform(0.5, 3, N), rng.normal(size=N))
    bundle = Bundle.load(MODELS / "edge")
    fitted = replace(bundle, metrics={"refitted": {style_calibration.METRIC: calibration.as_metric()}})
    found = Calibration.of_bundle(fitted)
    assert found is not None
    restored = found.removed(calibration.applied(layer))
    np.testing.assert_allclose(restored.weights, layer.weights, atol=1e-5)
    np.testing.assert_allclose(restored.bias, layer.bias, atol=1e-5)
    assert Calibration.of_bundle(replace(bundle, metrics={"refitted": {}, style_calibration.METRIC: 1})) is None


def test_occurrence_error() -> None:
    """Probabilities of one event and its frequencies differ by 0.2 for half of the cases and 0.05 for the others."""
    p, occurred = np.repeat([0.2, 0.75], 10), np.array([True] * 4 + [False] * 6 + [True] * 8 + [False] * 2)
    assert report.occurrence_error(p, occurred) == pytest.approx((0.2 + 0.05) / 2)
