"""A live source that outlives its microphones and servers: opened again when it dies, as long as there is hope."""

import logging
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from genre_edge.audio.block import Block
from genre_edge.audio.live.invalid_samples import InvalidSampleFilter
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError, SourceLostError
from genre_edge.system.signals import blocked

log = logging.getLogger("genre_edge")


@dataclass(frozen=True)
class RetryPolicy:
    """How a dead source is opened again: after `first_s`, then twice as long each time up to `longest_s`.

    `jitter` is the share by which a wait may be shorter, so that many listeners do not come back at once. A failure is
    forgotten when the source was heard for `steady_s` in one piece: one that comes and goes is waited for ever longer.
    After `tries` failures that were not forgotten, the source is lost; None means never.
    """

    first_s: float = 0.5
    longest_s: float = 60.0
    jitter: float = 0.3
    tries: int | None = None
    steady_s: float = 60.0

    def wait_s(self, failures: int) -> float:
        """The wait after so many failures in a row, one or more."""
        whole = min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 60))
        return whole * (1 - self.jitter * random.random())


class ReconnectingSource(Source):
    """One endless source out of many that die.

    What was missed between them is counted in samples, by the clock, and lies where any other loss would; so do blocks
    that are no sound. Time begins with the first sample. At most one source is open at a time. Each change of state is
    one line in the log: gone, back, and once for all that it comes and goes until it stays.

    Attributes:
        failures: since it was last heard for a while, `RetryPolicy.steady_s`.
        outages: how often it was gone.

    Args:
        name: what messages and verdicts call it.
        open_source: opens it anew. Raises AudioError.
        wait: open it here and now, however long that takes; otherwise `open` does.

    Raises:
        SourceLostError: it was tried in vain as often as `patience` allows.
    """

    def __init__(
        self, name: str, open_source: Callable[[], Source], patience: RetryPolicy, *, wait: bool = True
    ) -> None:
        self.name = name
        self._open_source, self._patience = open_source, patience
        self._source: Source | None = None
        self._usable = InvalidSampleFilter(name, patience.steady_s)
        self._heard_s: float | None = None  # clock at the last sample
        self._back_s = 0.0  # clock at the first sample after the last outage
        self._gone = self._comes_and_goes = False
        self._missed_s = 0.0  # since the first failure that is not forgotten
        self._closed, self._closing = False, SimpleQueue[None]()  # the latter ends a wait
        self.failures = self.outages = 0
        if wait:
            self.open()

    @property
    def closed(self) -> bool:
        """Whether `close` was called, perhaps while it was being opened."""
        return self._closed

    def open(self) -> None:
        """Open it, as often as that takes; rate and channels are known then. Raises SourceLostError."""
        while self._source is None and not self._closed:
            try:
                self._source = self._open_source()
                self.rate, self.channels = self._source.rate, self._source.channels
            except AudioError as error:
                self._failed(error)
        if self._closed:  # meanwhile, by another thread
            self._close_source()

    def _failed(self, reason: object) -> None:
        """Tell it, then wait."""
        if self._closed:
            return
        self.failures += 1
        if not self._gone:
            self._gone = True
            self.outages += 1
            self._tell_it_is_gone(reason)
        if self._patience.tries is not None and self.failures >= self._patience.tries:
            raise SourceLostError(f"{reason}; given up after {self.failures} tries")
        with suppress(Empty):
            self._closing.get(timeout=self._patience.wait_s(self.failures))

    def _tell_it_is_gone(self, reason: object) -> None:
        if self.failures == 1:
            log.warning("%s; trying again", reason)
        elif not self._comes_and_goes:
            self._comes_and_goes = True
            log.warning("%s; it comes and goes: no more of this until it stays", reason)

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
                    end_s = (first + len(block.samples)) / block.rate
                    yield self._usable.part(Block(block.samples, block.rate, first, lost, block.arrived_s))
            except AudioError as error:
                reason = error
            self._close_source()
            self._failed(reason)
            self.open()

    def _missed(self, block: Block) -> int:
        """Samples of the outage that this block ends, if it does."""
        if not self.failures:
            return 0
        away_s = self._come_back(block) if self._gone else 0.0
        if block.arrived_s - self._back_s >= self._patience.steady_s:
            if self._comes_and_goes:
                log.warning("%s: listening again, and it stays; missed %.1f s", self.name, self._missed_s)
            self.failures, self._missed_s, self._comes_and_goes = 0, 0.0, False
        return round(away_s * block.rate)

    def _come_back(self, block: Block) -> float:
        """The seconds that it was away; those that the source itself counts as dropped are not among them."""
        self._gone, self._back_s = False, block.arrived_s
        if self._heard_s is None:
            log.warning("%s: listening", self.name)
            return 0.0
        length_s = (block.dropped + len(block.samples)) / block.rate
        away_s = max(0.0, block.arrived_s - self._heard_s - length_s)
        self._missed_s += away_s
        if not self._comes_and_goes:
            log.warning("%s: listening again after %.1f s", self.name, away_s)
        return away_s

    def _close_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            with blocked():
                source.close()

    def close(self) -> None:
        self._closed = True
        self._closing.put(None)
        self._close_source()
