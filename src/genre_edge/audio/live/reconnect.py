"""`ReconnectingSource`: a live source that is reopened after each failure, as its `RetryPolicy` allows."""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from genre_edge.audio.block import Block
from genre_edge.audio.live.invalid_samples import InvalidSampleFilter
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError, SourceLostError, UnusableSourceError
from genre_edge.system.signals import blocked

log = logging.getLogger("genre_edge")

# What a failed attempt raises; RuntimeError if no thread can be started. Memory, descriptors and threads may run out.
_FAILURES = (AudioError, OSError, MemoryError, RuntimeError)


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff with jitter for reopening a failed source.

    Args:
        initial_delay_s: seconds before the first attempt; doubled after each failure.
        max_delay_s: longest delay in seconds.
        jitter: fraction, 0 to 1, by which a delay may be shortened at random, so that many clients do not reconnect at
            the same moment.
        tries: number of failures after which the source gives up; None for no limit.
        stable_s: seconds of uninterrupted audio after which earlier failures no longer count. Until then the delays
            of an unstable source keep growing.
    """

    initial_delay_s: float = 0.5
    max_delay_s: float = 60.0
    jitter: float = 0.3
    tries: int | None = None
    stable_s: float = 60.0

    def delay_s(self, failures: int) -> float:
        """Return the delay in seconds after `failures` failures (one or more)."""
        delay_s = min(self.max_delay_s, self.initial_delay_s * 2.0 ** min(failures - 1, 60))
        return delay_s * (1 - self.jitter * random.random())


class ReconnectingSource(Source):
    """Live source that is reopened after each failure.

    Samples missed during an outage are counted by the clock and reported as dropped, as are blocks with invalid
    samples. Position 0 is the first sample. At most one source is open at a time. The log gets one line when the source
    is lost and one when it is connected again; if it is lost again before it was stable, one line reports that
    further messages are suppressed.

    Attributes:
        failures: failures since the source was last stable (`RetryPolicy.stable_s`).
        outages: number of times that the source was lost.

    Args:
        name: name in messages and verdicts.
        open_source: opens the source. AudioError, OSError, MemoryError and RuntimeError are failed attempts.
        retry: when to reopen it, and when to give up.
        wait: open the source before returning; otherwise `open` must be called.

    Raises:
        SourceLostError: all attempts of the retry policy failed.
        UnusableSourceError: there is no audio at the address, and never was. Once the source was heard, this is a
            failed attempt.
    """

    def __init__(self, name: str, open_source: Callable[[], Source], retry: RetryPolicy, *, wait: bool = True) -> None:
        self.name = name
        self._open_source, self._retry = open_source, retry
        self._source: Source | None = None
        self._filter = InvalidSampleFilter(name, retry.stable_s)
        self._last_sample_s: float | None = None  # clock at the last sample
        self._connected_s = 0.0  # clock at the first sample after the last outage
        self._disconnected = self._unstable = False
        self._missed_s = 0.0  # seconds of outages since the first failure that still counts
        self._closed = self._suspended = False
        self._wake_ups = SimpleQueue[None]()  # an item ends a delay, or the wait of a suspended source
        self.failures = self.outages = 0
        if wait:
            self.open()

    @property
    def closed(self) -> bool:
        """True once `close` was called, even while the source is being opened."""
        return self._closed

    def open(self) -> None:
        """Open the source, with as many attempts as necessary; `rate` and `channels` are set afterwards.

        While the source is suspended, it waits; attempts that fail meanwhile do not count.

        Raises:
            SourceLostError: all attempts of the retry policy failed.
            UnusableSourceError: there is no audio at the address, and never was.
        """
        while self._source is None and not self._closed:
            if self._suspended:
                self._wait_for_resume()
            else:
                self._try_to_open()
            if self._closed or self._suspended:  # by another thread, while the source was being opened
                self._close_source()

    def _try_to_open(self) -> None:
        try:
            self._source = self._open_source()
            self.rate, self.channels = self._source.rate, self._source.channels
        except _FAILURES as error:
            is_final = isinstance(error, UnusableSourceError) and self._last_sample_s is None
            if is_final and not self._suspended:
                raise
            self._handle_failure(self._reason(error))

    def _reason(self, error: Exception) -> str:
        if isinstance(error, AudioError):
            return str(error)
        return f"{self.name}: {getattr(error, 'strerror', None) or str(error) or 'not enough memory'}"

    def _handle_failure(self, reason: str) -> None:
        """Count and log a failure, then wait before the next attempt. Raises SourceLostError.

        A failure after `close` or `suspend` does not count.
        """
        self._discard_wake_ups()
        if self._closed or self._suspended:
            return
        self.failures += 1
        if not self._disconnected:
            self._disconnected = True
            self.outages += 1
            self._log_outage(reason)
        if self._retry.tries is not None and self.failures >= self._retry.tries:
            raise SourceLostError(f"{reason}; giving up after {self.failures} failed attempts")
        with suppress(Empty):
            self._wake_ups.get(timeout=self._retry.delay_s(self.failures))

    def _wait_for_resume(self) -> None:
        """Wait for `resume` or `close`; earlier failures no longer count, and the time is no outage."""
        self.failures, self._missed_s = 0, 0.0
        self._disconnected = self._unstable = False
        self._discard_wake_ups()
        while self._suspended and not self._closed:
            self._wake_ups.get()
        if self._last_sample_s is not None:
            self._last_sample_s = time.monotonic()

    def _discard_wake_ups(self) -> None:
        """Discard what nobody waited for. The caller checks `_closed` and `_suspended` afterwards, then waits."""
        for _ in range(self._wake_ups.qsize()):
            self._wake_ups.get()

    def _log_outage(self, reason: str) -> None:
        if self.failures == 1:
            log.warning("%s; trying again", reason)
        elif not self._unstable:
            self._unstable = True
            log.warning(
                "%s; connection is unstable; suppressing messages until it has been steady for %g s",
                reason,
                self._retry.stable_s,
            )

    def blocks(self) -> Iterator[Block]:
        """Yield blocks until the source is closed. Positions do not count the time while it is suspended.

        Raises:
            SourceLostError: all attempts of the retry policy failed.
        """
        end_s = 0.0  # position of the last sample's end, dropped samples included
        while (source := self._source) is not None:
            reason: str | None = f"{self.name}: the source has ended"
            try:
                for block in source.blocks():
                    if self._suspended:
                        reason = None
                        break
                    dropped = block.dropped + self._missed_samples(block)
                    position = round(end_s * block.rate) + dropped
                    self._last_sample_s = block.arrived_s
                    end_s = (position + len(block.samples)) / block.rate
                    yield self._filter.process(Block(block.samples, block.rate, position, dropped, block.arrived_s))
            except _FAILURES as error:
                reason = self._reason(error)
            self._close_source()
            if reason is not None:
                self._handle_failure(reason)
            self.open()

    def _missed_samples(self, block: Block) -> int:
        """Return the number of samples missed in the outage that this block ends; 0 if it ends none."""
        if not self.failures:
            return 0
        outage_s = self._end_outage(block) if self._disconnected else 0.0
        if block.arrived_s - self._connected_s >= self._retry.stable_s:
            if self._unstable:
                log.warning("%s: connection is stable again; missed %.1f s", self.name, self._missed_s)
            self.failures, self._missed_s, self._unstable = 0, 0.0, False
        return round(outage_s * block.rate)

    def _end_outage(self, block: Block) -> float:
        """Return the outage's seconds, without those that the source itself reports as dropped."""
        self._disconnected, self._connected_s = False, block.arrived_s
        if self._last_sample_s is None:
            log.warning("%s: connected", self.name)
            return 0.0
        block_s = (block.dropped + len(block.samples)) / block.rate
        outage_s = max(0.0, block.arrived_s - self._last_sample_s - block_s)
        self._missed_s += outage_s
        if not self._unstable:
            log.warning("%s: connected again after %.1f s", self.name, outage_s)
        return outage_s

    def _close_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            with blocked():
                source.close()

    def suspend(self) -> None:
        """Close the source at its next block, until `resume`; neither an outage nor lost samples. Thread-safe.

        A delay between attempts ends. A source that fails meanwhile is opened again after `resume`.
        """
        self._suspended = True
        self._wake_ups.put(None)

    def resume(self) -> None:
        """Open a suspended source again. Thread-safe."""
        self._suspended = False
        self._wake_ups.put(None)

    def close(self) -> None:
        """Close the source and end any delay or attempt to open it; a second call does nothing."""
        self._closed = True
        self._wake_ups.put(None)
        self._close_source()
