"""A source that its own thread opens and reads into a bounded queue."""

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

from genre_edge.audio.block import Block
from genre_edge.audio.live.queue import ROOM_S, SILENT_S, BoundedBlockQueue
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError
from genre_edge.system.signals import blocked

_JOIN_S = 2.0  # less than a command that ends is given


class ThreadedSource(Source):
    """A source that a thread of its own opens and reads into a ring: a Ctrl-C interrupts neither.

    While it is ahead of real time, as a file on a server is, it is kept waiting for room; what is live never is.

    Args:
        open_source: opens it, in that thread; what it raises is raised here.
        silent_s: with no samples for this long, it is gone.
    """

    def __init__(self, open_source: Callable[[], Source], silent_s: float = SILENT_S) -> None:
        self._open_source, self._silent_s = open_source, silent_s
        self._opened: SimpleQueue[Source | Exception] = SimpleQueue()
        self._forsaken = False  # by a caller who was interrupted
        self._thread = threading.Thread(target=self._run, name="pump", daemon=True)
        try:
            with blocked():
                self._thread.start()
            found = self._opened.get()
            if isinstance(found, Exception):
                raise found
            self._source = found
            self.name, self.rate, self.channels = found.name, found.rate, found.channels
        except BaseException:
            self._forsaken = True
            raise

    def _run(self) -> None:
        try:
            source = self._open_source()
        except Exception as error:
            self._opened.put(error)
            return
        self._ring = BoundedBlockQueue(source.name, source.rate, ROOM_S, self._silent_s, can_wait=True)
        self._opened.put(source)
        self._pump(source)
        if self._forsaken:
            source.close()

    def _pump(self, source: Source) -> None:
        try:
            for block in source.blocks():
                if self._forsaken:
                    return
                self._ring.put(block.samples, block.dropped)
            self._ring.end()
        except AudioError as error:
            self._ring.end(error)
        except Exception as error:  # closing under a reading thread may raise anything; nobody else would hear of it
            self._ring.end(AudioError(f"{source.name}: {error}"))

    def blocks(self) -> Iterator[Block]:
        return self._ring.blocks()

    def close(self) -> None:
        self._ring.end()  # a thread that waits for room need not
        self._source.close()
        self._thread.join(_JOIN_S)
