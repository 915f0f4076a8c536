"""`BoundedBlockQueue`: bounded queue between the capture thread and the analysis; every lost sample is counted."""

import time
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import Block
from genre_edge.errors import AudioError

QUEUE_CAPACITY_S = 10.0  # seconds of audio between capture and analysis; samples that do not fit are dropped
TIMEOUT_S = 10.0  # seconds without samples after which a source has failed


class BoundedBlockQueue:
    """Queue of one live source's samples for one writer thread and one reader thread.

    Samples that do not fit are dropped; the next block that fits reports their number. Positions count dropped samples
    too, so they stay correct after losses.

    The queue has no lock: Ctrl-C may interrupt the reader anywhere and would leave a lock held forever. Each counter is
    written by one thread only.

    Args:
        name: name of the source in errors.
        rate: sampling rate in Hz.
        capacity_s: capacity in seconds of samples.
        timeout_s: seconds without samples after which the source has failed.
        can_block: let `put` wait for space while the source is ahead of real time, such as a file on a server. A live
            source must not wait: the server would disconnect.
    """

    def __init__(self, name: str, rate: int, capacity_s: float, timeout_s: float, can_block: bool = False) -> None:
        self._name, self._rate, self._timeout_s, self._can_block = name, rate, timeout_s, can_block
        self._capacity = round(rate * capacity_s)
        self._blocks: SimpleQueue[Block | AudioError | None] = SimpleQueue()  # the last item is the error, or None
        self._space_freed: SimpleQueue[None] = SimpleQueue()  # at most one item, as an event without a lock
        self._n_written = self._n_read = 0  # samples
        self._position = self._dropped = 0
        self._last_put_s = time.monotonic()
        self._start_s = float("-inf")  # clock at the first sample, if the source had delivered in real time since then
        self._ended = False

    def put(self, samples: NDArray[np.float32], dropped: int = 0) -> None:
        """Add mono samples `(n,)`, without a copy; the source lost `dropped` samples just before them."""
        self._last_put_s = time.monotonic()
        self._dropped += dropped
        if self._blocks.empty():  # the reader keeps up, so any delay is the source's own: do not count it
            self._start_s = max(self._start_s, self._last_put_s - self._end_s())
        if not self._wait_for_space(len(samples)):
            self._dropped += len(samples)
            return
        block = Block(samples, self._rate, self._position + self._dropped, self._dropped, self._last_put_s)
        self._position = block.position + len(samples)
        self._n_written += len(samples)
        self._dropped = 0
        self._blocks.put(block)

    def _wait_for_space(self, n: int) -> bool:
        """Return True if `n` samples fit; wait for space while the source is ahead of real time."""
        deadline_s = self._start_s + self._end_s() if self._can_block else self._last_put_s
        while not (fits := self._n_written - self._n_read + n <= self._capacity) and not self._ended:
            wait_s = deadline_s - time.monotonic()
            if wait_s <= 0:
                break
            with suppress(Empty):
                self._space_freed.get(timeout=wait_s)
        return fits

    def _end_s(self) -> float:
        """Position of the last sample's end in seconds, dropped samples included."""
        return (self._position + self._dropped) / self._rate

    def end(self, error: AudioError | None = None) -> None:
        """End the stream; the reader gets `error`, if any, after the last block. Later calls have no effect."""
        self._ended = True
        self._blocks.put(error)
        self._notify_writer()

    def _notify_writer(self) -> None:
        if self._space_freed.empty():
            self._space_freed.put(None)

    def blocks(self) -> Iterator[Block]:
        """Yield blocks as they arrive; samples lost at the very end come as an empty block.

        Raises:
            AudioError: the error passed to `end`, or no samples for `timeout_s`.
        """
        while isinstance(item := self._next(), Block):
            self._n_read += len(item.samples)
            self._notify_writer()
            yield item
        if self._dropped:
            end = self._position + self._dropped
            yield Block(np.empty(0, dtype=np.float32), self._rate, end, self._dropped, self._last_put_s)
        if item is not None:
            raise item

    def _next(self) -> Block | AudioError | None:
        try:
            return self._blocks.get(timeout=self._timeout_s)
        except Empty:
            raise AudioError(f"{self._name}: no samples for {self._timeout_s:g} s") from None
