"""`Vote`: which patches vote, when no genre is named, shares of the time, and windows."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.classify.aggregation import Aggregator
from genre_edge.classify.patches import PatchResult
from genre_edge.classify.vocabulary import Vocabulary
from genre_edge.classify.voting import QUIET_DB, Outcome, Shares, Vote
from tests.helpers.bundles import HOP_S, PATCH_S, tiny

BUNDLE = replace(tiny().bundle, not_music=0.7)
THRESHOLD = 0.51  # not the mean of any votes below, so that rounding decides nothing
VOCABULARY = Vocabulary(BUNDLE, threshold=THRESHOLD)
PATCHES: dict[str, tuple[list[float] | None, float]] = {  # outputs and level in dB
    "a": ([0.8, 0.1, 0.1, 0.0], 0.0),
    "b": ([0.1, 0.8, 0.1, 0.0], 0.0),
    "c": ([0.1, 0.1, 0.8, 0.0], 0.0),
    "q": ([0.1, 0.1, 0.8, 0.0], -QUIET_DB - 2),  # quiet
    "d": ([0.1, 0.8, 0.1, 0.5], 0.0),  # doubtful
    "n": ([0.0, 1.0, 0.0, 0.9], 10.0),  # refused
    "s": (None, -90.0),
}


def results(kinds: str) -> list[PatchResult]:
    """Return overlapping patches, as `PatchPredictor` does."""
    patches = []
    for i, kind in enumerate(kinds):
        outputs, level_db = PATCHES[kind]
        follows = i > 0 and kinds[i - 1] == "n"
        probabilities = None if outputs is None else np.array(outputs)
        patches.append(PatchResult(i * HOP_S, i * HOP_S + PATCH_S, probabilities, level_db, follows))
    return patches


def outcome(kinds: str) -> Outcome:
    return Vote(VOCABULARY, results(kinds)).outcome()


def answer(kinds: str) -> str | None:
    """Return "a", "b" or "c" for the genre, or the reason."""
    found = outcome(kinds)
    return found.reason or "abc"[int(np.argmax(np.asarray(found.probabilities)[:3]))]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("aaaa", "a"),
        ("nnnnnnnnnaaaa", "a"),  # refused patches have no vote
        ("aaaannnnnnnnn", "a"),
        ("nnnnnaaaabnnnn", "a"),  # a patch that overlaps a refused one has none
        ("nnnbaaaa", "a"),
        ("aaabnnn", "a"),
        ("aaaaaadddnn", "a"),  # doubtful patches have none beside refused ones
        ("aaadddddddnn", "low_confidence"),  # but may dispute the genre
        ("aaddddd", "b"),  # they have one without
        ("nnnn", "not_music"),
        ("nnnndnddnnn", "not_music"),  # a voice that is sometimes taken for music
        ("nnnnnnnaannnn", "not_music"),  # little music
        ("aaan", "low_confidence"),  # few votes, but most of it is music
        ("nnaaba", "a"),  # two of three votes agree
        ("nnaaabb", "low_confidence"),  # two of four
        ("nnaaaaaabbb", "a"),  # more votes may disagree more
        ("nncabcabcabcab", "low_confidence"),
        ("ssss", "silence"),
        ("ssssaa", "a"),
        ("qqqqqqqqaaa", "a"),  # a quiet beginning is silence beside the loud part
        ("qqqqqqqqq", "c"),  # quiet music is music
        ("nnnqqqqqq", "c"),  # also beside loud speech
        ("", "too_short"),
    ],
)
def test_vote_answer(kinds: str, expected: str) -> None:
    """The genre is that of the clear music, or there is a reason."""
    assert answer(kinds) == expected


def test_vote_genre_of_mean_needs_patch() -> None:
    """A genre that only the mean of the probabilities names is not named."""
    rows = ([0.5, 0.1, 0.4, 0.0], [0.1, 0.5, 0.4, 0.0])
    patches = [PatchResult(i * HOP_S, i * HOP_S + PATCH_S, np.array(row)) for i, row in enumerate(rows)]
    found = Vote(Vocabulary(BUNDLE, threshold=0.35), patches).outcome()
    assert found.probabilities is not None and np.argmax(found.probabilities[:3]) == 2
    assert found.reason == "low_confidence"


def test_vote_all_music_is_plain_mean() -> None:
    """Without refused patches, the probabilities are the mean of all that are not silent, doubtful ones too."""
    patches = results("abdscda")
    expected = np.mean([p.probabilities for p in patches if p.probabilities is not None], axis=0)
    assert outcome("abdscda").probabilities == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("kinds", "shares"),
    [
        ("aaaa", (1.0, 0.0, 0.0)),
        ("nnnn", (0.0, 1.0, 0.0)),
        ("ssqa", (0.3, 0.0, 0.7)),  # the first and the last patch have three quarters, the others one half
        ("nnaa", (0.5, 0.5, 0.0)),
        ("nada", (0.5, 0.5, 0.0)),  # beside a refused patch, a doubtful one is not music
    ],
)
def test_vote_shares(kinds: str, shares: tuple[float, float, float]) -> None:
    """Shares of the time; patches that overlap share the overlap."""
    assert outcome(kinds).shares == Shares(*shares)


def test_vote_shares_unknown() -> None:
    """No shares without patches; a model without an output for it knows nothing about music."""
    assert outcome("").shares == Shares(None, None, None)
    patches = [
        replace(patch, probabilities=patch.probabilities[:3])
        for patch in results("ab")
        if patch.probabilities is not None
    ]
    assert Vote(Vocabulary(tiny().bundle), patches).outcome().shares == Shares(None, None, 0.0)


KINDS = st.text("abcdnsq", min_size=1, max_size=40)


@settings(max_examples=200, deadline=None)
@given(kinds=KINDS)
def test_vote_reversed_in_time(kinds: str) -> None:
    """The order of time does not matter."""
    forwards, backwards = outcome(kinds), outcome(kinds[::-1])
    assert forwards.reason == backwards.reason
    assert (forwards.probabilities is None) == (backwards.probabilities is None)
    if forwards.probabilities is not None:
        assert forwards.probabilities == pytest.approx(backwards.probabilities, abs=1e-12)
    for name in ("music", "not_music", "silence"):
        assert getattr(forwards.shares, name) == pytest.approx(getattr(backwards.shares, name), abs=2e-4)


@settings(max_examples=200, deadline=None)
@given(kinds=KINDS)
def test_vote_genre_is_a_segment_s(kinds: str) -> None:
    """A named genre is that of a segment; the shares have the sum 1; a single patch has its own answer."""
    aggregator = Aggregator(VOCABULARY, keep_segments=True)
    for result in results(kinds):
        aggregator.add(result)
        alone = Aggregator(VOCABULARY, keep_segments=False, window_s=0.0)
        alone.add(result)
        assert alone.segment() == aggregator.segments[-1]
    segment, shares = aggregator.result()
    assert segment.genre is None or segment.genre in {part.genre for part in aggregator.segments}
    assert (segment.genre is None) == (segment.reason is not None)
    assert sum([shares.music or 0, shares.not_music or 0, shares.silence or 0]) == pytest.approx(1, abs=2e-4)


@settings(max_examples=100, deadline=None)
@given(kinds=KINDS, n_window=st.integers(1, 8))
def test_vote_window_equals_its_patches(kinds: str, n_window: int) -> None:
    """A sliding window gives the result of its patches alone, whatever came before; memory is bounded."""
    window_s = PATCH_S + (n_window - 1) * HOP_S
    sliding = Aggregator(VOCABULARY, keep_segments=False, window_s=window_s)
    patches: list[Any] = results(kinds)
    for i, result in enumerate(patches):
        sliding.add(result)
        fresh = Aggregator(VOCABULARY, keep_segments=False)
        for inside in patches[max(0, i - n_window + 1) : i + 1]:
            fresh.add(inside)
        assert sliding.result() == fresh.result()
        assert len(sliding._recent) <= n_window


def test_vote_has_constant_memory() -> None:
    """The number of sums does not grow with the number of patches."""
    vote = Vote(VOCABULARY)
    for i, result in enumerate(results("aanndsqbc" * 200)):
        vote.add(replace(result, level_db=float(i % 50)))
    assert len(vote._sums) <= 6 * 50
