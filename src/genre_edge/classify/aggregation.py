"""Aggregation of patch results into segments, and the schedule of verdicts."""

import math
from collections import deque
from collections.abc import Callable, Iterator

from genre_edge.classify.inference import Gap
from genre_edge.classify.patches import PatchResult, is_refused
from genre_edge.classify.verdict import Segment
from genre_edge.classify.vocabulary import Vocabulary
from genre_edge.classify.voting import Outcome, Shares, Vote

_TOLERANCE_S = 1e-6  # when times are compared, which are sums with rounding errors


class Aggregator:
    """Aggregation of all patches, or of those in the last `window_s` seconds, into one segment.

    The patches that are music vote (see `Vote`). Memory is constant, except for segments with an infinite window.

    Args:
        vocabulary: the bundle, and the names of genres, styles and sounds.
        keep_segments: keep a `Segment` for each patch.
        window_s: length of the sliding window in seconds, at least one patch; infinity for all patches.

    Attributes:
        start_s, end_s: start of the first patch and end of the last patch, in seconds; 0 before the first patch.
        segments: one segment for each patch; empty without `keep_segments`.
    """

    def __init__(self, vocabulary: Vocabulary, keep_segments: bool, window_s: float = math.inf) -> None:
        self._vocabulary, self._keep_segments = vocabulary, keep_segments
        self._window_s = max(window_s, vocabulary.bundle.patch_s)
        self._recent: deque[PatchResult] = deque()  # the results in a finite window
        self._vote = Vote(vocabulary)  # of all results; unused with a finite window
        self._has_patches = False
        self.start_s = self.end_s = 0.0
        self.segments: list[Segment] = []

    def add(self, result: PatchResult) -> None:
        """Add one patch's result."""
        self.end_s = result.end_s
        if not self._has_patches:
            self.start_s, self._has_patches = result.start_s, True
        if self._keep_segments:
            self.segments.append(self._segment(result.start_s, result.end_s, self._patch_outcome(result)))
        if math.isinf(self._window_s):
            self._vote.add(result)
            return
        self._recent.append(result)
        while self._is_expired(self._recent[0]):
            self._recent.popleft()
            del self.segments[:1]
        self.start_s = self._recent[0].start_s

    def result(self) -> tuple[Segment, Shares]:
        """Return the segment for the patches so far, and the shares of its time.

        Times are rounded to 1 ms, probabilities and shares to 4 digits. A window is counted again each time.
        """
        is_sliding = not math.isinf(self._window_s)
        vote = Vote(self._vocabulary, self._recent) if is_sliding else self._vote
        outcome = vote.outcome()
        return self._segment(self.start_s, self.end_s, outcome), outcome.shares

    def segment(self) -> Segment:
        """Return the segment for the patches so far."""
        return self.result()[0]

    def _is_expired(self, result: PatchResult) -> bool:
        return result.start_s < self.end_s - self._window_s - _TOLERANCE_S

    def _patch_outcome(self, result: PatchResult) -> Outcome:
        """Return the outcome for one patch."""
        probabilities = result.probabilities
        if probabilities is None:
            return Outcome(None, "silence", sound="silence")
        if is_refused(probabilities, self._vocabulary.bundle):
            return Outcome(probabilities, "not_music", sound=self._vocabulary.sound(probabilities))
        is_named = self._vocabulary.names(probabilities, self._vocabulary.best(probabilities))
        return Outcome(probabilities, None if is_named else "low_confidence")

    def _segment(self, start_s: float, end_s: float, outcome: Outcome) -> Segment:
        start_s, end_s = round(start_s, 3), round(end_s, 3)
        probabilities, reason = outcome.probabilities, outcome.reason
        if probabilities is None:
            return Segment(start_s, end_s, None, None, reason, [], sound=outcome.sound)
        best = self._vocabulary.genre(probabilities)
        return Segment(
            start_s,
            end_s,
            None if reason else best.genre,
            best.probability,
            reason,
            self._vocabulary.genres(probabilities),
            styles=[] if reason == "not_music" else self._vocabulary.styles(probabilities),
            sound=outcome.sound,
        )


class VerdictSchedule:
    """Schedule of verdicts: one is due after every `n_patches` patches, at an outage, and at the end of the stream.

    Args:
        new_aggregator: creates an empty aggregator.
        n_patches: patches from verdict to verdict; infinity for one verdict at the end.
        is_sliding: keep the aggregator, whose window slides, after a verdict; otherwise start a new one.
        outage_s: dropped samples of at least this many seconds end a verdict; infinity to aggregate across all gaps.
    """

    def __init__(
        self, new_aggregator: Callable[[], Aggregator], n_patches: float, is_sliding: bool, outage_s: float
    ) -> None:
        self._new_aggregator, self._n_patches = new_aggregator, n_patches
        self._is_sliding, self._outage_s = is_sliding, outage_s
        self._has_verdict = False
        self._restart()

    def push(self, item: PatchResult | Gap) -> Iterator[Aggregator]:
        """Process one item of `StreamPredictor.run`, and yield the aggregator each time that a verdict is due.

        The caller must read the aggregator before it continues. At the end of the stream, a verdict is due if there
        are patches without one, or if there was none before.
        """
        if isinstance(item, PatchResult):
            yield from self._add(item)
        elif item.discontinuity.is_outage(self._outage_s):
            yield from self._close(item)
        else:
            for result in item.tail:
                yield from self._add(result)

    def _restart(self) -> None:
        self._aggregator, self._n_new = self._new_aggregator(), 0

    def _add(self, result: PatchResult) -> Iterator[Aggregator]:
        self._aggregator.add(result)
        self._n_new += 1
        if self._n_new == self._n_patches:
            self._has_verdict = True
            yield self._aggregator
            self._n_new = 0
            if not self._is_sliding:
                self._restart()

    def _close(self, gap: Gap) -> Iterator[Aggregator]:
        """Yield the aggregator for the patches without a verdict, and start a new one."""
        for result in gap.tail:
            self._aggregator.add(result)
            self._n_new += 1
        if self._n_new or (gap.discontinuity.is_end and not self._has_verdict):
            self._has_verdict = True
            yield self._aggregator
        self._restart()
