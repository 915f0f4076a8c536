"""`Vote`: which patches of a verdict are music, the mean of their probabilities, and the shares of the time."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from genre_edge.classify.patches import PatchResult, Probabilities, is_refused, not_music_probability
from genre_edge.classify.verdict import Reason
from genre_edge.classify.vocabulary import Vocabulary

QUIET_DB = 45.0  # a patch this far below the loudest music has no vote; it is silence beside that music
DOUBTFUL = 0.3  # probability of no music from which a patch has no vote if others are refused
MIN_VOTES = 3  # patches that must vote if others are refused
FEW_VOTES = 8  # below this number of votes, `AGREEMENT` of them must name the genre if other patches are refused
AGREEMENT = 2 / 3
MIN_SHARE = 0.05  # of the audible time that must be music if other patches are refused
_TOLERANCE_S = 1e-6  # of times, which are sums with rounding errors


class Kind(Enum):
    """Kind of a patch. Mixed patches overlap a refused one, so they may be a mixture of music and other sounds."""

    CLEAR = "music"
    DOUBTFUL = "music or not"
    MIXED = "mixture with music"
    MIXED_DOUBTFUL = "mixture without clear music"
    REFUSED = "not music"
    SILENT = "silence"


Row = NDArray[np.float64]
_MIXTURE = {Kind.CLEAR: Kind.MIXED, Kind.DOUBTFUL: Kind.MIXED_DOUBTFUL}


@dataclass(frozen=True)
class Shares:
    """Shares of the time that a verdict covers, 0 to 1, with the sum 1; None if unknown.

    Attributes:
        music: patches that are music.
        not_music: patches that the model refuses: speech, noise and other sounds together.
        silence: patches below the bundle's `silence_db`, or `QUIET_DB` below the loudest music.
    """

    music: float | None = None
    not_music: float | None = None
    silence: float | None = None


@dataclass(frozen=True)
class Outcome:
    """Result of a vote.

    Attributes:
        probabilities: mean of the patches that vote; if none does, of all that are not silent; None if all are silent.
        reason: why the best genre is not named, apart from its confidence; None if it may be named.
        shares: shares of the time.
        sound: what it is, if it is no music and the model knows.
    """

    probabilities: Probabilities | None
    reason: Reason | None
    shares: Shares = Shares()
    sound: str | None = None


class Vote:
    """Vote of the patches that are music. Memory is constant.

    A patch is silent, refused (its probability of no music reaches the bundle's `not_music`) or music. Where no patch
    is refused, all music votes. Otherwise patches that overlap a refused one and those that are doubtful do not vote,
    because their genre may be that of speech or noise. Patches that are far quieter than the loudest voter do not vote.

    Args:
        vocabulary: the bundle, and which genres a patch supports.
        results: the first patches, in order of time.
    """

    def __init__(self, vocabulary: Vocabulary, results: Iterable[PatchResult] = ()) -> None:
        self._vocabulary, self._bundle = vocabulary, vocabulary.bundle
        # By kind and level in whole dB: number of patches, seconds, probabilities, number of patches that support each
        # genre
        self._sums: dict[tuple[Kind, int], Row] = {}
        self._last: PatchResult | None = None  # not in the sums: the next patch may change its kind and its time
        self._last_kind, self._last_start_s = Kind.SILENT, 0.0
        for result in results:
            self.add(result)

    def add(self, result: PatchResult) -> None:
        """Add the next patch."""
        kind, start_s = self._kind(result), result.start_s
        if self._last is not None:
            overlap_s = self._last.end_s - result.start_s
            overlap_s = overlap_s if overlap_s > _TOLERANCE_S else 0.0
            start_s += overlap_s / 2  # half of the overlap is the time of each
            if overlap_s and self._last_kind is Kind.REFUSED:
                kind = _MIXTURE.get(kind, kind)
            # A single patch has its own answer; with a second one, the patch before the first counts, too.
            if (overlap_s and kind is Kind.REFUSED) or (not self._sums and self._last.follows_not_music):
                self._last_kind = _MIXTURE.get(self._last_kind, self._last_kind)
            key, row = self._last_row(self._last, overlap_s / 2)
            self._sums[key] = self._sums.get(key, 0.0) + row
        self._last, self._last_kind, self._last_start_s = result, kind, start_s

    def _kind(self, result: PatchResult) -> Kind:
        if result.probabilities is None:
            return Kind.SILENT
        if is_refused(result.probabilities, self._bundle):
            return Kind.REFUSED
        return Kind.CLEAR if not_music_probability(result.probabilities, self._bundle) < DOUBTFUL else Kind.DOUBTFUL

    def _last_row(self, last: PatchResult, overlap_s: float = 0.0) -> tuple[tuple[Kind, int], Row]:
        """Return the last patch's key and row; its last `overlap_s` seconds are the next patch's."""
        time = [1.0, max(0.0, last.end_s - overlap_s - self._last_start_s)]
        if last.probabilities is None:
            n_zeros = self._bundle.layout.n_probabilities + len(self._vocabulary.labels)
            return (Kind.SILENT, 0), np.array([*time, *[0.0] * n_zeros])
        supported = self._vocabulary.supported(last.probabilities)
        return (self._last_kind, math.floor(last.level_db)), np.concatenate([time, last.probabilities, supported])

    def outcome(self) -> Outcome:
        """Return the result for the patches so far."""
        if self._last is None:
            return Outcome(None, "too_short")
        sums = [*self._sums.items(), self._last_row(self._last)]
        votes, mixed, doubtful, refused, silence = self._totals(sums)
        audible = votes + mixed + doubtful + refused  # without votes, no patch is quiet
        shares = self._shares(votes + mixed, doubtful + refused, silence)
        if audible[0] == 0:
            return Outcome(None, "silence", shares, "silence")
        probabilities = self._mean(votes if votes[0] else audible)
        reason = self._reason(votes, mixed, doubtful, refused)
        sound = self._vocabulary.sound(self._mean(doubtful + refused)) if reason == "not_music" else None
        return Outcome(probabilities, reason, shares, sound)

    def _totals(self, sums: list[tuple[tuple[Kind, int], Row]]) -> tuple[Row, Row, Row, Row, Row]:
        """Return the sums of patches that vote, of mixed, doubtful (without a vote), refused and silent ones."""
        is_mixture = any(kind in (Kind.REFUSED, *_MIXTURE.values()) for (kind, _), _ in sums)
        voters = (Kind.CLEAR,) if is_mixture else (Kind.CLEAR, Kind.DOUBTFUL)
        quiet_db = max((level for (kind, level), _ in sums if kind in voters), default=-math.inf) - QUIET_DB
        votes, mixed, doubtful, refused, silence = (np.zeros(len(sums[0][1])) for _ in range(5))
        for (kind, level), row in sums:
            if kind is Kind.SILENT or (kind is not Kind.REFUSED and level < quiet_db):
                silence += row
            elif kind in voters:
                votes += row
            elif kind is Kind.MIXED:
                mixed += row
            elif kind is Kind.DOUBTFUL:
                doubtful += row
            else:
                refused += row
        return votes, mixed, doubtful, refused, silence

    def _mean(self, row: Row) -> Probabilities:
        mean: Probabilities = row[2 : 2 + self._bundle.layout.n_probabilities] / row[0]
        return mean

    def _reason(self, votes: Row, mixed: Row, doubtful: Row, refused: Row) -> Reason | None:
        """Return why no genre is named, or None."""
        n_votes, music_s, not_music_s = votes[0], (votes + mixed)[1], (doubtful + refused)[1]
        is_mixture = (mixed + refused)[0] > 0
        if is_mixture and (n_votes < MIN_VOTES or music_s < MIN_SHARE * (music_s + not_music_s)):
            return "not_music" if not_music_s > music_s + _TOLERANCE_S else "low_confidence"
        best = self._vocabulary.best(self._mean(votes))
        n_support = votes[-len(self._vocabulary.labels) :][best]  # the mean may prefer a genre that no patch supports
        if n_support == 0 or not self._names(votes, best):
            return "low_confidence"
        is_disputed = n_votes < FEW_VOTES and n_support < AGREEMENT * n_votes
        is_disputed |= not self._names(votes + doubtful, best)
        return "low_confidence" if is_mixture and is_disputed else None

    def _names(self, row: Row, label: int) -> bool:
        """Return True if the mean of a sum's patches names a genre."""
        return self._vocabulary.names(self._mean(row), label)

    def _shares(self, music: Row, not_music: Row, silence: Row) -> Shares:
        seconds = np.array([music[1], not_music[1], silence[1]])
        if seconds.sum() == 0:
            return Shares()
        shares = [round(float(share), 4) for share in seconds / seconds.sum()]
        return Shares(*shares) if self._bundle.not_music is not None else Shares(silence=shares[2])
