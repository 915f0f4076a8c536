"""Live sources that die: every outage is counted in its place, and nothing is opened twice."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.audio import block as block_module
from genre_edge.audio.block import Block
from genre_edge.audio.live import queue as ring
from genre_edge.audio.live import threaded
from genre_edge.audio.live.queue import BoundedBlockQueue
from genre_edge.audio.live.reconnect import ReconnectingSource, RetryPolicy
from genre_edge.audio.live.threaded import ThreadedSource
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError, SourceLostError

AT_ONCE = RetryPolicy(initial_delay_s=0.0, max_delay_s=0.0)
ALIVE: list["Mortal"] = []


class Mortal(Source):
    """Gives blocks at the clock's times that it is told, then ends, or fails."""

    def __init__(self, rate: int, blocks: list[tuple[float, int]], error: str | None = None) -> None:
        assert not ALIVE, "two at once"
        ALIVE.append(self)
        self.name, self.rate, self.channels = "mortal", rate, 1
        self._blocks, self._error = blocks, error

    def blocks(self) -> Iterator[Block]:
        position = 0
        for arrived_s, n in self._blocks:
            yield Block(np.zeros(n, dtype=np.float32), self.rate, position, 0, arrived_s)
            position += n
        if self._error:
            raise AudioError(self._error)

    def close(self) -> None:
        if self in ALIVE:
            ALIVE.remove(self)


def lives(*openings: Callable[[], Source]) -> Callable[[], Source]:
    """Opens one after the other; after the last one there is nothing."""
    left = list(openings)

    def open_source() -> Source:
        if not left:
            raise AudioError("mortal: gone")
        return left.pop(0)()

    return open_source


def unplugged() -> Source:
    raise AudioError("mortal: no such device")


def few_tries(n: int) -> RetryPolicy:
    """A source that gives one block is forgiven all."""
    return RetryPolicy(initial_delay_s=0.0, max_delay_s=0.0, tries=n, stable_s=0.0)


def heard(source: ReconnectingSource) -> list[Block]:
    found = []
    with source, pytest.raises(SourceLostError):
        for block in source.blocks():
            found.append(block)
    assert not ALIVE
    return found


def test_an_outage_lies_between_its_blocks() -> None:
    open_source = lives(
        lambda: Mortal(100, [(10.0, 100), (11.0, 100)]),
        unplugged,
        lambda: Mortal(100, [(15.0, 100), (16.0, 50)], error="mortal: unplugged"),
        lambda: Mortal(100, [(17.5, 100)]),
    )
    found = heard(ReconnectingSource("radio", open_source, few_tries(3)))
    assert [(block.position, block.dropped, len(block.samples)) for block in found] == [
        (0, 0, 100),
        (100, 0, 100),
        (500, 300, 100),  # 4 s from sample to sample, the last one of them its own
        (600, 0, 50),
        (700, 50, 100),
    ]


def test_what_a_stalled_reader_lost_at_an_end_leaves_the_outage_to_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ring's last block tells the samples that did not fit: they ended when they came, not when they were read."""
    now_s = 10.0
    monkeypatch.setattr(ring, "time", SimpleNamespace(monotonic=lambda: now_s))
    monkeypatch.setattr(block_module, "time", SimpleNamespace(monotonic=lambda: now_s))

    class Stalled(Mortal):
        def blocks(self) -> Iterator[Block]:
            nonlocal now_s
            full = BoundedBlockQueue("card", 100, 2.0, 1.0)
            for now_s in map(float, range(11, 16)):  # noqa: B007 (the clock)
                full.put(np.zeros(100, dtype=np.float32))
            full.end()
            now_s = 30.0  # the reader comes back
            yield from full.blocks()

    found = heard(
        ReconnectingSource("card", lives(lambda: Stalled(100, []), lambda: Mortal(100, [(31.0, 100)])), few_tries(2))
    )
    assert [(b.position, b.dropped, len(b.samples)) for b in found] == [
        (0, 0, 100),
        (100, 0, 100),
        (500, 300, 0),
        (2000, 1500, 100),  # from 15 s to 30 s
    ]


def test_what_a_source_itself_counts_is_not_counted_twice() -> None:
    class Late(Mortal):
        def blocks(self) -> Iterator[Block]:
            yield Block(np.zeros(100, dtype=np.float32), 100, 300, 300, 20.0)

    found = heard(
        ReconnectingSource("card", lives(lambda: Mortal(100, [(10.0, 100)]), lambda: Late(100, [])), few_tries(2))
    )
    assert [(b.position, b.dropped) for b in found] == [(0, 0), (1000, 900)]


def test_another_rate_keeps_the_time() -> None:
    open_source = lives(lambda: Mortal(100, [(1.0, 100)]), lambda: Mortal(400, [(4.0, 400), (4.5, 200)]))
    found = heard(ReconnectingSource("radio", open_source, few_tries(2)))
    assert [(b.rate, b.position / b.rate, b.dropped / b.rate) for b in found] == [(100, 0, 0), (400, 3, 2), (400, 4, 0)]


def test_waiting_at_boot_is_no_loss(caplog: pytest.LogCaptureFixture) -> None:
    source = ReconnectingSource("radio", lives(*[unplugged] * 5, lambda: Mortal(100, [(60.0, 10)])), few_tries(8))
    found = heard(source)
    assert [(block.position, block.dropped) for block in found] == [(0, 0)]
    assert [record.getMessage() for record in caplog.records] == [
        "mortal: no such device; trying again",
        "radio: listening",
        "radio: the source has ended; trying again",
    ]


def test_a_thousand_deaths_are_told_in_two_lines_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    rng = random.Random(0)
    openings: list[Callable[[], Source]] = []
    clock = 0.0
    for _ in range(1000):
        openings += [unplugged] * rng.randrange(3)
        clock += 5
        openings.append(lambda at=clock: Mortal(100, [(at, 100), (at + 1, 100)], rng.choice([None, "mortal: dead"])))
    source = ReconnectingSource("radio", lives(*openings), few_tries(4))
    found = heard(source)
    assert len(found) == 2000 and source.outages in (1000, 1001)
    assert sum(block.dropped for block in found) == 999 * 300
    assert found[-1].position + 100 == 200 * 1000 + 999 * 300
    assert len(caplog.records) <= 2 * 1001


def test_tries_are_counted_from_the_last_steady_sound() -> None:
    open_source = lives(unplugged, unplugged, lambda: Mortal(100, [(1.0, 1)]), unplugged, lambda: Mortal(100, []))
    with pytest.raises(SourceLostError) as caught:
        list(ReconnectingSource("radio", open_source, few_tries(4)).blocks())
    assert str(caught.value) == "mortal: gone; given up after 4 tries"


@settings(deadline=None)
@given(failures=st.integers(1, 5000), jitter=st.floats(0, 1))
def test_the_wait_grows_to_its_cap(failures: int, jitter: float) -> None:
    patience = RetryPolicy(initial_delay_s=0.5, max_delay_s=60.0, jitter=jitter)
    whole = min(60.0, 0.5 * 2 ** min(failures - 1, 10))
    assert whole * (1 - jitter) <= patience.wait_s(failures) <= whole


def test_closing_ends_a_wait_at_once() -> None:
    source = ReconnectingSource(
        "radio", lives(lambda: Mortal(100, [(1.0, 1)])), RetryPolicy(initial_delay_s=1000, max_delay_s=1000)
    )
    found: list[Block] = []
    reader = threading.Thread(target=lambda: found.extend(source.blocks()))
    reader.start()
    while source.outages == 0:
        time.sleep(0.001)
    source.close()
    reader.join(10)
    assert not reader.is_alive() and len(found) == 1 and not ALIVE


class Endless(Source):
    """A block a millisecond until it is closed, and then an exception of somebody else's."""

    name, rate, channels = "endless", 1000, 1

    def __init__(self, n_blocks: int = 10**9) -> None:
        self._n_blocks, self._closed = n_blocks, threading.Event()

    def blocks(self) -> Iterator[Block]:
        for position in range(0, 100 * self._n_blocks, 100):
            if self._closed.wait(0.0005):
                break
            yield Block(np.full(100, position, dtype=np.float32), self.rate, position)
        raise ValueError("I/O operation on closed file")

    def close(self) -> None:
        self._closed.set()


def test_a_pumped_source_that_gives_too_fast_is_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threaded, "ROOM_S", 1.0)
    found = []
    with (
        ThreadedSource(lambda: Endless(50)) as source,
        pytest.raises(AudioError, match="endless: I/O operation on closed file"),
    ):
        for block in source.blocks():
            found.append(block)
            time.sleep(0.005)
    assert [block.position for block in found] == list(range(0, 5000, 100))
    assert not any(block.dropped for block in found)


def test_a_pumped_source_whose_reader_hangs_loses_what_real_time_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threaded, "ROOM_S", 0.2)
    with ThreadedSource(Endless) as source:
        blocks = source.blocks()
        found = [next(blocks)]
        time.sleep(1.0)  # 0.2 s wait in the ring, the rest of the second is lost
        found += [next(blocks) for _ in range(30)]
    lost = sum(block.dropped for block in found)
    assert 500 <= lost <= 1000
    for block in found:
        assert (block.samples == block.position).all()


def test_a_source_that_the_network_made_late_may_still_be_ahead_later(monkeypatch: pytest.MonkeyPatch) -> None:
    class Segmented(Endless):
        def blocks(self) -> Iterator[Block]:
            for i in range(60):
                time.sleep(0.6 if i % 20 == 0 else 0.0)  # then half a second of sound at once
                yield Block(np.full(25, 25 * i, dtype=np.float32), self.rate, 25 * i)

    monkeypatch.setattr(threaded, "ROOM_S", 0.2)
    found = []
    with ThreadedSource(Segmented) as source:
        for block in source.blocks():
            found.append(block)
            time.sleep(0.005)  # for a block of 0.025 s
    assert [block.position for block in found] == list(range(0, 1500, 25))


def test_a_live_source_is_not_held_back_by_a_reader_that_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    class Live(Endless):
        def blocks(self) -> Iterator[Block]:
            for i in range(100):
                time.sleep(max(0.0, self.began_s + 0.02 * i - time.monotonic()))
                yield Block(np.full(20, 20 * i, dtype=np.float32), self.rate, 20 * i)

    monkeypatch.setattr(threaded, "ROOM_S", 0.2)
    live = Live()
    live.began_s = time.monotonic()
    position = lost = 0
    with ThreadedSource(lambda: live) as source:
        for block in source.blocks():
            time.sleep(0.03)  # for a block of 0.02 s
            position, lost = block.position, lost + block.dropped
            behind_s = time.monotonic() - live.began_s - position / 1000
    assert position + 20 >= 1900 and 300 < lost < 1000
    assert behind_s < 0.6  # the ring, and no more; held back it would be a second


def test_closing_ends_a_wait_for_room() -> None:
    source = ThreadedSource(Endless)
    time.sleep(0.2)  # ten seconds of sound have come
    began_s = time.monotonic()
    source.close()
    assert time.monotonic() - began_s < 2 and not source._thread.is_alive()


def test_a_pumped_source_that_says_nothing_is_dead() -> None:
    class Mute(Endless):
        def blocks(self) -> Iterator[Block]:
            self._closed.wait()
            yield from ()

    with ThreadedSource(Mute, silent_s=0.02) as source, pytest.raises(AudioError, match=r"no samples for 0\.02 s"):
        next(source.blocks())


def test_closing_ends_an_opening_that_waits_and_tells_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    source = ReconnectingSource("radio", unplugged, RetryPolicy(initial_delay_s=1000, max_delay_s=1000), wait=False)
    assert source.outages == 0 and not source.closed
    opener = threading.Thread(target=source.open)
    opener.start()
    while source.failures == 0:
        time.sleep(0.001)
    source.close()
    opener.join(10)
    assert not opener.is_alive() and source.closed and list(source.blocks()) == []
    assert [record.message for record in caplog.records] == ["mortal: no such device; trying again"]


def test_what_is_opened_too_late_is_closed() -> None:
    def open_slowly() -> Source:
        source.close()
        return Mortal(100, [(1.0, 1)])

    source = ReconnectingSource("radio", open_slowly, AT_ONCE, wait=False)
    source.open()
    assert not ALIVE and list(source.blocks()) == []
