"""For tests of the service: a station with the tiny bundle, sources in a test's hand, and verdicts made up."""

import queue
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from genre_edge.audio.block import Block
from genre_edge.audio.source import Source
from genre_edge.classify.classifier import Classifier
from genre_edge.station.history.store import DAY_S, History
from genre_edge.station.station import Station
from tests.helpers.audio import Samples, music
from tests.helpers.bundles import RATE, TINY

NOON = 1_700_000_000 // DAY_S * DAY_S + DAY_S / 2
MODEL = {"name": "tiny", "version": "1", "sha256": "0" * 64}


class HandFed(Source):
    """Gives the blocks that a test feeds, as they come, until it is closed; or raises the error that it is fed."""

    name, rate, channels = "hand", RATE, 1

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Block | Exception | None] = queue.SimpleQueue()
        self.position = 0

    def feed(self, samples: Samples, dropped: int = 0) -> None:
        self.position += dropped
        self._queue.put(Block(samples, self.rate, self.position, dropped))
        self.position += len(samples)

    def music(self, seconds: float) -> None:
        """In tenths of a second."""
        for block in np.split(music(seconds, RATE), round(10 * seconds)):
            self.feed(block)

    def fail(self, error: Exception) -> None:
        self._queue.put(error)

    def blocks(self) -> Iterator[Block]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    def close(self) -> None:
        self._queue.put(None)


def station(source: Source, history: History | None = None, interval_s: float = 0.5) -> Station:
    """One that is not started; of a classifier of its own, as it hears in a thread of its own."""
    return Station(Classifier(TINY), source, history or History(), interval_s)


def eventually(condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """Wait until it is true, and return what it gave."""
    end_s = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.005)
    return found


def verdict(when: float, genre: str | None = "low", reason: str | None = None) -> dict[str, Any]:
    """A verdict as a station tells it, at `when` in unix seconds."""
    return {
        "schema_version": 1,
        "source": "made up",
        "start_s": 0.0,
        "end_s": 0.5,
        "genre": genre,
        "confidence": 0.9 if genre else None,
        "reason": reason,
        "genres": [{"genre": genre, "probability": 0.9}] if genre else [],
        "input": {"rate": RATE, "channels": 1, "resampled_to": RATE},
        "dropped_samples": 0,
        "model": MODEL,
        "segments": [],
        "lag_ms": 1.5,
        "time": when,
    }


def times(verdicts: list[dict]) -> list[float]:
    return [one["time"] for one in verdicts]


def rows(path: Path) -> int:
    """Verdicts in the file, as another program sees them."""
    other = sqlite3.connect(path)
    try:
        return int(other.execute("SELECT count(*) FROM verdicts").fetchone()[0])
    finally:
        other.close()
