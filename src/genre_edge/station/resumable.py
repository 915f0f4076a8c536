"""`ResumableBlocks`: the blocks of a source for a classifier that starts again after a shortage of memory."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from genre_edge.audio.block import Block
from genre_edge.audio.source import Source


class ResumableBlocks(Source):
    """Source that can be iterated again after an error of its consumer; the block at fault then counts as dropped.

    Args:
        source: an open source.

    Attributes:
        source_failed: True if the source itself has raised an error.
    """

    def __init__(self, source: Source) -> None:
        self.name, self.rate, self.channels = source.name, source.rate, source.channels
        self._source, self._blocks = source, source.blocks()
        self._current: Block | None = None  # the consumer has not finished with it
        self.source_failed = False

    def mark_counted(self) -> None:
        """Tell that the dropped samples of the current block have been counted."""
        if self._current is not None:
            self._current = replace(self._current, dropped=0)

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks after the last one. Raises the source's errors."""
        failed, self._current = self._current, None
        lost = failed.dropped + len(failed.samples) if failed else 0
        while (block := self._next()) is not None:
            self._current = replace(block, dropped=block.dropped + lost) if lost else block
            lost = 0
            yield self._current
            self._current = None
        if failed and lost:  # it was the last block
            end = failed.position + len(failed.samples)
            yield Block(np.empty(0, np.float32), failed.rate, end, lost, failed.arrived_s)

    def _next(self) -> Block | None:
        try:
            block = next(self._blocks, None)
        except BaseException:
            self.source_failed = True
            raise
        self.rate, self.channels = self._source.rate, self._source.channels
        return block
