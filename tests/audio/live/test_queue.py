"""BoundedBlockQueue: every sample arrives, or is counted where it was dropped."""

import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.audio.block import Block
from genre_edge.audio.live.queue import BoundedBlockQueue
from genre_edge.errors import AudioError
from tests.conftest import TIMEOUT_S

RATE = 1000


def ramp(first: int, n: int) -> np.ndarray:
    """Samples whose values are their positions."""
    return np.arange(first, first + n, dtype=np.float32)


@settings(max_examples=200, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(0, 400), st.integers(0, 50)),
            st.just(("read", 0, 0)),
        ),
        max_size=40,
    )
)
def test_queue_counts_every_sample(steps: list[tuple[str, int, int]]) -> None:
    """Every sample arrives unchanged, or is counted as dropped in its place."""
    queue = BoundedBlockQueue("card", RATE, 1.0, 0.01)
    reader, received, position, n_queued = queue.blocks(), [], 0, 0

    def read() -> None:
        nonlocal n_queued
        block = next(reader)
        n_queued -= len(block.samples)
        received.append(block)

    for step in steps:
        action, n, dropped = step
        if action == "put":
            queue.put(ramp(position + dropped, n), dropped)
            position += dropped + n
            n_queued += n if n_queued + n <= RATE else 0
            assert n_queued <= RATE
        elif not queue._blocks.empty():  # so that the reader never waits here
            read()
    queue.end()
    received += reader
    end = 0
    for block in received:
        end += block.dropped
        assert block.position == end and np.array_equal(block.samples, ramp(end, len(block.samples)))
        end += len(block.samples)
    assert end == position


def test_queue_drops_what_does_not_fit() -> None:
    """A stalled reader loses exactly the samples that do not fit."""
    queue = BoundedBlockQueue("card", RATE, 2.0, 0.01)
    for i in range(50):
        queue.put(ramp(100 * i, 100))
    queue.end()
    received = list(queue.blocks())
    assert [(block.position, block.dropped, len(block.samples)) for block in received[:20]] == [
        (100 * i, 0, 100) for i in range(20)
    ]
    (last,) = received[20:]
    assert (last.position, last.dropped, len(last.samples)) == (5000, 3000, 0)


def test_queue_times_out() -> None:
    """A source without samples is an error after the timeout."""
    with pytest.raises(AudioError) as caught:
        next(BoundedBlockQueue("card", RATE, 1.0, 0.02).blocks())
    assert str(caught.value) == "card: no samples for 0.02 s"


def test_queue_raises_error_after_last_block() -> None:
    """The reader gets the blocks before the error, and the first error only."""
    queue = BoundedBlockQueue("card", RATE, 1.0, TIMEOUT_S)
    queue.put(ramp(0, 5))
    queue.end(AudioError("card: unplugged"))
    queue.end(AudioError("card: too late"))
    reader = queue.blocks()
    assert len(next(reader).samples) == 5
    with pytest.raises(AudioError, match=r"^card: unplugged$"):
        next(reader)


def test_queue_two_threads() -> None:
    """A writer and a reader thread exchange all samples in order."""
    queue, received = BoundedBlockQueue("card", RATE, 1e6, TIMEOUT_S), list[Block]()
    reader = threading.Thread(target=lambda: received.extend(queue.blocks()), daemon=True)
    reader.start()
    for i in range(2000):
        queue.put(ramp(3 * i, 3))
    queue.end()
    reader.join(TIMEOUT_S)
    assert np.array_equal(np.concatenate([block.samples for block in received]), ramp(0, 6000))
    assert all(a.arrived_s <= b.arrived_s for a, b in pairwise(received))
