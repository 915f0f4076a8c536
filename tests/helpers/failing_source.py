"""Sources that fail, and functions that open one after the other."""

from collections.abc import Callable, Iterator

import numpy as np

from genre_edge.audio.block import Block
from genre_edge.audio.live.reconnect import RetryPolicy
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError

NO_DELAY = RetryPolicy(initial_delay_s=0.0, max_delay_s=0.0)
LONG_DELAY = RetryPolicy(initial_delay_s=1000, max_delay_s=1000)
OPEN: list["FailingSource"] = []


class FailingSource(Source):
    """Source of blocks `(arrived_s, n_samples)` that then ends, or fails."""

    def __init__(self, rate: int, blocks: list[tuple[float, int]], error: str | None = None) -> None:
        assert not OPEN, "two sources are open"
        OPEN.append(self)
        self.name, self.rate, self.channels = "card", rate, 1
        self._blocks, self._error = blocks, error

    def blocks(self) -> Iterator[Block]:
        position = 0
        for arrived_s, n in self._blocks:
            yield Block(np.zeros(n, dtype=np.float32), self.rate, position, 0, arrived_s)
            position += n
        if self._error:
            raise AudioError(self._error)

    def close(self) -> None:
        if self in OPEN:
            OPEN.remove(self)


def open_sequence(*openings: Callable[[], Source]) -> Callable[[], Source]:
    """Return a function that calls the openings one after the other, then fails."""
    left = list(openings)

    def open_source() -> Source:
        if not left:
            raise AudioError("card: unplugged")
        return left.pop(0)()

    return open_source


def unplugged() -> Source:
    raise AudioError("card: no such device")
