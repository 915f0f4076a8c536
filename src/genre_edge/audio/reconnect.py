"""A live source that outlives its microphones and servers: opened again when it dies, as long as there is hope."""

import logging
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from genre_edge.audio.block import Block, Source
from genre_edge.audio.ring import Ring
from genre_edge.errors import AudioError, SourceLostError

log = logging.getLogger("genre_edge")

ROOM_S = 10.0  # between capture and analysis; what does not fit is counted as dropped
SILENT_S = 10.0  # without a sample for so long, a source is dead


@dataclass(frozen=True)
class Patience:
    """How a dead source is opened again: after `first_s`, then twice as long each time up to `longest_s`.

    `jitter` is the share by which a wait may be shorter, so that many listeners do not come back at once. After `tries`
    failures without a sample between them, the source is lost; None means never.
    """

    first_s: float = 0.5
    longest_s: float = 60.0
    jitter: float = 0.3
    tries: int | None = None

    def wait_s(self, failures: int) -> float:
        """The wait after so many failures in a row, one or more."""
        whole = min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 60))
        return whole * (1 - self.jitter * random.random())


class Pumped(Source):
    """A source that is read by a thread of its own into a ring, so that it is never kept waiting."""

    def __init__(self, source: Source, silent_s: float = SILENT_S) -> None:
        self.name, self.rate, self.channels = source.name, source.rate, source.channels
        self._source = source
        self._ring = Ring(source.name, source.rate, ROOM_S, silent_s)
        self._thread = threading.Thread(target=self._pump, name=f"pump {source.name}", daemon=True)
        self._thread.start()

    def _pump(self) -> None:
        try:
            for block in self._source.blocks():
                self._ring.put(block.samples, block.dropped)
            self._ring.end()
        except AudioError as error:
            self._ring.end(error)
        except Exception as error:  # closing under a reading thread may raise anything; nobody else would hear of it
            self._ring.end(AudioError(f"{self.name}: {error}"))

    def blocks(self) -> Iterator[Block]:
        return self._ring.blocks()

    def close(self) -> None:
        self._source.close()
        self._thread.join(5)


class Reconnecting(Source):
    """One endless source out of many that die.

    What was missed between them is counted in samples, by the clock, and lies where any other loss would; time begins
    with the first sample. At most one source is open at a time. Each change of state is one line in the log.

    Args:
        name: what messages and verdicts call it.
        open_source: opens it anew. Raises AudioError.
        wait: open it here and now, however long that takes; otherwise `open` does.

    Raises:
        SourceLostError: it was tried in vain as often as `patience` allows.
    """

    def __init__(self, name: str, open_source: Callable[[], Source], patience: Patience, *, wait: bool = True) -> None:
        self.name = name
        self._open_source, self._patience = open_source, patience
        self._source: Source | None = None
        self._heard_s: float | None = None  # clock at the last sample
        self._closed = threading.Event()
        self.failures = 0  # in a row
        self.outages = 0
        if wait:
            self.open()

    @property
    def listening(self) -> bool:
        """Whether samples come, as far as is known."""
        return self._source is not None and not self.failures

    @property
    def closed(self) -> bool:
        """Whether `close` was called, perhaps while it was being opened."""
        return self._closed.is_set()

    def open(self) -> None:
        """Open it, as often as that takes; rate and channels are known then. Raises SourceLostError."""
        while self._source is None and not self._closed.is_set():
            try:
                self._source = self._open_source()
                self.rate, self.channels = self._source.rate, self._source.channels
            except AudioError as error:
                self._failed(error)
        if self.closed:  # meanwhile, by another thread
            self._close_source()

    def _failed(self, reason: object) -> None:
        """Tell it once an outage, then wait."""
        if self.closed:
            return
        self.failures += 1
        if self.failures == 1:
            self.outages += 1
            log.warning("%s; trying again", reason)
        if self._patience.tries is not None and self.failures >= self._patience.tries:
            raise SourceLostError(f"{reason}; given up after {self.failures} tries")
        self._closed.wait(self._patience.wait_s(self.failures))

    def blocks(self) -> Iterator[Block]:
        """Endless until it is closed. Raises SourceLostError."""
        end_s = 0.0  # of the samples so far, lost ones included
        while (source := self._source) is not None:
            reason: object = f"{self.name}: the source has ended"
            try:
                for block in source.blocks():
                    lost = block.dropped + self._missed(block)
                    first = round(end_s * block.rate) + lost
                    self._heard_s = block.arrived_s
                    yield Block(block.samples, block.rate, first, lost, block.arrived_s)
                    end_s = (first + len(block.samples)) / block.rate
            except AudioError as error:
                reason = error
            self._close_source()
            self._failed(reason)
            self.open()

    def _missed(self, block: Block) -> int:
        """Samples of the outage that this block ends, if it does."""
        if not self.failures:
            return 0
        self.failures = 0
        if self._heard_s is None:
            log.warning("%s: listening", self.name)
            return 0
        away_s = max(0.0, block.arrived_s - self._heard_s - len(block.samples) / block.rate)
        log.warning("%s: listening again after %.1f s", self.name, away_s)
        return round(away_s * block.rate)

    def _close_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()

    def close(self) -> None:
        self._closed.set()
        self._close_source()
