"""`Aggregator`'s window, and `VerdictSchedule` against its naive twin."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.classify.aggregation import Aggregator, VerdictSchedule
from genre_edge.classify.frontend import Discontinuity
from genre_edge.classify.inference import Gap
from genre_edge.classify.patches import PatchResult
from genre_edge.classify.vocabulary import Vocabulary
from tests.helpers.bundles import HOP_S, PATCH_S, tiny

RATE = 8000
OUTAGE = 1024  # dropped samples
PROBABILITIES = np.array([0.2, 0.3, 0.5])


def patch(i: int, probabilities: np.ndarray | None = PROBABILITIES) -> PatchResult:
    return PatchResult(i * HOP_S, i * HOP_S + PATCH_S, probabilities)


def test_aggregator_window_has_constant_memory() -> None:
    """Patches that have left the window are not stored."""
    aggregator = Aggregator(Vocabulary(tiny().bundle, threshold=0.0), keep_segments=True, window_s=2.0)
    for i in range(5000):
        aggregator.add(patch(i))
    assert len(aggregator.segments) == len(aggregator._recent) <= 2.0 / HOP_S + 1


def test_aggregator_without_patches_is_too_short() -> None:
    """Without patches, the segment has no genre and the reason `too_short`."""
    segment = Aggregator(Vocabulary(tiny().bundle, threshold=0.0), keep_segments=False).segment()
    assert (segment.start_s, segment.end_s, segment.genre, segment.reason) == (0.0, 0.0, None, "too_short")


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.none() | st.tuples(*[st.integers(0, 99)] * 3), min_size=1, max_size=30),
    n_window=st.integers(1, 12),
)
def test_aggregator_window_equals_naive_mean(rows: list[Any], n_window: int) -> None:
    """After each patch, the result is the mean of the audible patches that start within the window."""
    window_s = PATCH_S + (n_window - 1) * HOP_S
    aggregator = Aggregator(Vocabulary(tiny().bundle, threshold=0.0), keep_segments=False, window_s=window_s)
    outputs = [None if row is None else (np.array(row) + 1) / (sum(row) + 3) for row in rows]
    for i, output in enumerate(outputs):
        aggregator.add(patch(i, output))
        inside = outputs[max(0, i - n_window + 1) : i + 1]
        audible = [output for output in inside if output is not None]
        segment = aggregator.segment()
        assert segment.start_s == round(max(0, i - n_window + 1) * HOP_S, 3)
        assert segment.end_s == round(i * HOP_S + PATCH_S, 3)
        if audible:
            mean = dict(zip(tiny().bundle.labels, np.mean(audible, axis=0), strict=True))
            assert {g.genre: g.probability for g in segment.genres} == pytest.approx(mean, abs=6e-5)
        else:
            assert segment.reason == "silence"


class Recorder:
    """An aggregator that records the numbers of its patches."""

    def __init__(self) -> None:
        self.patches: list[int] = []

    def add(self, result: PatchResult) -> None:
        self.patches.append(round(result.start_s / HOP_S))


# A stream: "p" is a patch, the other letters are gaps with that many patches in their tail.
Stream = list[tuple[str, int]]
STREAMS = st.lists(
    st.just(("patch", 0)) | st.tuples(st.sampled_from(["short gap", "outage"]), st.integers(0, 3)), max_size=25
)


def items_of(stream: Stream) -> list[PatchResult | Gap]:
    items: list[PatchResult | Gap] = []
    n = 0
    for kind, n_tail in stream:
        if kind == "patch":
            items.append(patch(n))
            n += 1
        else:
            dropped = {"short gap": OUTAGE - 1, "outage": OUTAGE, "end": 0}[kind]
            tail = [patch(i) for i in range(n, n + n_tail)]
            items.append(Gap(Discontinuity(dropped, RATE, 0.0, is_end=kind == "end"), tail))
            n += n_tail
    return items


def naive_verdicts(stream: Stream, n_patches: float, is_sliding: bool, is_one_verdict: bool) -> list[list[int]]:
    """Return the patches of each verdict: cut the stream at its outages, then each part into intervals.

    The last patches of a part, those in the tail of the gap, all belong to the part's last verdict.
    """
    verdicts: list[list[int]] = []
    part: list[int] = []
    n = 0
    for kind, n_tail in stream:
        is_last = kind == "end" or (kind == "outage" and not is_one_verdict)
        new = [n] if kind == "patch" else list(range(n, n + n_tail))
        n += len(new)
        if not is_last:
            part += new
            continue
        n_whole = 0 if math.isinf(n_patches) else len(part) // int(n_patches)
        ends = [int((i + 1) * n_patches) for i in range(n_whole)]
        if len(part + new) > (ends[-1] if ends else 0):
            ends.append(len(part + new))
        starts = [0] * len(ends) if is_sliding else [0, *ends]
        verdicts += [(part + new)[start:end] for start, end in zip(starts, ends, strict=False)]
        part = []
    return verdicts or [[]]


@settings(max_examples=300, deadline=None)
@given(
    stream=STREAMS,
    n_last=st.integers(0, 3),
    n_patches=st.integers(1, 6) | st.just(math.inf),
    is_sliding=st.booleans(),
    is_one_verdict=st.booleans(),
)
def test_schedule_equals_naive_twin(
    stream: Stream, n_last: int, n_patches: float, is_sliding: bool, is_one_verdict: bool
) -> None:
    """Verdicts are due after `n_patches` patches, at an outage and at the end; a stream has at least one."""
    stream = [*stream, ("end", n_last)]
    outage_s = math.inf if is_one_verdict else OUTAGE / RATE
    schedule = VerdictSchedule(Recorder, n_patches, is_sliding, outage_s)  # type: ignore[arg-type]
    verdicts = [list(due.patches) for item in items_of(stream) for due in schedule.push(item)]  # type: ignore[attr-defined]
    assert verdicts == naive_verdicts(stream, n_patches, is_sliding, is_one_verdict)
