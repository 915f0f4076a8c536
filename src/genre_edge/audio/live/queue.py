"""A bounded ring between the thread that captures and the one that analyses: no endless waiting, no loss unseen."""

import time
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import Block
from genre_edge.errors import AudioError

ROOM_S = 10.0  # between capture and analysis; what does not fit is counted as dropped
SILENT_S = 10.0  # without a sample for so long, a source is dead


class BoundedBlockQueue:
    """Samples of one live source, `room_s` seconds of them at most; one thread puts, one reads.

    What does not fit is counted, and the next block that does fit tells it. Positions count every sample that there
    was, so a block says where it lies whatever was lost before.

    There is no lock: a Ctrl-C may interrupt the reader at any place, and would leave one locked for ever. Each count is
    written by one side alone.

    Args:
        name: what errors call the source.
        silent_s: with no samples for this long, the source is gone.
        can_wait: whether the source may be kept waiting for room. It is while it is ahead of real time, as a file on a
            server is; a live one would be cut off.
    """

    def __init__(self, name: str, rate: int, room_s: float, silent_s: float, can_wait: bool = False) -> None:
        self._name, self._rate, self._silent_s, self._can_wait = name, rate, silent_s, can_wait
        self._room = round(rate * room_s)
        self._blocks: SimpleQueue[Block | AudioError | None] = SimpleQueue()  # the last is the end, or why it is
        self._taken_some: SimpleQueue[None] = SimpleQueue()  # one is enough
        self._put = self._taken = 0  # samples
        self._position = self._lost = 0
        self._put_s = time.monotonic()
        self._began_s = float("-inf")  # when it began, had the source been as fast as real time ever since
        self._ended = False

    def put(self, samples: NDArray[np.float32], lost: int = 0) -> None:
        """Mono samples `(n,)`, kept as they are; `lost` samples went missing just before them."""
        self._put_s = time.monotonic()
        self._lost += lost
        if self._blocks.empty():  # nobody kept it waiting: what it is late by is its own doing, and forgiven
            self._began_s = max(self._began_s, self._put_s - self._end_s())
        if not self._has_room(len(samples)):
            self._lost += len(samples)
            return
        block = Block(samples, self._rate, self._position + self._lost, self._lost, self._put_s)
        self._position = block.position + len(samples)
        self._put += len(samples)
        self._lost = 0
        self._blocks.put(block)

    def _has_room(self, n: int) -> bool:
        """Whether they fit, perhaps after a wait."""
        until_s = self._began_s + self._end_s() if self._can_wait else self._put_s
        while not (fits := self._put - self._taken + n <= self._room) and not self._ended:
            wait_s = until_s - time.monotonic()
            if wait_s <= 0:
                break
            with suppress(Empty):
                self._taken_some.get(timeout=wait_s)
        return fits

    def _end_s(self) -> float:
        """The seconds of the samples so far, lost ones included."""
        return (self._position + self._lost) / self._rate

    def end(self, error: AudioError | None = None) -> None:
        """No more will come; `error` is raised to the reader after the last block. The first end counts."""
        self._ended = True
        self._blocks.put(error)
        self._tell_of_room()

    def _tell_of_room(self) -> None:
        if self._taken_some.empty():
            self._taken_some.put(None)

    def blocks(self) -> Iterator[Block]:
        """The blocks as they come. A loss at the very end comes with an empty block. Raises AudioError."""
        while isinstance(found := self._next(), Block):
            self._taken += len(found.samples)
            self._tell_of_room()
            yield found
        if self._lost:
            yield Block(np.empty(0, dtype=np.float32), self._rate, self._position + self._lost, self._lost, self._put_s)
        if found is not None:
            raise found

    def _next(self) -> Block | AudioError | None:
        try:
            return self._blocks.get(timeout=self._silent_s)
        except Empty:
            raise AudioError(f"{self._name}: no samples for {self._silent_s:g} s") from None
