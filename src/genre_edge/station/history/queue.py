"""`WriteBehindQueue`: verdicts that are not in the database yet."""

import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from genre_edge.station.history.store import Row

BATCH_SIZE = 100  # queued verdicts that trigger a write
BATCH_INTERVAL_S = 60.0  # seconds after which a smaller batch is written
MAX_PENDING = 1000  # verdicts queued while the database cannot be written


class _Pending(NamedTuple):
    number: int
    row: Row


class WriteBehindQueue:
    """Bounded FIFO queue of rows. When it is full, the oldest row is discarded. Thread-safe.

    The lock is never held during disk access.

    Attributes:
        n_discarded: number of rows discarded so far.
    """

    def __init__(self) -> None:
        self._pending: deque[_Pending] = deque(maxlen=MAX_PENDING)
        self._count = 0  # number of rows appended so far
        self.n_discarded = 0
        self._written_from = 1  # number of the first row of the last snapshot
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._pending)

    def is_closed(self) -> bool:
        """Return True after `close`."""
        return self._closed

    def append(self, row: Row) -> None:
        """Append a row; does not block."""
        with self._changed:
            self._count += 1
            self.n_discarded += len(self._pending) == self._pending.maxlen
            self._pending.append(_Pending(self._count, row))
            if len(self._pending) >= BATCH_SIZE:
                self._changed.notify()

    def rows(self) -> list[Row]:
        """Return the queued rows, oldest first."""
        with self._changed:
            return [pending.row for pending in self._pending]

    def snapshot(self) -> tuple[int, list[Row]]:
        """Return the number of the last queued row, for `discard_through`, and the queued rows, oldest first."""
        with self._changed:
            self._written_from = self._first_number()
            return self._count, [pending.row for pending in self._pending]

    def discard_through(self, number: int) -> None:
        """Remove the rows of the last snapshot, up to and including `number`: they have been written."""
        with self._changed:
            self.n_discarded -= (
                min(self._first_number(), number + 1) - self._written_from
            )  # discarded by `append` while written
            while self._pending and self._pending[0].number <= number:
                self._pending.popleft()

    def _first_number(self) -> int:
        return self._pending[0].number if self._pending else self._count + 1

    def wait_for_batch(self, is_failing: Callable[[], bool]) -> bool:
        """Block until a batch is due. Return False once the queue is closed.

        Args:
            is_failing: while it returns True, a full batch waits for `BATCH_INTERVAL_S` as well, so that a failing
                write is not retried at each verdict.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or (len(self._pending) >= BATCH_SIZE and not is_failing()), BATCH_INTERVAL_S
            )
            return not self._closed

    def close(self) -> None:
        """Wake the thread in `wait_for_batch`; rows stay queued."""
        with self._changed:
            self._closed = True
            self._changed.notify()
