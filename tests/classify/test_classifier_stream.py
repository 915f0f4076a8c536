"""`Classifier.stream`: intervals, windows and gaps."""

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from genre_edge.audio.block import Block
from genre_edge.classify.classifier import Classifier
from genre_edge.classify.verdict import Verdict
from genre_edge.errors import ParameterError
from tests.helpers.audio import ArraySource, BlockSource, Samples, music, noise, tone
from tests.helpers.bundles import HOP_S, PATCH_S, RATE, tiny, variant


def verdicts(samples: Samples, interval_s: float, classifier: Classifier | None = None) -> list[Verdict]:
    return list((classifier or tiny()).stream(ArraySource(samples, RATE, (800,)), interval_s, segments=True))


@pytest.mark.parametrize("interval_s", [0.1, 0.5, 1.0, 2.5])
@pytest.mark.parametrize("hop_frames", [2, 4, 8])
def test_stream_interval_spacing(tmp_path: Path, interval_s: float, hop_frames: int) -> None:
    """Verdicts are one interval apart, rounded to patches."""
    classifier = Classifier(variant(tmp_path / "b", hop_frames=hop_frames))
    hop_s = hop_frames * 128 / RATE
    result = verdicts(music(20, RATE), interval_s, classifier)
    starts = [verdict.start_s for verdict in result]
    spacing = np.diff(starts)
    assert starts[0] == 0
    assert spacing[:-1].max() - spacing[:-1].min() < 0.0011
    assert abs(spacing[0] - interval_s) < hop_s + 0.001 or interval_s < hop_s


@pytest.mark.parametrize("n", [80_000, 80_100, 81_000, 87_999])
@pytest.mark.parametrize("interval_s", [0.5, 1.0, 3.0])
def test_stream_times_cover_source(n: int, interval_s: float) -> None:
    """The verdicts' times cover the source from start to end, in order."""
    result = verdicts(music(n / RATE, RATE), interval_s)
    assert result[0].start_s == 0
    assert n / RATE - HOP_S / 2 - 0.002 <= result[-1].end_s <= n / RATE + 0.001
    for verdict in result:
        assert (verdict.start_s, verdict.end_s) == (verdict.segments[0].start_s, verdict.segments[-1].end_s)
    for before, after in pairwise(result):
        assert 0 <= before.end_s - after.start_s <= PATCH_S - HOP_S + 0.0011


def test_stream_adjacent_patches(tmp_path: Path) -> None:
    """Patches without overlap give verdicts without overlap."""
    classifier = Classifier(variant(tmp_path / "b", hop_frames=8))
    result = verdicts(music(10, RATE), 0.128 * 4, classifier)
    assert [verdict.start_s for verdict in result[1:]] == [verdict.end_s for verdict in result[:-1]]
    assert {len(verdict.segments) for verdict in result[:-1]} == {4}


def result_of(verdict: Verdict) -> tuple[object, ...]:
    return verdict.start_s, verdict.end_s, verdict.genre, verdict.reason, verdict.genres


@pytest.mark.parametrize("window_s", [0, 1e-3, PATCH_S])
def test_window_of_one_patch(window_s: float) -> None:
    """A window of one patch gives the segments of the whole file."""
    samples = music(10, RATE)
    samples[3 * RATE : 5 * RATE] = 0
    (whole,) = verdicts(samples, math.inf)
    result = tiny().stream(ArraySource(samples, RATE, (333,)), HOP_S, window_s=window_s)
    assert [result_of(verdict) for verdict in result] == [
        (s.start_s, s.end_s, s.genre, s.reason, s.genres) for s in whole.segments
    ]


@pytest.mark.parametrize("window_s", [0.7, 2.0, 5.0])
def test_window_mean_of_its_patches(window_s: float) -> None:
    """A verdict is the mean of the patches in its window."""
    samples = music(9, RATE)
    (whole,) = verdicts(samples, math.inf)
    patches = [(s.start_s, s.end_s, s.genres) for s in whole.segments]
    for verdict in tiny().stream(ArraySource(samples, RATE, (800,)), 0.5, segments=True, window_s=window_s):
        inside = [p for p in patches if verdict.end_s - window_s - 0.002 <= p[0] and p[1] <= verdict.end_s]
        assert [(s.start_s, s.end_s, s.genres) for s in verdict.segments] == inside
        assert verdict.start_s == inside[0][0]
        for best in verdict.genres:
            of_patches = [next(g.probability for g in genres if g.genre == best.genre) for _, _, genres in inside]
            assert best.probability == pytest.approx(np.mean(of_patches), abs=2e-4)


@pytest.mark.parametrize("window_s", [-1, math.nan])
def test_window_negative(window_s: float) -> None:
    """A negative window is a ParameterError."""
    with pytest.raises(ParameterError, match="window_s must not be negative"):
        next(tiny().stream(ArraySource(music(1, RATE), RATE), window_s=window_s))


def test_window_after_long_gap() -> None:
    """A window after a long gap has no patches from before the gap."""
    blocks = [Block(music(4, RATE, 1), RATE, 0), Block(music(1, RATE, 2), RATE, 104 * RATE, dropped=100 * RATE)]
    *_, last = tiny().stream(BlockSource(blocks, RATE), 0.5, window_s=3.0)
    assert last.start_s >= 104 and last.dropped_samples == 100 * RATE


def test_stream_last_verdict_for_rest() -> None:
    """The last verdict is for the patches that remain."""
    whole = verdicts(music(2.5, RATE), math.inf)
    result = verdicts(music(2.5, RATE), 1.0)
    assert len(result) == 3
    assert result[-1].end_s - result[-1].start_s < 1.0
    assert [segment for verdict in result for segment in verdict.segments] == whole[0].segments


def test_stream_verdict_of_own_interval() -> None:
    """A verdict depends on the patches of its own interval only."""
    samples = np.concatenate([tone(hz, 2.048, RATE) + noise(16384, 0, 0.003) for hz in (150, 3000, 1000)])
    result = verdicts(samples, 0.5)
    middles = [(verdict.start_s + verdict.end_s) / 2 for verdict in result]
    for label, start_s in (("low", 0), ("high", 2.048), ("middle", 4.096)):
        inside = [v.genre for v, at in zip(result, middles, strict=True) if start_s + 0.4 < at < start_s + 1.6]
        assert set(inside) == {label} and len(inside) >= 2


def test_stream_is_lazy() -> None:
    """Verdicts are yielded while the source still runs."""
    yielded: list[int] = []

    def endless() -> Iterator[Block]:
        samples, position = music(0.1, RATE), 0
        while True:
            yielded.append(position)
            yield Block(samples, RATE, position)
            position += len(samples)

    stream = tiny().stream(BlockSource(endless(), RATE), 1.0)
    first, second = next(stream), next(stream)
    assert first.end_s < second.end_s and len(yielded) < 25
    assert first.lag_ms is not None and first.lag_ms >= 0


# -- gaps ------------------------------------------------------------------------------------------------------------


def with_gap(before: Samples, dropped: int, after: Samples, size: int = 800) -> BlockSource:
    """Return two stretches with a gap of `dropped` samples between them."""
    blocks = [Block(before[i : i + size], RATE, i) for i in range(0, len(before), size)]
    for i in range(0, len(after), size):
        blocks.append(Block(after[i : i + size], RATE, len(before) + dropped + i, dropped if i == 0 else 0))
    return BlockSource(blocks, RATE)


def shifted(verdict: Verdict, by_s: float) -> list[tuple[float, float, object]]:
    return [(round(s.start_s + by_s, 3), round(s.end_s + by_s, 3), s.genres) for s in verdict.segments]


@pytest.mark.parametrize("size", [1, 800, 10_000])
@pytest.mark.parametrize(("n", "dropped"), [(16_000, 8000), (16_123, 1), (12_345, 123_456)])
def test_gap_patches_and_times(n: int, dropped: int, size: int) -> None:
    """No patch spans a gap, and times include the dropped samples."""
    before, after = music(n / RATE, RATE, 1), music(2, RATE, 2)
    (verdict,) = tiny().stream(with_gap(before, dropped, after, max(size, 40)), math.inf, segments=True)
    origin_s = (len(before) + dropped) / RATE
    alone = [tiny().classify(ArraySource(part, RATE), segments=True) for part in (before, after)]
    expected = shifted(alone[0], 0) + shifted(alone[1], origin_s)
    result = shifted(verdict, 0)
    assert [genres for *_, genres in result] == [genres for *_, genres in expected]
    np.testing.assert_allclose([times[:2] for times in result], [times[:2] for times in expected], atol=0.0011)
    assert all(s.end_s <= len(before) / RATE + 0.001 or s.start_s >= origin_s - 0.001 for s in verdict.segments)
    assert verdict.dropped_samples == dropped
    assert verdict.end_s == pytest.approx(origin_s + 2, abs=0.001)


@pytest.mark.parametrize("window_s", [None, 0.0, 30.0])
def test_gap_outage_separates_verdicts(window_s: float | None) -> None:
    """No verdict spans an outage."""
    before, after = music(5.3, RATE, 1), music(4, RATE, 2)
    gap_s, dropped = len(before) / RATE, 100 * RATE
    result = list(tiny().stream(with_gap(before, dropped, after), 2.0, window_s=window_s))
    first = [verdict for verdict in result if verdict.start_s < gap_s]
    second = result[len(first) :]
    assert first[-1].end_s == pytest.approx(gap_s, abs=PATCH_S / 2) and first[-1].end_s < gap_s + 0.001
    assert min(verdict.start_s for verdict in second) >= gap_s + 100 - 0.001
    assert {v.dropped_samples for v in first} == {0} and {v.dropped_samples for v in second} == {dropped}
    alone = list(tiny().stream(ArraySource(before, RATE), 2.0, window_s=window_s))
    assert [(v.start_s, v.end_s, v.genres) for v in first] == [(v.start_s, v.end_s, v.genres) for v in alone]


def test_gap_shorter_than_patch() -> None:
    """A verdict spans a gap that is shorter than a patch."""
    dropped = int(0.9 * PATCH_S * RATE)
    result = list(tiny().stream(with_gap(music(1, RATE, 1), dropped, music(4, RATE, 2)), 4.0))
    assert result[0].start_s == 0 and result[0].end_s > 3


def test_gap_with_rate_change() -> None:
    """Times continue when a source resumes with another sampling rate."""
    before, after = music(2, RATE, 1), music(2, 48000, 2)
    blocks = [Block(before, RATE, 0), Block(after, 48000, 3 * 48000, dropped=48000)]
    (verdict,) = tiny().stream(BlockSource(blocks, RATE), math.inf, segments=True)
    parts = ((before, RATE), (after, 48000))
    alone = [tiny().classify(ArraySource(samples, rate), segments=True) for samples, rate in parts]
    assert shifted(verdict, 0) == shifted(alone[0], 0) + shifted(alone[1], 3)
    assert (verdict.end_s, verdict.dropped_samples) == (5.0, 48000)


def test_gap_counts_dropped_samples() -> None:
    """`dropped_samples` counts every dropped sample."""
    blocks, position = [], 0
    for i in range(60):
        dropped = 37 if i % 10 == 5 else 0
        position += dropped
        blocks.append(Block(music(0.1, RATE, i), RATE, position, dropped))
        position += 800
    result = list(tiny().stream(BlockSource(blocks, RATE), 1.0))
    counts = [verdict.dropped_samples for verdict in result]
    assert counts == sorted(counts) and counts[-1] == 6 * 37
    assert result[-1].end_s <= position / RATE + 0.001


def test_gap_before_first_block() -> None:
    """Samples dropped before the first block shift the times and are counted."""
    samples = music(2, RATE)
    late = BlockSource([Block(samples, RATE, 4000, dropped=4000)], RATE)
    (verdict,) = tiny().stream(late, math.inf, segments=True)
    assert verdict.dropped_samples == 4000
    assert (verdict.start_s, verdict.segments[0].start_s, verdict.end_s) == (0.0, 0.5, 2.5)


def test_start_in_the_middle() -> None:
    """A stream that starts in the middle of its source has the source's times, and no dropped samples."""
    blocks = [Block(music(0.5, RATE, i), RATE, 4000 + i * RATE // 2) for i in range(4)]
    (verdict,) = tiny().stream(BlockSource(blocks, RATE), math.inf, segments=True)
    assert verdict.dropped_samples == 0
    assert (verdict.start_s, verdict.segments[0].start_s, verdict.end_s) == (0.5, 0.5, 2.5)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_gap_short_stretches(level: float) -> None:
    """Stretches below a second yield their whole patches only."""
    blocks = [Block(music(0.5, RATE) * np.float32(level), RATE, i * 5000, 1000 if i else 0) for i in range(4)]
    (verdict,) = tiny().stream(BlockSource(blocks, RATE), math.inf, segments=True)
    starts = [segment.start_s for segment in verdict.segments]
    # 4000 samples are 32 frames: patches at 0, 4, ... 24, in each of the four stretches.
    assert starts == [round(i * 0.625 + k * HOP_S, 3) for i in range(4) for k in range(7)]


def test_gap_too_short_stretches() -> None:
    """Stretches without a whole patch give the reason `too_short`, and dropped samples are counted."""
    blocks = [Block(tone(440, 0.05, RATE), RATE, i * 500, 100 if i else 0) for i in range(5)]
    (verdict,) = tiny().stream(BlockSource(blocks, RATE), 1.0)
    assert (verdict.reason, verdict.dropped_samples, verdict.end_s) == ("too_short", 400, 0.3)


def test_decoded_length_over_rates() -> None:
    """The decoded length is that of all blocks, each at its own rate, without the dropped samples."""
    blocks = [
        Block(music(2, RATE), RATE, 0),
        Block(music(2, RATE), RATE, 5 * RATE, dropped=3 * RATE),
        Block(music(1, 2 * RATE), 2 * RATE, 16 * RATE, dropped=2 * RATE),
    ]
    (verdict,) = tiny().stream(BlockSource(blocks, RATE), math.inf)
    assert verdict.decoded_s == 5.0 and verdict.end_s == 9.0


def test_decoded_length_of_source() -> None:
    """The decoded length of a file is the one that its source compares with the expected length."""
    source = ArraySource(music(2, RATE), RATE)
    source.decoded_s, source.expected_s = 1.5, 1.75
    (verdict,) = tiny().stream(source, math.inf)
    assert (verdict.decoded_s, verdict.expected_s) == (1.5, 1.75)
