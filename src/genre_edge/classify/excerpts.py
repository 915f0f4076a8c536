"""Classification of a file by excerpts that are spread over it, as many as its verdict needs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from genre_edge.audio.excerpts import ExcerptFile
from genre_edge.classify.frontend import FrontEnd
from genre_edge.classify.inference import Gap, StreamPredictor
from genre_edge.classify.patches import PatchResult, Probabilities
from genre_edge.classify.vocabulary import Vocabulary
from genre_edge.classify.voting import Outcome, Vote
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model.prediction import Model

MIN_LENGTH_S = 60.0  # of a file that is excerpted
FIRST_EXCERPTS = 5  # of one patch each
_MORE = 16  # then one more, or a sixteenth of those so far: the number of votes must not grow with the length
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
_FIRST_POSITION = 0.8  # relative to the file; the next ones are 0.42, 0.04, 0.65, 0.27
_MAX_UNSEEN_S = 30.0  # between excerpts of a file without music: a longer passage may be the music
_PRIOR_DEVIATION = 0.05  # of a genre's probability: a few excerpts may agree by chance


class ExcerptClassifier:
    """Classifier of the excerpts of one file.

    Args:
        model, mel, vocabulary: those of a `Classifier`.
        coverage: the largest share of the file to classify, 0 to 1.
    """

    def __init__(self, model: Model, mel: MelSpectrogram, vocabulary: Vocabulary, coverage: float) -> None:
        self._model, self._mel, self._vocabulary, self._coverage = model, mel, vocabulary, coverage

    def results(self, file: ExcerptFile) -> list[PatchResult] | None:
        """Return the results of the excerpts in the order of time; None if the file is too short for excerpts.

        Raises:
            AudioError: an excerpt cannot be decoded.
        """
        patch_s = self._model.bundle.patch_s
        if file.length_s < MIN_LENGTH_S:
            return None
        n_excerpts = max(FIRST_EXCERPTS, int(file.length_s * self._coverage / patch_s))
        starts = excerpt_starts(file.length_s, patch_s, n_excerpts)
        results: list[PatchResult] = []
        n_done, n_next = 0, FIRST_EXCERPTS
        while n_done < n_excerpts and not self._is_settled(results, file.length_s):
            results += self._classify(file, sorted(starts[n_done:n_next]))
            results.sort(key=lambda result: result.start_s)
            n_done, n_next = n_next, n_next + max(1, n_next // _MORE)
        return results

    def _classify(self, file: ExcerptFile, starts_s: list[float]) -> Iterator[PatchResult]:
        source = file.source(starts_s, self._model.bundle.patch_s)
        for item in StreamPredictor(self._model, FrontEnd(source, self._mel).chunks()).run():
            if isinstance(item, Gap):
                yield from item.tail
            else:
                yield item

    def _is_settled(self, results: list[PatchResult], length_s: float) -> bool:
        """Return True if more excerpts would hardly change the verdict.

        Each half of the results, every second one, must have the same verdict as all, and the confidence must be more
        than its standard error away from the threshold. Without a genre, a confidence below the threshold suffices.
        A file has no music if no excerpt has any, and no passage between them is long.
        """
        if not results:
            return False
        outcome = Vote(self._vocabulary, results).outcome()
        halves = (Vote(self._vocabulary, half).outcome() for half in (results[::2], results[1::2]))
        answer = self._answer(outcome)
        agree = all(self._answer(half) == answer for half in halves)
        if outcome.probabilities is None or outcome.reason not in (None, "low_confidence"):
            return not outcome.shares.music and agree and _longest_gap(results, length_s) <= _MAX_UNSEEN_S
        distance = self._vocabulary.distance(outcome.probabilities)
        is_clear = abs(distance) > self._standard_error(results, outcome.probabilities, length_s)
        return is_clear and (agree if outcome.reason is None else distance < 0)

    def _standard_error(self, results: list[PatchResult], mean: Probabilities, length_s: float) -> float:
        """Return the standard error of the best genre's mean probability; 0 once the whole file is classified."""
        best = self._vocabulary.best(mean)
        values = [self._vocabulary.part(r.probabilities)[best] for r in results if r.probabilities is not None]
        n, n_whole = len(values), max(1.0, length_s / self._model.bundle.patch_s)
        variance = float(np.var(values, ddof=min(1, n - 1))) + _PRIOR_DEVIATION**2
        return math.sqrt(variance / n * max(0.0, 1 - n / n_whole))

    def _answer(self, outcome: Outcome) -> tuple[str | None, str | None]:
        """Return the best genre and the reason of an outcome."""
        if outcome.probabilities is None:
            return None, outcome.reason
        return self._vocabulary.genre(outcome.probabilities).genre, outcome.reason


def _longest_gap(results: list[PatchResult], length_s: float) -> float:
    """Return the length in seconds of the longest passage without a result."""
    ends, starts = [0.0, *(result.end_s for result in results)], [*(result.start_s for result in results), length_s]
    return max(start - end for start, end in zip(starts, ends, strict=True))


def excerpt_starts(length_s: float, excerpt_s: float, n_excerpts: int) -> np.ndarray:
    """Return starts of excerpts of a file, in seconds, in an order in which any first k of them are spread evenly.

    Each one is a golden ratio of the file after the one before, and goes on at the file's beginning (a Kronecker
    sequence: Niederreiter, "Random Number Generation and Quasi-Monte Carlo Methods", 1992).
    """
    n_whole = max(n_excerpts, int(length_s / excerpt_s))
    chosen: dict[int, None] = {}  # an ordered set
    for i in itertools.count():
        if len(chosen) == n_excerpts:
            break
        chosen[int((_FIRST_POSITION + i * _GOLDEN_RATIO) % 1 * n_whole)] = None
    return np.array([*chosen]) * ((length_s - excerpt_s) / max(1, n_whole - 1))
