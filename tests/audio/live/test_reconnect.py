"""ReconnectingSource: outages are counted in their place, and at most one source is open."""

import errno
import logging
import os
import random
import threading
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.audio import block as block_module
from genre_edge.audio.block import Block
from genre_edge.audio.live import queue
from genre_edge.audio.live.queue import BoundedBlockQueue
from genre_edge.audio.live.reconnect import ReconnectingSource, RetryPolicy
from genre_edge.audio.source import Source
from genre_edge.errors import SourceLostError
from tests.conftest import TIMEOUT_S
from tests.helpers.failing_source import LONG_DELAY, NO_DELAY, OPEN, FailingSource, open_sequence, unplugged
from tests.helpers.station import eventually


def immediate(tries: int) -> RetryPolicy:
    """Policy without delays, under which one block is enough to be stable."""
    return RetryPolicy(initial_delay_s=0.0, max_delay_s=0.0, tries=tries, stable_s=0.0)


def read_until_lost(source: ReconnectingSource) -> list[Block]:
    blocks = []
    with source, pytest.raises(SourceLostError):
        for block in source.blocks():
            blocks.append(block)
    assert not OPEN
    return blocks


def test_outage_is_dropped_between_its_blocks() -> None:
    """The samples missed in an outage are dropped just before the next block."""
    open_source = open_sequence(
        lambda: FailingSource(100, [(10.0, 100), (11.0, 100)]),
        unplugged,
        lambda: FailingSource(100, [(15.0, 100), (16.0, 50)], error="card: unplugged"),
        lambda: FailingSource(100, [(17.5, 100)]),
    )
    blocks = read_until_lost(ReconnectingSource("radio", open_source, immediate(3)))
    assert [(block.position, block.dropped, len(block.samples)) for block in blocks] == [
        (0, 0, 100),
        (100, 0, 100),
        (500, 300, 100),  # 4 s from arrival to arrival, of which the block itself is 1 s
        (600, 0, 50),
        (700, 50, 100),
    ]


def test_outage_after_stalled_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage starts when the last dropped samples arrived, not when the stalled reader got their count."""
    now_s = 10.0
    monkeypatch.setattr(queue, "time", SimpleNamespace(monotonic=lambda: now_s))
    monkeypatch.setattr(block_module, "time", SimpleNamespace(monotonic=lambda: now_s))

    class Stalled(FailingSource):
        def blocks(self) -> Iterator[Block]:
            nonlocal now_s
            full = BoundedBlockQueue("card", 100, 2.0, 1.0)
            for now_s in map(float, range(11, 16)):  # noqa: B007 (the clock)
                full.put(np.zeros(100, dtype=np.float32))
            full.end()
            now_s = 30.0  # the reader resumes
            yield from full.blocks()

    open_source = open_sequence(lambda: Stalled(100, []), lambda: FailingSource(100, [(31.0, 100)]))
    blocks = read_until_lost(ReconnectingSource("card", open_source, immediate(2)))
    assert [(b.position, b.dropped, len(b.samples)) for b in blocks] == [
        (0, 0, 100),
        (100, 0, 100),
        (500, 300, 0),
        (2000, 1500, 100),  # from 15 s to 30 s
    ]


def test_samples_dropped_by_source_count_once() -> None:
    """Samples that the reopened source itself reports as dropped are not counted again as part of the outage."""

    class Late(FailingSource):
        def blocks(self) -> Iterator[Block]:
            yield Block(np.zeros(100, dtype=np.float32), 100, 300, 300, 20.0)

    open_source = open_sequence(lambda: FailingSource(100, [(10.0, 100)]), lambda: Late(100, []))
    blocks = read_until_lost(ReconnectingSource("card", open_source, immediate(2)))
    assert [(b.position, b.dropped) for b in blocks] == [(0, 0), (1000, 900)]


def test_rate_change_keeps_time() -> None:
    """Positions in seconds continue if the source returns with another rate."""
    open_source = open_sequence(
        lambda: FailingSource(100, [(1.0, 100)]), lambda: FailingSource(400, [(4.0, 400), (4.5, 200)])
    )
    blocks = read_until_lost(ReconnectingSource("radio", open_source, immediate(2)))
    assert [(b.rate, b.position / b.rate, b.dropped / b.rate) for b in blocks] == [
        (100, 0, 0), (400, 3, 2), (400, 4, 0)
    ]  # fmt: skip


def test_wait_before_first_sample_is_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    """No samples count as dropped before a source delivers its first one, as at boot."""
    open_source = open_sequence(*[unplugged] * 5, lambda: FailingSource(100, [(60.0, 10)]))
    blocks = read_until_lost(ReconnectingSource("radio", open_source, immediate(8)))
    assert [(block.position, block.dropped) for block in blocks] == [(0, 0)]
    assert [record.getMessage() for record in caplog.records] == [
        "card: no such device; trying again",
        "radio: connected",
        "radio: the source has ended; trying again",
    ]


def test_log_has_two_lines_per_outage(caplog: pytest.LogCaptureFixture) -> None:
    """A thousand outages are counted exactly, with at most two log lines each."""
    caplog.set_level(logging.WARNING)
    rng = random.Random(0)

    def open_at(arrived_s: float) -> Source:
        error = rng.choice([None, "card: failed"])
        return FailingSource(100, [(arrived_s, 100), (arrived_s + 1, 100)], error)

    openings: list[Callable[[], Source]] = []
    clock = 0.0
    for _ in range(1000):
        openings += [unplugged] * rng.randrange(3)
        clock += 5
        openings.append(partial(open_at, clock))
    source = ReconnectingSource("radio", open_sequence(*openings), immediate(4))
    blocks = read_until_lost(source)
    assert len(blocks) == 2000 and source.outages in (1000, 1001)
    assert sum(block.dropped for block in blocks) == 999 * 300
    assert blocks[-1].position + 100 == 200 * 1000 + 999 * 300
    assert len(caplog.records) <= 2 * 1001


def test_tries_count_from_last_stable_audio() -> None:
    """Stable audio resets the number of failed attempts."""
    open_source = open_sequence(
        unplugged, unplugged, lambda: FailingSource(100, [(1.0, 1)]), unplugged, lambda: FailingSource(100, [])
    )
    with pytest.raises(SourceLostError) as caught:
        list(ReconnectingSource("radio", open_source, immediate(4)).blocks())
    assert str(caught.value) == "card: unplugged; giving up after 4 failed attempts"


@settings(deadline=None)
@given(failures=st.integers(1, 5000), jitter=st.floats(0, 1))
def test_delay_doubles_up_to_maximum(failures: int, jitter: float) -> None:
    """The delay doubles with each failure up to the maximum, less the jitter."""
    retry = RetryPolicy(initial_delay_s=0.5, max_delay_s=60.0, jitter=jitter)
    full_s = min(60.0, 0.5 * 2 ** min(failures - 1, 10))
    assert full_s * (1 - jitter) <= retry.delay_s(failures) <= full_s


def test_close_ends_delay() -> None:
    """Closing ends the delay before the next attempt: the reader thread ends."""
    source = ReconnectingSource("radio", open_sequence(lambda: FailingSource(100, [(1.0, 1)])), LONG_DELAY)
    blocks: list[Block] = []
    reader = threading.Thread(target=lambda: blocks.extend(source.blocks()), daemon=True)
    reader.start()
    eventually(lambda: source.outages)
    source.close()
    reader.join(TIMEOUT_S)
    assert not reader.is_alive() and len(blocks) == 1 and not OPEN


def test_close_ends_opening(caplog: pytest.LogCaptureFixture) -> None:
    """Closing ends an `open` that waits in another thread, without a further log line."""
    caplog.set_level(logging.WARNING)
    source = ReconnectingSource("radio", unplugged, LONG_DELAY, wait=False)
    assert source.outages == 0 and not source.closed
    opener = threading.Thread(target=source.open, daemon=True)
    opener.start()
    eventually(lambda: source.failures)
    source.close()
    opener.join(TIMEOUT_S)
    assert not opener.is_alive() and source.closed and list(source.blocks()) == []
    assert [record.message for record in caplog.records] == ["card: no such device; trying again"]


def test_source_opened_after_close_is_closed() -> None:
    """A source whose opening succeeds after `close` is closed at once."""

    def open_slowly() -> Source:
        source.close()
        return FailingSource(100, [(1.0, 1)])

    source = ReconnectingSource("radio", open_slowly, NO_DELAY, wait=False)
    source.open()
    assert not OPEN and list(source.blocks()) == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "Too many open files"),
        (OSError("odd"), "odd"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
    ],
)
def test_exhaustion_is_failed_attempt(error: Exception, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """A lack of descriptors, memory or threads is a failed attempt, in opening and in reading."""

    class Exhausted(FailingSource):
        def blocks(self) -> Iterator[Block]:
            yield from super().blocks()
            raise error

    def fail() -> Source:
        raise error

    open_source = open_sequence(fail, lambda: Exhausted(100, [(1.0, 100)]), lambda: FailingSource(100, [(3.0, 100)]))
    source = ReconnectingSource("radio", open_source, RetryPolicy(initial_delay_s=0.0, max_delay_s=0.0, tries=4))
    assert [(block.position, block.dropped) for block in read_until_lost(source)] == [(0, 0), (200, 100)]
    assert caplog.records[0].getMessage() == f"radio: {reason}; trying again"
