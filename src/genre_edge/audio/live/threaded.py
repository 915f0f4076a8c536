"""`ThreadedSource`: a source that a separate thread opens and reads into a bounded queue."""

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

from genre_edge.audio.block import Block
from genre_edge.audio.live.queue import QUEUE_CAPACITY_S, TIMEOUT_S, BoundedBlockQueue
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError
from genre_edge.system.signals import blocked

_JOIN_TIMEOUT_S = 2.0  # less than the grace period of a command that shuts down (signals.GRACE_S)


class ThreadedSource(Source):
    """Source that a separate thread opens and reads, so that Ctrl-C interrupts neither.

    The thread waits for space in the queue while the source is ahead of real time, such as a file on a server; it never
    delays a live source.

    Args:
        open_source: opens the source, in the thread.
        timeout_s: seconds without samples after which the source has failed.

    Raises:
        Exception: any exception that `open_source` raises.
    """

    def __init__(self, open_source: Callable[[], Source], timeout_s: float = TIMEOUT_S) -> None:
        self._open_source, self._timeout_s = open_source, timeout_s
        self._opened: SimpleQueue[Source | Exception] = SimpleQueue()
        self._abandoned = False  # the caller failed or was interrupted
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        try:
            with blocked():
                self._thread.start()
            result = self._opened.get()
            if isinstance(result, Exception):
                raise result
            self._source = result
            self.name, self.rate, self.channels = result.name, result.rate, result.channels
        except BaseException:
            self._abandoned = True
            raise

    def _run(self) -> None:
        try:
            source = self._open_source()
        except Exception as error:
            self._opened.put(error)
            return
        try:
            self._queue = BoundedBlockQueue(source.name, source.rate, QUEUE_CAPACITY_S, self._timeout_s, can_block=True)
            self._opened.put(source)
            self._copy_blocks(source)
        except Exception as error:  # too little memory: the caller must not wait forever
            self._abandoned = True
            self._opened.put(error)
        if self._abandoned:
            source.close()

    def _copy_blocks(self, source: Source) -> None:
        try:
            for block in source.blocks():
                if self._abandoned:
                    return
                self._queue.put(block.samples, block.dropped)
            self._queue.end()
        except AudioError as error:
            self._queue.end(error)
        except Exception as error:  # closing a source while it is read may raise anything; report it to the reader
            self._queue.end(AudioError(f"{source.name}: {error}"))

    def blocks(self) -> Iterator[Block]:
        """Yield the source's blocks.

        Raises:
            AudioError: the source fails, or yields no samples for `timeout_s`.
        """
        return self._queue.blocks()

    def close(self) -> None:
        """Close the source and wait up to two seconds for the thread; a second call does nothing."""
        self._queue.end()  # unblocks a thread that waits for space
        self._source.close()
        self._thread.join(_JOIN_TIMEOUT_S)
