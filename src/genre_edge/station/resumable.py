"""`ResumableBlocks`: the blocks of a source for a classifier that starts again after a shortage or a pause."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from genre_edge.audio.block import Block
from genre_edge.audio.pipe import PcmSource
from genre_edge.audio.source import Source
from genre_edge.system.shortage import describe_shortage

_RETRY_S = 0.01


class PausedError(Exception):
    """Raised at the first block after a pause: audio before and after it must not be in one verdict."""


@dataclass
class Pause:
    """State that one thread writes and another reads.

    Attributes:
        active: True while blocks are discarded.
        count: number of pauses so far.
    """

    active: bool = False
    count: int = 0


class ResumableBlocks(Source):
    """Source that can be iterated again after an error of its consumer; the failed block then counts as dropped.

    A shortage in a pipe, whose samples wait, is no error: reading continues without a loss. Blocks that arrive in a
    pause are discarded; they do not count as dropped.

    Args:
        source: an open source.
        on_shortage: called with each shortage in a pipe.
        pause: whether there is a pause.

    Attributes:
        is_over: True once the source has ended or failed.
    """

    def __init__(
        self, source: Source, on_shortage: Callable[[Exception], None] = lambda _: None, pause: Pause | None = None
    ) -> None:
        self.name, self.rate, self.channels = source.name, source.rate, source.channels
        self._source, self._blocks, self._on_shortage = source, source.blocks(), on_shortage
        self._pause = pause or Pause()
        self._current: Block | None = None  # the consumer has not finished with it
        self._resumed: Block | None = None  # the first block after a pause
        self.is_over = False

    def mark_counted(self) -> None:
        """Tell that the dropped samples of the current block have been counted."""
        if self._current is not None:
            self._current = replace(self._current, dropped=0)

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks after the last one.

        Raises:
            PausedError: there was a pause; another call yields the blocks after it.
            AudioError: the source fails.
        """
        failed, self._current = self._current, None
        lost = failed.dropped + len(failed.samples) if failed else 0
        n_pauses = self._pause.count
        while (block := self._next_unpaused()) is not None:
            if self._pause.count != n_pauses:
                self._resumed = block
                raise PausedError
            self._current = replace(block, dropped=block.dropped + lost) if lost else block
            lost = 0
            yield self._current
            self._current = None
        if failed and lost:  # it was the last block
            end = failed.position + len(failed.samples)
            yield Block(np.empty(0, np.float32), failed.rate, end, lost, failed.arrived_s)

    def _next_unpaused(self) -> Block | None:
        block, self._resumed = self._resumed, None
        while block is None or self._pause.active:
            if (block := self._next()) is None:
                return None
        return block

    def _next(self) -> Block | None:
        while not self.is_over:
            try:
                block = next(self._blocks, None)
                self.is_over = block is None
                self.rate, self.channels = self._source.rate, self._source.channels
                return block
            except Exception as error:
                self.is_over = not isinstance(self._source, PcmSource) or describe_shortage(error) is None
                if self.is_over:
                    raise
                self._on_shortage(error)
                self._blocks = self._source.blocks()
                time.sleep(_RETRY_S)
        return None
