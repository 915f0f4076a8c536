"""ThreadedSource: reading in a separate thread, with a fake clock that only the source moves."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from genre_edge.audio.block import Block
from genre_edge.audio.live import queue, threaded
from genre_edge.audio.live.threaded import ThreadedSource
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError
from tests.conftest import TIMEOUT_S
from tests.helpers.station import eventually

RATE, BLOCK = 1024, 128  # binary fractions: the clock's arithmetic is exact
BLOCK_S = BLOCK / RATE


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Clock of the queue; stands still unless a test changes `now_s`."""
    clock = SimpleNamespace(now_s=0.0)
    monkeypatch.setattr(queue, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    return clock


class ScriptedSource(Source):
    """Source of `n_blocks` blocks whose samples are their positions; raises ValueError at the end or when closed."""

    name, rate, channels = "scripted", RATE, 1

    def __init__(self, n_blocks: int) -> None:
        self._n_blocks, self._closed = n_blocks, threading.Event()
        self.n_requested = 0

    def before(self, index: int) -> None:
        """Called in the capture thread before each block."""

    def blocks(self) -> Iterator[Block]:
        for i in range(self._n_blocks):
            self.before(i)
            if self._closed.is_set():
                break
            self.n_requested += 1
            yield Block(np.full(BLOCK, i * BLOCK, dtype=np.float32), self.rate, i * BLOCK)
        raise ValueError("I/O operation on closed file")

    def close(self) -> None:
        self._closed.set()


def acquire(semaphore: threading.Semaphore) -> None:
    assert semaphore.acquire(timeout=TIMEOUT_S), "the other thread hangs"


def read_to_end(blocks: Iterator[Block]) -> list[Block]:
    received = []
    with pytest.raises(AudioError, match="scripted: I/O operation on closed file"):
        for block in blocks:
            received.append(block)
    return received


def set_capacity(monkeypatch: pytest.MonkeyPatch, n_blocks: int) -> None:
    monkeypatch.setattr(threaded, "QUEUE_CAPACITY_S", n_blocks * BLOCK_S)


@pytest.mark.usefixtures("clock")
def test_fast_source_waits_for_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source ahead of real time waits for space in the queue, and nothing is dropped."""
    set_capacity(monkeypatch, 10)
    scripted = ScriptedSource(50)
    with ThreadedSource(lambda: scripted) as source:
        eventually(lambda: scripted.n_requested == 11)  # ten in the queue, one that waits
        received = read_to_end(source.blocks())
    assert [block.position for block in received] == list(range(0, 50 * BLOCK, BLOCK))
    assert not any(block.dropped for block in received)


def test_stalled_reader_loses_live_blocks(clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A live source never waits: while the reader stalls, what does not fit is dropped and counted."""
    first_read, resumed, stalled = (threading.Semaphore(0) for _ in range(3))

    class Live(ScriptedSource):
        def before(self, index: int) -> None:
            if index == 1:
                acquire(first_read)
            if index == 10:
                stalled.release()
                acquire(resumed)
            clock.now_s += BLOCK_S

    set_capacity(monkeypatch, 2)
    with ThreadedSource(lambda: Live(12)) as source:
        blocks = source.blocks()
        received = [next(blocks)]
        first_read.release()
        acquire(stalled)
        received += [next(blocks), next(blocks)]
        resumed.release()
        received += read_to_end(blocks)
    assert [(block.position // BLOCK, block.dropped // BLOCK) for block in received] == [
        (0, 0), (1, 0), (2, 0), (10, 7), (11, 0)
    ]  # fmt: skip
    assert all((block.samples == block.position).all() for block in received)


def test_late_source_may_be_ahead_again(clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that the network delays, and that then delivers faster than real time, loses nothing."""
    segment_read = threading.Semaphore(1)

    class Segmented(ScriptedSource):
        def before(self, index: int) -> None:
            if index % 20 == 0:
                acquire(segment_read)
                clock.now_s += 24 * BLOCK_S  # then 20 blocks at once

    set_capacity(monkeypatch, 8)
    received = []
    with ThreadedSource(lambda: Segmented(60)) as source, pytest.raises(AudioError):
        for block in source.blocks():
            received.append(block)
            if len(received) % 20 == 0:
                segment_read.release()
    assert [block.position for block in received] == list(range(0, 60 * BLOCK, BLOCK))
    assert not any(block.dropped for block in received)


def test_slow_reader_does_not_delay_live_source(clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that handles two blocks of three never makes a live source wait, and lags by the queue at most."""
    written, read = threading.Semaphore(0), threading.Semaphore(1)

    class Live(ScriptedSource):
        def before(self, index: int) -> None:
            if index % 3 == 0:
                if index:
                    written.release()
                acquire(read)
            clock.now_s += BLOCK_S

    set_capacity(monkeypatch, 4)
    received = []
    with ThreadedSource(lambda: Live(90)) as source:
        blocks = source.blocks()
        for _ in range(29):
            acquire(written)
            received += [next(blocks), next(blocks)]
            n_behind = round(clock.now_s / BLOCK_S) - received[-1].position // BLOCK - 1
            assert n_behind <= 4
            read.release()
        received += read_to_end(blocks)
    n_dropped = sum(block.dropped for block in received) // BLOCK
    assert sum(len(block.samples) for block in received) // BLOCK + n_dropped == 90
    assert 26 <= n_dropped <= 28  # in the last round the reader may take a block before it is dropped


@pytest.mark.usefixtures("clock")
def test_close_wakes_waiting_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing ends a capture thread that waits for space in the queue."""
    set_capacity(monkeypatch, 10)
    scripted = ScriptedSource(10**9)
    source = ThreadedSource(lambda: scripted)
    eventually(lambda: scripted.n_requested == 11)
    source.close()
    source._thread.join(TIMEOUT_S)
    assert not source._thread.is_alive()


def test_silent_source_times_out() -> None:
    """A source without samples is an error after the timeout."""

    class Silent(ScriptedSource):
        def before(self, index: int) -> None:
            self._closed.wait()

    with (
        ThreadedSource(lambda: Silent(1), timeout_s=0.02) as source,
        pytest.raises(AudioError, match=r"no samples for 0\.02 s"),
    ):
        next(source.blocks())


def test_queue_allocation_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure between opening and reading reaches the caller, and the source is closed."""

    def fail(*arguments: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr(threaded, "BoundedBlockQueue", fail)
    scripted = ScriptedSource(1)
    with pytest.raises(MemoryError):
        ThreadedSource(lambda: scripted)
    eventually(scripted._closed.is_set)
