"""Stations with the tiny bundle, a source that tests feed, synthetic verdicts, and polling of a condition."""

import queue
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from genre_edge.audio.block import Block
from genre_edge.audio.source import Source
from genre_edge.classify.classifier import Classifier
from genre_edge.station.history.verdict_history import DAY_S, VerdictHistory
from genre_edge.station.station import Station
from tests.conftest import TIMEOUT_S
from tests.helpers.audio import ArraySource, Samples, music, tone
from tests.helpers.bundles import RATE, STYLED, TINY

NOON = 1_700_000_000 // DAY_S * DAY_S + DAY_S / 2
MODEL = {"name": "tiny", "version": "1", "sha256": "0" * 64}


class QueueSource(Source):
    """Yields the queued blocks until it is closed, or raises a queued error."""

    name, rate, channels = "queue", RATE, 1

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Block | Exception | None] = queue.SimpleQueue()
        self.position = 0

    def feed(self, samples: Samples, dropped: int = 0) -> None:
        """Queue one block after `dropped` lost samples."""
        self.position += dropped
        self._queue.put(Block(samples, self.rate, self.position, dropped))
        self.position += len(samples)

    def feed_music(self, seconds: float) -> None:
        """Queue synthetic music in blocks of a tenth of a second."""
        for block in np.split(music(seconds, RATE), round(10 * seconds)):
            self.feed(block)

    def fail(self, error: Exception) -> None:
        """Queue an error."""
        self._queue.put(error)

    def blocks(self) -> Iterator[Block]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    def close(self) -> None:
        self._queue.put(None)


def make_station(
    source: Source, history: VerdictHistory | None = None, interval_s: float = 0.5, model: Path = TINY, **options: Any
) -> Station:
    """Return a station that is not started, with a classifier of its own, since classifiers are not thread-safe."""
    return Station(Classifier(model, **options), source, history or VerdictHistory(), interval_s)


@contextmanager
def styled_station(history: VerdictHistory | None = None, **options: Any) -> Iterator[Station]:
    """Run a station with styles and sounds on music, then speech, then silence; yield it when it has ended."""
    samples = np.concatenate([tone(150, 3, RATE), tone(3000, 3, RATE), np.zeros(3 * RATE, np.float32)])
    station = make_station(ArraySource(samples, RATE), history, model=STYLED, **options)
    station.start()
    assert station.join(TIMEOUT_S) and station.error is None
    yield station
    station.history.close()


@contextmanager
def station_after_audio(seconds: float) -> Iterator[Station]:
    """Run a station that has processed `seconds` of audio; check at the end that its thread stops."""
    source = QueueSource()
    station = make_station(source)
    station.start()
    source.feed_music(seconds)
    eventually(lambda: station.status()["position_s"] == seconds)
    yield station
    station.stop()
    assert station.join(TIMEOUT_S)
    station.history.close()


def eventually(condition: Callable[[], Any], timeout_s: float = TIMEOUT_S) -> Any:
    """Poll `condition` until its result is true, and return that result."""
    deadline_s = time.monotonic() + timeout_s
    while not (result := condition()):
        assert time.monotonic() < deadline_s, f"the condition was not met within {timeout_s} s"
        time.sleep(0.005)
    return result


def make_verdict(when: float, genre: str | None = "low", reason: str | None = None) -> dict[str, Any]:
    """Return a verdict as a station publishes it, at `when` in unix seconds."""
    return {
        "id": f"{when:.3f}-0123",
        "schema_version": 2,
        "source": "synthetic",
        "start_s": 0.0,
        "end_s": 0.5,
        "genre": genre,
        "confidence": 0.9 if genre else None,
        "reason": reason,
        "genres": [{"genre": genre, "probability": 0.9}] if genre else [],
        "styles": [],
        "sound": "silence" if reason == "silence" else None,
        "input": {"rate": RATE, "channels": 1, "resampled_to": RATE},
        "dropped_samples": 0,
        "model": MODEL,
        "segments": [],
        "lag_ms": 1.5,
        "time": when,
    }


def times(verdicts: list[dict]) -> list[float]:
    """Return the times of verdicts."""
    return [verdict["time"] for verdict in verdicts]


def count_rows(path: Path) -> int:
    """Count the verdicts in a history file through a second connection."""
    database = sqlite3.connect(path)
    try:
        return int(database.execute("SELECT count(*) FROM verdicts").fetchone()[0])
    finally:
        database.close()


@contextmanager
def running(source: Source) -> Iterator[Station]:
    """Run a station, and check that it stops without an error."""
    station = make_station(source)
    station.start()
    yield station
    station.stop()
    assert station.join(TIMEOUT_S) and station.error is None
