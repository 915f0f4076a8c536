"""ReconnectingSource: a suspended source is closed, and what happens meanwhile is no outage."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from genre_edge.audio.block import Block
from genre_edge.audio.live.reconnect import ReconnectingSource
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError, UnusableSourceError
from tests.conftest import TIMEOUT_S
from tests.helpers.failing_source import LONG_DELAY, NO_DELAY, OPEN, FailingSource, open_sequence, unplugged
from tests.helpers.station import eventually

ONE_TRY = replace(NO_DELAY, tries=1)


def test_suspend_is_no_outage() -> None:
    """A suspended source is closed at its next block; after it, positions continue and nothing counts as dropped."""
    open_source = open_sequence(
        lambda: FailingSource(100, [(10.0, 100), (11.0, 100), (12.0, 100)]),
        lambda: FailingSource(100, [(500.0, 100), (501.0, 100)]),
    )
    with ReconnectingSource("card", open_source, NO_DELAY) as source:
        blocks = source.blocks()
        seen = [next(blocks)]
        source.suspend()
        reader = threading.Thread(target=lambda: seen.append(next(blocks)), daemon=True)
        reader.start()
        eventually(lambda: not OPEN)
        assert reader.is_alive() and len(seen) == 1
        source.resume()
        reader.join(TIMEOUT_S)
        seen.append(next(blocks))
        assert [(block.position, block.dropped) for block in seen] == [(0, 0), (100, 0), (200, 0)]
        assert (source.outages, source.failures) == (0, 0)
    assert not OPEN


def test_suspend_ends_outage() -> None:
    """`suspend` ends a delay; failures before it no longer count, and an outage after it does not contain it."""
    openings = [unplugged, lambda: FailingSource(100, [(1e9, 100)])]
    source = ReconnectingSource("card", open_sequence(lambda: FailingSource(100, [(1.0, 100)]), *openings), LONG_DELAY)
    blocks = source.blocks()
    seen = [next(blocks)]
    reader = threading.Thread(target=lambda: seen.extend(blocks), daemon=True)
    reader.start()
    eventually(lambda: source.failures == 1)
    source.suspend()
    eventually(lambda: source.failures == 0)
    source.resume()
    eventually(lambda: source.failures == 1)
    source._wake_ups.put(None)  # as at the end of the delay
    eventually(lambda: len(seen) == 2)
    assert 0 < seen[1].dropped < (1e9 - 1.0 - 1) * 100
    source.close()
    reader.join(TIMEOUT_S)
    assert not OPEN and not reader.is_alive()


@pytest.mark.parametrize("is_open", [True, False])
def test_close_while_suspended(is_open: bool) -> None:
    """`close` ends the wait of a suspended source, also of one that is not open yet."""
    source = ReconnectingSource("card", lambda: FailingSource(100, [(1.0, 100)]), NO_DELAY, wait=is_open)
    source.suspend()
    reader = threading.Thread(target=lambda: (source.open(), list(source.blocks())), daemon=True)
    reader.start()
    eventually(lambda: not OPEN)
    assert reader.is_alive()
    source.close()
    reader.join(TIMEOUT_S)
    assert not reader.is_alive() and not OPEN


def resume_when_suspended(source: ReconnectingSource, target: Callable[[], object]) -> None:
    """Run `target` in a thread, resume the source once it waits for that, and let the thread end."""
    wait_for_resume, waits = source._wait_for_resume, threading.Event()

    def wait() -> None:
        waits.set()
        wait_for_resume()

    source._wait_for_resume = wait  # type: ignore[method-assign]
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    eventually(lambda: waits.is_set() or not thread.is_alive())
    source.resume()
    thread.join(TIMEOUT_S)
    assert waits.is_set() and not thread.is_alive()


@pytest.mark.parametrize("error", ["card: unplugged", None])
def test_source_fails_while_suspended(error: str | None) -> None:
    """A source that fails or ends before its next block while it is suspended is no outage, even with one try."""

    class Suspended(FailingSource):
        def blocks(self) -> Iterator[Block]:
            source.suspend()
            return super().blocks()

    openings = [lambda: Suspended(100, [], error), lambda: FailingSource(100, [(9.0, 100)])]
    source = ReconnectingSource("card", open_sequence(*openings), ONE_TRY)
    blocks: list[Block] = []
    resume_when_suspended(source, lambda: blocks.append(next(source.blocks())))
    assert [(block.position, block.dropped) for block in blocks] == [(0, 0)]
    assert (source.outages, source.failures) == (0, 0)
    source.close()


@pytest.mark.parametrize("error", [AudioError("card: unplugged"), UnusableSourceError("card: a web page")])
def test_attempt_fails_while_suspended(error: Exception) -> None:
    """An attempt to open the source that fails after `suspend` does not count; the source is opened after `resume`."""

    def fail() -> Source:
        source.suspend()
        raise error

    openings = [fail, lambda: FailingSource(100, [(9.0, 100)])]
    source = ReconnectingSource("card", open_sequence(*openings), ONE_TRY, wait=False)
    resume_when_suspended(source, source.open)
    assert (source.outages, source.failures, len(OPEN)) == (0, 0, 1)
    source.close()


def test_source_opened_while_suspended() -> None:
    """A source whose opening succeeds after `suspend` is closed at once, and opened again after `resume`."""

    def open_slowly() -> Source:
        source.suspend()
        return FailingSource(100, [(1.0, 100)])

    openings = [open_slowly, lambda: FailingSource(100, [(2.0, 50)])]
    source = ReconnectingSource("card", open_sequence(*openings), ONE_TRY, wait=False)
    resume_when_suspended(source, source.open)
    assert len(next(source.blocks()).samples) == 50 and source.outages == 0
    source.close()


def test_earlier_resume_keeps_delay() -> None:
    """Pauses that ended before a failure do not shorten the delay before the next attempt."""
    attempts: list[str] = []

    def open_source() -> Source:
        attempts.append("")
        raise AudioError("card: unplugged")

    source = ReconnectingSource("card", open_source, LONG_DELAY, wait=False)
    for _ in range(8):
        source.suspend()
        source.resume()
    opener = threading.Thread(target=source.open, daemon=True)
    opener.start()
    eventually(lambda: attempts)
    opener.join(0.5)  # time for further attempts
    assert len(attempts) == source.failures == 1
    source.close()
    opener.join(TIMEOUT_S)
    assert not opener.is_alive()
