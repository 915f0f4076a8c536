"""`StreamPredictor.run`: the order of patch results and gaps, and the frames that observers see."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from genre_edge.audio.block import Block
from genre_edge.classify.frontend import Discontinuity, FrameChunk, FrontEnd, whole_stream
from genre_edge.classify.inference import Gap, StreamPredictor
from genre_edge.classify.patches import PatchResult
from genre_edge.errors import AudioError
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model.prediction import Model
from tests.helpers.audio import ArraySource, BlockSource, Samples, music
from tests.helpers.bundles import HOP_S, PATCH_S, RATE, TINY, tiny
from tests.helpers.naive import patches as naive_patches

MODEL = Model(TINY)
MEL = MelSpectrogram(MODEL.bundle.mel)


def run(source: BlockSource | ArraySource) -> list[PatchResult | Gap]:
    return list(StreamPredictor(MODEL, FrontEnd(source, MEL).chunks()).run())


def results_of(items: list[PatchResult | Gap]) -> list[PatchResult]:
    return [result for item in items for result in (item.tail if isinstance(item, Gap) else [item])]


def naive_results(samples: Samples, origin_s: float) -> list[tuple[float, np.ndarray]]:
    """Return start and probabilities of each patch of one contiguous stretch, computed from the whole stretch."""
    frames = MEL.db(samples)
    patches = naive_patches(frames, 8, 4)
    if len(samples) < RATE:  # below a second, no patch is filled by repetition
        patches = [(first, patch) for first, patch in patches if first + 8 <= frames.shape[1]]
    return [(origin_s + first * 128 / RATE, MODEL.probabilities(patch)) for first, patch in patches]


def test_run_ends_with_final_gap() -> None:
    """A stream yields its patches in order, then one `Gap` with `is_end`."""
    *results, end = run(ArraySource(music(3, RATE), RATE, (1000,)))
    assert all(isinstance(item, PatchResult) for item in results)
    assert isinstance(end, Gap) and end.discontinuity == Discontinuity(0, RATE, 3.0, is_end=True)
    starts = [result.start_s for result in results_of([*results, end])]
    assert starts == pytest.approx([i * HOP_S for i in range(len(starts))])
    assert results_of([end])[-1].end_s == 3.0


def test_run_yields_gap_between_stretches() -> None:
    """A `Gap` separates the results before and after dropped samples, and has the last results before them."""
    before = music(2.08, RATE, 1)  # 131 frames: 31 whole patches and a rest of 3 frames
    blocks = [Block(before, RATE, 0), Block(music(1.5, RATE, 2), RATE, 5 * RATE, dropped=3 * RATE)]
    items = run(BlockSource(blocks, RATE))
    kinds = "".join("G" if isinstance(item, Gap) else "p" for item in items)
    assert kinds.strip("p") == "G" + "p" * kinds.strip("p").count("p") + "G" and kinds.endswith("G")
    gap = next(item for item in items if isinstance(item, Gap))
    assert gap.discontinuity == Discontinuity(3 * RATE, RATE, 5.0)
    assert gap.tail and gap.tail[-1].end_s == 2.08
    results = results_of(items)
    assert all(before.start_s < after.start_s for before, after in pairwise(results))
    assert not [result for result in results if result.start_s < 5 and result.end_s > 2.08]


def test_run_rate_change() -> None:
    """A change of the sampling rate is a `Gap` without dropped samples."""
    blocks = [Block(music(2, RATE), RATE, 0), Block(music(2, 48000), 48000, 2 * 48000)]
    gaps = [item.discontinuity for item in run(BlockSource(blocks, RATE)) if isinstance(item, Gap)]
    assert gaps == [Discontinuity(0, 48000, 2.0), Discontinuity(0, 48000, 4.0, is_end=True)]


def test_run_gap_before_first_block() -> None:
    """Samples dropped before the first block give a `Gap` without results."""
    first, *_ = items = run(BlockSource([Block(music(2, RATE), RATE, 4000, dropped=4000)], RATE))
    assert isinstance(first, Gap) and first.tail == [] and first.discontinuity.resume_s == 0.5
    assert results_of(items)[0].start_s == 0.5


@settings(max_examples=40, deadline=None)
@given(
    stretches=st.lists(st.tuples(st.integers(0, 9000), st.integers(1100, 14_000)), min_size=1, max_size=3),
    size=st.integers(500, 5000),
)
def test_run_equals_naive_twin(stretches: list[tuple[int, int]], size: int) -> None:
    """The results equal those of the patches of each stretch alone, shifted in time."""
    assume(all(dropped > 0 for dropped, _ in stretches[1:]))  # two stretches without a gap are one
    blocks, expected, gaps, position = [], [], [], 0
    for seed, (dropped, n) in enumerate(stretches):
        samples, position = music(n / RATE, RATE, seed)[:n], position + dropped
        expected += naive_results(samples, position / RATE)
        gaps += [(dropped, position / RATE)] if dropped else []
        for at in range(0, n, size):
            is_after_gap = at == 0 and dropped
            blocks.append(Block(samples[at : at + size], RATE, position + at, dropped if is_after_gap else 0))
        position += n
    items = run(BlockSource(blocks, RATE))
    actual = results_of(items)
    assert [result.start_s for result in actual] == pytest.approx([start_s for start_s, _ in expected])
    for result, (_, probabilities) in zip(actual, expected, strict=True):
        assert result.end_s <= result.start_s + PATCH_S + 1e-9
        assert result.probabilities is not None and np.array_equal(result.probabilities, probabilities)
    discontinuities = [item.discontinuity for item in items if isinstance(item, Gap)]
    assert [(gap.dropped_samples, gap.resume_s) for gap in discontinuities[:-1]] == gaps
    assert [gap.is_end for gap in discontinuities] == [False] * len(gaps) + [True]


def test_run_precomputed_frames() -> None:
    """`whole_stream` gives the results of the samples' own stream."""
    samples = music(3, RATE)
    items = list(StreamPredictor(MODEL, whole_stream(MEL.db(samples), 128, RATE)).run())
    expected = results_of(run(ArraySource(samples, RATE)))
    assert isinstance(items[-1], Gap) and items[-1].discontinuity.is_end
    actual = results_of(items)
    assert [result.start_s for result in actual] == [result.start_s for result in expected]
    pairs = zip(actual, expected, strict=True)
    assert all(np.array_equal(a.probabilities, b.probabilities) for a, b in pairs)  # type: ignore[arg-type]


def test_run_passes_errors_on() -> None:
    """An error of the source reaches the caller after the results before it."""

    def chunks() -> Iterator[FrameChunk]:
        yield FrameChunk(MEL.db(music(1, RATE)), RATE)
        raise AudioError("radio: lost")

    items = StreamPredictor(MODEL, chunks()).run()
    assert isinstance(next(items), PatchResult)
    with pytest.raises(AudioError, match="radio: lost"):
        list(items)


def test_on_frames_observes_without_changes() -> None:
    """`on_frames` receives all blocks and frames, and the verdicts stay the same."""
    samples = music(4, RATE)
    observed: list[tuple[Block, np.ndarray]] = []

    def observe(block: Block, frames: np.ndarray) -> None:
        observed.append((block, frames.copy()))

    plain, with_observer = (
        list(tiny().stream(ArraySource(samples, RATE, [1000, 777]), 0.5, on_frames=hook)) for hook in (None, observe)
    )
    assert [replace(v, lag_ms=None) for v in plain] == [replace(v, lag_ms=None) for v in with_observer]
    np.testing.assert_array_equal(np.concatenate([block.samples for block, _ in observed]), samples)
    frames = np.concatenate([frames for _, frames in observed], axis=1)
    np.testing.assert_array_equal(frames, tiny().mel.db(samples)[:, : frames.shape[1]])
    assert frames.shape[1] >= len(samples) // 128 - 2
