"""`PatchExtractor` against its naive twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.classify.patches import PatchExtractor
from tests.helpers.naive import patches as naive_patches


@settings(max_examples=200, deadline=None)
@given(
    n=st.integers(0, 60),
    length=st.integers(1, 12),
    hop=st.integers(1, 12),
    sizes=st.lists(st.integers(0, 30), min_size=1, max_size=6).filter(any),
)
def test_extractor_any_chunk_sizes(n: int, length: int, hop: int, sizes: list[int]) -> None:
    """Patches equal those of the naive twin, for any chunk sizes."""
    hop = min(hop, length)
    frames = np.arange(2 * n, dtype=np.float32).reshape(2, n)
    extractor, patches, at, turn = PatchExtractor(2, length, hop), [], 0, 0
    while at < n:
        size = sizes[turn % len(sizes)]
        patches += [(first, patch.copy()) for first, patch in extractor.push(frames[:, at : at + size])]
        at, turn = at + size, turn + 1
    patches += list(extractor.flush())
    expected = naive_patches(frames, length, hop)
    assert [first for first, _ in patches] == [first for first, _ in expected]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(patches, expected, strict=True))


@pytest.mark.parametrize(
    ("n", "starts"), [(8, [0]), (9, [0]), (10, [0]), (11, [0, 4]), (12, [0, 4]), (3, [0]), (0, [])]
)
def test_extractor_last_patch(n: int, starts: list[int]) -> None:
    """The rest becomes a patch if it is more than half a hop."""
    extractor = PatchExtractor(1, 8, 4)
    frames = np.arange(n, dtype=np.float32)[None]
    patches = [*extractor.push(frames), *extractor.flush()]
    assert [first for first, _ in patches] == starts
    if n == 11:  # 7 frames from the 4th on, then the 4th again
        assert patches[-1][1][0].tolist() == [4, 5, 6, 7, 8, 9, 10, 4]
