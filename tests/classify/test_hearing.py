"""PatchExtractor against its naive twin, and who looks on while a source is heard."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.audio.block import Block
from genre_edge.classify.patches import PatchExtractor
from tests.helpers.audio import ArraySource, music
from tests.helpers.bundles import RATE, tiny
from tests.helpers.naive import patches as naive_patches


@settings(max_examples=200, deadline=None)
@given(
    n=st.integers(0, 60),
    length=st.integers(1, 12),
    hop=st.integers(1, 12),
    sizes=st.lists(st.integers(0, 30), min_size=1, max_size=6).filter(any),
)
def test_patches_under_any_cutting(n: int, length: int, hop: int, sizes: list[int]) -> None:
    hop = min(hop, length)
    frames = np.arange(2 * n, dtype=np.float32).reshape(2, n)
    cutter, found, at, turn = PatchExtractor(2, length, hop), [], 0, 0
    while at < n:
        size = sizes[turn % len(sizes)]
        found += [(first, patch.copy()) for first, patch in cutter.push(frames[:, at : at + size])]
        at, turn = at + size, turn + 1
    found += list(cutter.flush())
    expected = naive_patches(frames, length, hop)
    assert [first for first, _ in found] == [first for first, _ in expected]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("n", "starts"), [(8, [0]), (9, [0]), (10, [0]), (11, [0, 4]), (12, [0, 4]), (3, [0]), (0, [])]
)
def test_the_rest_counts_when_it_is_more_than_half_a_hop(n: int, starts: list[int]) -> None:
    cutter = PatchExtractor(1, 8, 4)
    frames = np.arange(n, dtype=np.float32)[None]
    found = [*cutter.push(frames), *cutter.flush()]
    assert [first for first, _ in found] == starts
    if n == 11:  # 7 frames from the 4th on, then again the 4th
        assert found[-1][1][0].tolist() == [4, 5, 6, 7, 8, 9, 10, 4]


def test_who_looks_at_frames_sees_all_of_them_and_changes_nothing() -> None:
    sound = music(4, RATE)
    seen: list[tuple[Block, np.ndarray]] = []

    def look(block: Block, frames: np.ndarray) -> None:
        seen.append((block, frames.copy()))

    plain, watched = (
        list(tiny().stream(ArraySource(sound, RATE, [1000, 777]), 0.5, on_frames=hook)) for hook in (None, look)
    )
    assert [replace(v, lag_ms=None) for v in plain] == [replace(v, lag_ms=None) for v in watched]
    np.testing.assert_array_equal(np.concatenate([block.samples for block, _ in seen]), sound)
    frames = np.concatenate([frames for _, frames in seen], axis=1)
    np.testing.assert_array_equal(frames, tiny().mel.db(sound)[:, : frames.shape[1]])
    assert frames.shape[1] >= len(sound) // 128 - 2
