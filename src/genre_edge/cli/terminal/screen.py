"""The terminal's alternate screen: shows a rich renderable and restores the terminal afterwards."""

import logging
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live

from genre_edge.system.signals import blocked

REFRESHES_PER_S = 2
_MAX_RECORDS = 50


class RecentLogHandler(logging.Handler):
    """Log handler that keeps the most recent records while the alternate screen hides standard error.

    Attributes:
        records: the records, oldest first.
        last_s: monotonic clock at the last record, in seconds.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: deque[logging.LogRecord] = deque(maxlen=_MAX_RECORDS)
        self.last_s = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record."""
        self.records.append(record)
        self.last_s = time.monotonic()


def has_movable_cursor(console: Console) -> bool:
    """Return True if the console is a terminal that can move its cursor."""
    return console.is_terminal and not console.is_dumb_terminal


@contextmanager
def alternate_screen(renderable: RenderableType, console: Console, log_handler: RecentLogHandler) -> Iterator[None]:
    """Show a renderable on the alternate screen, and restore the terminal on exit, including after an exception.

    A thread draws it, so a slow terminal does not block the caller.

    Args:
        renderable: rendered `REFRESHES_PER_S` times a second.
        console: the terminal.
        log_handler: receives the log records; if standard error is a terminal, they are printed on exit.
    """
    live = Live(
        get_renderable=lambda: renderable,
        console=console,
        screen=True,
        refresh_per_second=REFRESHES_PER_S,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with _redirected_log(log_handler):
        try:
            _start(live)
            with _restored_while_suspended(live):
                yield
        finally:
            try:
                _stop(live)
            except KeyboardInterrupt:  # raised before `_stop` blocked the signals
                _stop(live)
                raise


def _start(live: Live) -> None:
    with blocked():
        live.start(refresh=True)


def _stop(live: Live) -> None:
    with blocked():  # an interrupt would leave the terminal half restored
        live.stop()


@contextmanager
def _restored_while_suspended(live: Live) -> Iterator[None]:
    """Restore the terminal while Ctrl-Z (SIGTSTP) suspends the process. An ignored SIGTSTP stays ignored."""

    def suspend(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # a second Ctrl-Z must not interrupt the restoration
        _stop(live)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)  # suspends the process until SIGCONT
        _start(live)
        signal.signal(signal.SIGTSTP, suspend)

    previous = signal.getsignal(signal.SIGTSTP)
    if previous is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGTSTP, suspend)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, previous)


@contextmanager
def _redirected_log(log_handler: RecentLogHandler) -> Iterator[None]:
    """Send log records to `log_handler`; on exit, print them if standard error is a terminal."""
    log, is_terminal = logging.getLogger("genre_edge"), sys.stderr.isatty()
    log.addHandler(log_handler)
    log.propagate = not is_terminal
    try:
        yield
    finally:
        log.removeHandler(log_handler)
        log.propagate = True
        for record in log_handler.records if is_terminal else ():
            log.handle(record)
