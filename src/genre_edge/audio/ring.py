"""A bounded ring between the thread that captures and the one that analyses: no endless waiting, no loss unseen."""

import threading
import time
from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import Block
from genre_edge.errors import AudioError

ROOM_S = 10.0  # between capture and analysis; what does not fit is counted as dropped
SILENT_S = 10.0  # without a sample for so long, a source is dead


class Ring:
    """Samples of one live source, `room_s` seconds of them at most.

    What does not fit is counted, and the next block that does fit tells it. Positions count every sample that there
    was, so a block says where it lies whatever was lost before.

    Args:
        name: what errors call the source.
        silent_s: with no samples for this long, the source is gone.
        can_wait: whether the source may be kept waiting for room. It is while it is ahead of real time, as a file on a
            server is; a live one would be cut off.
    """

    def __init__(self, name: str, rate: int, room_s: float, silent_s: float, can_wait: bool = False) -> None:
        self._name, self._rate, self._silent_s, self._can_wait = name, rate, silent_s, can_wait
        self._room = round(rate * room_s)
        self._blocks: deque[Block] = deque()
        self._held = self._position = self._lost = 0
        self._put_s = time.monotonic()
        self._began_s = float("-inf")  # when it began, had the source been as fast as real time ever since
        self._ended = False
        self._error: AudioError | None = None
        self._changed = threading.Condition()

    def put(self, samples: NDArray[np.float32], lost: int = 0) -> None:
        """Mono samples `(n,)`, kept as they are; `lost` samples went missing just before them."""
        with self._changed:
            self._put_s = time.monotonic()
            self._lost += lost
            if not self._blocks:  # nobody kept it waiting: what it is late by is its own doing, and forgiven
                self._began_s = max(self._began_s, self._put_s - self._end_s())
            if not self._has_room(len(samples)):
                self._lost += len(samples)
                return
            self._position += self._lost
            self._blocks.append(Block(samples, self._rate, self._position, self._lost, self._put_s))
            self._position += len(samples)
            self._held += len(samples)
            self._lost = 0
            self._changed.notify()

    def _has_room(self, n: int) -> bool:
        def fits() -> bool:
            return self._held + n <= self._room

        ahead_s = self._end_s() - (self._put_s - self._began_s)
        if self._can_wait and ahead_s > 0 and not fits():
            self._changed.wait_for(lambda: fits() or self._ended, ahead_s)
        return fits()

    def _end_s(self) -> float:
        """The seconds of the samples so far, lost ones included."""
        return (self._position + self._lost) / self._rate

    def end(self, error: AudioError | None = None) -> None:
        """No more will come; `error` is raised to the reader after the last block."""
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
                self._changed.notify_all()

    def blocks(self) -> Iterator[Block]:
        """The blocks as they come. A loss at the very end comes with an empty block. Raises AudioError."""
        while (block := self._next()) is not None:
            yield block

    def _next(self) -> Block | None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._blocks or self._ended, self._silent_s):
                raise AudioError(f"{self._name}: no samples for {self._silent_s:g} s")
            if self._blocks:
                block = self._blocks.popleft()
                self._held -= len(block.samples)
                self._changed.notify()
                return block
            if self._lost:
                lost, self._lost = self._lost, 0
                self._position += lost
                return Block(np.empty(0, dtype=np.float32), self._rate, self._position, lost, self._put_s)
            if self._error is not None:
                raise self._error
            return None
