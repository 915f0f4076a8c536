"""The ring between capture and analysis: every sample arrives, or is counted where it was lost."""

import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.audio.block import Block
from genre_edge.audio.live.queue import BoundedBlockQueue
from genre_edge.errors import AudioError

RATE = 1000


def ramp(first: int, n: int) -> np.ndarray:
    """Samples that tell their own position."""
    return np.arange(first, first + n, dtype=np.float32)


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(0, 400), st.integers(0, 50)), st.tuples(st.just("read"), st.just(1))
        ),
        max_size=40,
    )
)
def test_every_sample_arrives_or_is_counted_in_its_place(steps: list[tuple]) -> None:
    ring = BoundedBlockQueue("card", RATE, 1.0, 0.01)
    reader, found, position, held = ring.blocks(), [], 0, 0

    def read() -> None:
        nonlocal held
        block = next(reader)
        held -= len(block.samples)
        found.append(block)

    for step in steps:
        if step[0] == "put":
            _, n, lost = step
            ring.put(ramp(position + lost, n), lost)
            position += lost + n
            held += n if held + n <= RATE else 0
            assert held <= RATE
        elif not ring._blocks.empty():  # the reader never waits here
            read()
    ring.end()
    found += reader
    at = 0
    for block in found:
        at += block.dropped
        assert block.position == at and np.array_equal(block.samples, ramp(at, len(block.samples)))
        at += len(block.samples)
    assert at == position


def test_a_stalled_reader_loses_exactly_what_does_not_fit() -> None:
    ring = BoundedBlockQueue("card", RATE, 2.0, 0.01)
    for i in range(50):
        ring.put(ramp(100 * i, 100))
    ring.end()
    found = list(ring.blocks())
    assert [(block.position, block.dropped, len(block.samples)) for block in found[:20]] == [
        (100 * i, 0, 100) for i in range(20)
    ]
    (last,) = found[20:]
    assert (last.position, last.dropped, len(last.samples)) == (5000, 3000, 0)


def test_a_silent_source_is_an_error_and_not_a_wait() -> None:
    with pytest.raises(AudioError) as caught:
        next(BoundedBlockQueue("card", RATE, 1.0, 0.02).blocks())
    assert str(caught.value) == "card: no samples for 0.02 s"


def test_the_sources_error_comes_after_its_last_block() -> None:
    ring = BoundedBlockQueue("card", RATE, 1.0, 1.0)
    ring.put(ramp(0, 5))
    ring.end(AudioError("card: gone"))
    ring.end(AudioError("card: too late"))
    reader = ring.blocks()
    assert len(next(reader).samples) == 5
    with pytest.raises(AudioError, match=r"^card: gone$"):
        next(reader)


def test_two_threads() -> None:
    ring, found = BoundedBlockQueue("card", RATE, 1e6, 5.0), list[Block]()
    reader = threading.Thread(target=lambda: found.extend(ring.blocks()))
    reader.start()
    for i in range(2000):
        ring.put(ramp(3 * i, 3))
    ring.end()
    reader.join(10)
    assert np.array_equal(np.concatenate([block.samples for block in found]), ramp(0, 6000))
    assert all(a.arrived_s <= b.arrived_s for a, b in pairwise(found))
