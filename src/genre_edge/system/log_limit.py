"""`LogLimit`: bounds how often a logger repeats itself, so that clients and failures cannot fill the log."""

import logging
import threading
import time

from genre_edge.system.shortage import describe_shortage

MAX_RECORDS = 5  # of one logger
INTERVAL_S = 60.0


class LogLimit(logging.Filter):
    """Filter that passes `MAX_RECORDS` records in `INTERVAL_S`; the next record tells how many it suppressed.

    A shortage of descriptors, memory or threads becomes one line without a traceback.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._start_s, self._n_passed, self._n_suppressed = float("-inf"), 0, 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record may be logged; may change its message."""
        with self._lock:
            now = time.monotonic()
            if now - self._start_s >= INTERVAL_S:
                self._start_s, self._n_passed = now, 0
            if self._n_passed == MAX_RECORDS:
                self._n_suppressed += 1
                return False
            self._n_passed += 1
            n_suppressed, self._n_suppressed = self._n_suppressed, 0
        error = record.exc_info[1] if record.exc_info else None
        message = record.getMessage()
        if error is not None and (shortage := describe_shortage(error)):
            message, record.exc_info = f"web server: {shortage}; a connection or a request failed", None
        if n_suppressed:
            message = f"{message} ({n_suppressed} more since the previous message)"
        record.msg, record.args = message, None
        return True


def limit_log(name: str) -> None:
    """Bound a logger's rate; a second call starts again."""
    logger = logging.getLogger(name)
    logger.filters = [other for other in logger.filters if not isinstance(other, LogLimit)]
    logger.addFilter(LogLimit())
