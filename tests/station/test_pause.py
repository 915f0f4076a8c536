"""Station.pause: no verdicts, nothing lost, no alarm of the watchdog; and verdicts that do not span the pause."""

import logging
from collections.abc import Iterator

import numpy as np
import pytest

from genre_edge.audio.block import Block
from genre_edge.audio.live.reconnect import ReconnectingSource, RetryPolicy
from genre_edge.audio.source import Source
from genre_edge.station.resumable import Pause, PausedError, ResumableBlocks
from tests.conftest import TIMEOUT_S
from tests.helpers.audio import music, tone
from tests.helpers.bundles import RATE
from tests.helpers.station import QueueSource, eventually, make_station, running

LOW, HIGH = 150, 3000  # Hz: genres of the tiny model


class Card(QueueSource):
    """A sound card.

    Attributes:
        closed: True after `close`.
    """

    closed = False

    def close(self) -> None:
        self.closed = True
        super().close()


def feed_tone(source: QueueSource, hz: float, seconds: float) -> None:
    for block in np.split(tone(hz, seconds, RATE), round(10 * seconds)):
        source.feed(block)


def test_pipe_discarded_while_paused() -> None:
    """Samples of a pipe are read and discarded: neither classified nor counted as dropped."""
    source = QueueSource()
    with running(source) as station:
        feed_tone(source, LOW, 3)
        eventually(lambda: station.verdict_counts["low"] >= 3)
        before = eventually(lambda: station.listening) and station.status()["position_s"]
        station.pause()
        n_verdicts, status = len(station.history.verdicts()), station.status()
        assert (status["paused"], status["listening"]) == (True, False)
        feed_tone(source, HIGH, 10)
        eventually(source._queue.empty)
        assert len(station.history.verdicts()) <= n_verdicts + 1
        n_verdicts = len(station.history.verdicts())
        station.resume()
        feed_tone(source, LOW, 3)
        eventually(lambda: station.status()["position_s"] == 16.0)
        later = station.history.verdicts()[n_verdicts:]
        assert before <= 3 and later and all(verdict["genre"] == "low" for verdict in later)
        assert later[0]["start_s"] >= 12.8 and later[-1]["end_s"] <= 16.0
        assert station.status()["dropped_samples"] == 0 and later[-1]["dropped_samples"] == 0
        assert station.listening and not station.paused


def test_device_closed_while_paused() -> None:
    """A sound card is closed in a pause and opened after it; the pause is no outage, and no verdict spans it."""
    cards: list[Card] = []

    def open_card() -> Source:
        cards.append(Card())
        return cards[-1]

    with running(ReconnectingSource("card", open_card, RetryPolicy(), wait=False)) as station:
        first = eventually(lambda: cards and cards[0])
        feed_tone(first, LOW, 2)
        eventually(lambda: station.status()["position_s"] == 2.0)
        station.pause()
        feed_tone(first, HIGH, 0.1)
        eventually(lambda: first.closed)
        assert len(cards) == 1 and station.is_progressing()
        n_verdicts = len(station.history.verdicts())
        station.resume()
        second = eventually(lambda: len(cards) == 2 and cards[1])
        feed_tone(second, HIGH, 3)
        eventually(lambda: station.status()["position_s"] == 5.0)
        later = station.history.verdicts()[n_verdicts:]
        assert later and {verdict["genre"] for verdict in later} == {"high"}
        assert later[0]["start_s"] == pytest.approx(2.1, abs=0.11)
        assert (station.outages, station.status()["dropped_samples"]) == (0, 0)


def test_watchdog_while_paused() -> None:
    """A paused station makes progress without samples, and has the whole time-out for samples after the pause."""
    with running(QueueSource()) as station:
        assert station.is_progressing()
        station._progress_s -= 1e6  # as if the last samples were long ago
        assert not station.is_progressing()
        station.pause()
        assert station.is_progressing()
        station.resume()
        assert station.is_progressing()
        station._progress_s -= 1e6
        assert not station.is_progressing()


def test_stop_while_paused() -> None:
    """A paused station stops, also one whose device is closed."""
    with running(QueueSource()) as station:
        station.pause()
    source = QueueSource()
    with running(ReconnectingSource("card", lambda: source, RetryPolicy(), wait=False)) as station:
        station.pause()
        source.feed_music(0.1)


def test_pause_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A second pause and a second end of it change nothing; each change has one line in the log."""
    caplog.set_level(logging.WARNING)
    with running(QueueSource()) as station:
        for change in (station.resume, station.pause, station.pause, station.resume, station.resume):
            change()
    assert [record.message for record in caplog.records] == ["queue: paused", "queue: resumed"]


class ListSource(Source):
    """Yields blocks; before each, calls a function with its index."""

    name, rate, channels = "list", RATE, 1

    def __init__(self, blocks: list[Block], before: object) -> None:
        self._blocks, self._before = blocks, before

    def blocks(self) -> Iterator[Block]:
        for i, block in enumerate(self._blocks):
            self._before(i)  # type: ignore[operator]
            yield block


def test_resumable_blocks_after_pause() -> None:
    """The blocks of a pause are missing, and the iteration ends with an error between those before and after it."""
    pause = Pause()

    def before(i: int) -> None:
        pause.active, pause.count = i in (2, 3), pause.count + (i == 2)

    blocks = [Block(np.zeros(10, np.float32), RATE, 10 * i) for i in range(6)]
    resumable = ResumableBlocks(ListSource(blocks, before), pause=pause)
    seen = []
    with pytest.raises(PausedError):
        for block in resumable.blocks():
            seen.append(block.position)
    assert seen == [0, 10]
    assert [(block.position, block.dropped) for block in resumable.blocks()] == [(40, 0), (50, 0)]


def test_last_verdict_after_pause() -> None:
    """A source that ends before the first verdict after a pause has a last verdict that starts after the pause."""
    source = QueueSource()
    with running(source) as station:
        source.feed_music(2)
        eventually(lambda: station.status()["position_s"] == 2.0)
        station.pause()
        source.feed_music(2)
        eventually(source._queue.empty)
        n_verdicts = len(station.history.verdicts())
        station.resume()
        source.feed_music(0.2)
        source.close()
        assert station.join(TIMEOUT_S)
        (last,) = station.history.verdicts()[n_verdicts:]
        assert last["start_s"] >= 3.8 and last["end_s"] == 4.2


def test_dropped_samples_after_pause() -> None:
    """The verdicts after a pause count the samples that were dropped before it, too."""
    source = QueueSource()
    with running(source) as station:
        source.feed_music(1)
        source.feed(music(1, RATE), dropped=300)
        eventually(lambda: station.verdict and station.verdict["dropped_samples"] == 300)
        station.pause()
        source.feed_music(1)
        eventually(source._queue.empty)
        n_verdicts = len(station.history.verdicts())
        station.resume()
        source.feed(music(1, RATE), dropped=20)
        eventually(lambda: len(station.history.verdicts()) > n_verdicts)
        assert station.history.verdicts()[-1]["dropped_samples"] == station.status()["dropped_samples"] == 320


def test_source_ends_while_paused() -> None:
    """The end of a pipe in a pause ends the station without an error."""
    source = QueueSource()
    station = make_station(source)
    station.start()
    source.feed_music(2)
    eventually(lambda: station.status()["position_s"] == 2.0)
    station.pause()
    n_verdicts = len(station.history.verdicts())
    source.feed_music(1)
    source.close()
    assert station.join(TIMEOUT_S) and station.error is None
    assert len(station.history.verdicts()) == n_verdicts
