"""tools.paper.intervals against formulas and a bootstrap."""

import math

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the study needs the extra 'train'")
from tools.paper import intervals
from tools.paper.intervals import Outcomes
from tools.paper.results import Result


def result(correct: list[bool], artists: list[str], number: int = 0, protocol: str = "filtered") -> Result:
    return Result(protocol, number, 1.0, ["a"] * len(correct), artists, ["a" if c else "b" for c in correct])


def single_artists(n: int) -> list[str]:
    return [str(i) for i in range(n)]


def test_summary_of_single_track_artists_is_binomial() -> None:
    """With one track per artist, the interval is the binomial one with Student's t."""
    s = intervals.summary([result([True] * 60 + [False] * 40, single_artists(100))])
    half = 1.9842 * math.sqrt(0.6 * 0.4 / 99)  # Student's t, 99 degrees of freedom
    assert s.mean == pytest.approx(0.6) and s.spread == 0
    assert (s.low, s.high) == pytest.approx((0.6 - half, 0.6 + half), abs=1e-4)


def test_summary_counts_correlated_tracks_of_an_artist_once() -> None:
    """Ten tracks of one artist with the same outcome give the interval of one track."""
    few = intervals.summary([result([True] * 6 + [False] * 4, single_artists(10))])
    many = intervals.summary([result([True] * 60 + [False] * 40, [str(i // 10) for i in range(100)])])
    assert (many.low, many.high) == pytest.approx((few.low, few.high))


def test_summary_more_seeds_do_not_narrow_interval() -> None:
    """Identical outcomes with other seeds on the same tracks add no information."""
    right = [True] * 60 + [False] * 40
    once = intervals.summary([result(right, single_artists(100), 0)])
    thrice = intervals.summary([result(right, single_artists(100), seed) for seed in range(3)])
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))


def test_summary_varying_splits_widen_interval() -> None:
    """If only splits differ, the interval follows from their standard deviation."""
    shares = (0.4, 0.5, 0.6, 0.7, 0.8)
    results = [
        result([i < 1000 * share for i in range(1000)], [f"{k}.{i}" for i in range(1000)], k)
        for k, share in enumerate(shares)
    ]
    s = intervals.summary(results)
    assert s.mean == pytest.approx(0.6) and s.spread == pytest.approx(np.std(shares, ddof=1))
    assert s.high - s.mean == pytest.approx(2.776 * np.std(shares, ddof=1) / math.sqrt(5), rel=0.01)  # t over 5 splits


def test_summary_matches_bootstrap() -> None:
    """The interval agrees with a bootstrap over artists."""
    rng = np.random.default_rng(0)
    artist = rng.integers(60, size=400)
    skill = rng.uniform(0.2, 1, size=60)[artist]
    runs = [rng.random(400) < skill for _ in range(5)]
    s = intervals.summary([result(list(right), [str(a) for a in artist], k) for k, right in enumerate(runs)])
    of_track = np.mean(runs, axis=0)
    means = []
    for _ in range(3000):
        tracks = np.concatenate([np.flatnonzero(artist == a) for a in rng.integers(60, size=60)])
        means.append(of_track[tracks].mean())
    low, high = np.percentile(means, [2.5, 97.5])
    assert s.high - s.low == pytest.approx(high - low, rel=0.2)
    assert (s.high + s.low) / 2 == pytest.approx((low + high) / 2, abs=0.02)


def test_gap_is_paired_by_artist() -> None:
    """The interval of a gap follows from each artist's difference; a protocol does not differ from itself."""
    rng = np.random.default_rng(1)
    artists = [str(i // 4) for i in range(200)]
    easy = np.repeat(rng.random(50) < 0.6, 4)
    after = easy & (rng.random(200) < 0.9)
    x, y = (intervals.outcomes([[result(list(r), artists, protocol=p)]]) for r, p in ((easy, "clean"), (after, "b")))
    estimate = intervals.gap(x, y)
    assert estimate.value == pytest.approx(after.mean() - easy.mean())
    of_each = after.astype(float).reshape(-1, 4).mean(axis=1) - easy.reshape(-1, 4).mean(axis=1)
    assert estimate.high - estimate.value == pytest.approx(2.01 * of_each.std(ddof=1) / math.sqrt(50), rel=0.01)
    itself = intervals.gap(x, x)
    assert (itself.value, itself.low, itself.high) == pytest.approx((0, 0, 0), abs=1e-12)


def test_outcomes_averages_methods() -> None:
    """An outcome is the share of methods that are correct."""
    x = intervals.outcomes(
        [[result([True, True, False], single_artists(3))], [result([True, False, False], single_artists(3))]]
    )
    assert x.correct.tolist() == [1, 0.5, 0] and intervals.accuracy(x).value == pytest.approx(0.5)


def test_gap_within_genres_ignores_genre_difficulty() -> None:
    """All jazz is correct and all pop is wrong; most of `some` is jazz."""
    genre = np.array(["jazz"] * 100 + ["pop"] * 100)
    some = np.array([i % 100 < (80 if i < 100 else 20) for i in range(200)])
    right = (genre == "jazz").astype(float)
    x = Outcomes(np.array(["random-0"] * 200), np.array(single_artists(200)), genre, right)
    assert right[some].mean() - right[~some].mean() == pytest.approx(0.6)
    estimate = intervals.gap_within_genres(x, some, ~some)
    assert estimate is not None and (estimate.value, estimate.low, estimate.high) == pytest.approx((0, 0, 0), abs=1e-12)
    assert intervals.gap_within_genres(x, genre == "jazz", genre == "pop") is None


def test_gap_within_genres_uses_mantel_haenszel_weights() -> None:
    """The gap is the weighted mean of the genres' gaps, computed by hand."""
    genre = np.array(["jazz"] * 8 + ["pop"] * 4)
    some = np.array([True] * 4 + [False] * 4 + [True] + [False] * 3)
    right = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 1, 1, 0], dtype=float)
    estimate = intervals.gap_within_genres(
        Outcomes(np.array(["r"] * 12), np.array(single_artists(12)), genre, right), some, ~some
    )
    assert estimate is not None and estimate.value == pytest.approx((2 * 0.5 + 0.75 * (-2 / 3)) / 2.75)
    assert estimate.low < estimate.value < estimate.high
