"""A terminal's second screen, lent to a moving picture and given back whatever happens."""

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


class LogKeeper(logging.Handler):
    """Keeps the last lines of the log while nothing may be written between the lines of a picture.

    Attributes:
        last_s: monotonic clock at the last line.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: deque[logging.LogRecord] = deque(maxlen=50)
        self.last_s = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.last_s = time.monotonic()


def can_move(console: Console) -> bool:
    """Whether it is a terminal whose cursor can be moved."""
    return console.is_terminal and not console.is_dumb_terminal


@contextmanager
def on_screen(picture: RenderableType, console: Console, keeper: LogKeeper) -> Iterator[None]:
    """Show the picture as it changes until the end, whatever the end is; then the terminal is as it was.

    A thread draws it, so a terminal that is slow keeps nobody waiting. What is logged meanwhile goes to `keeper`, and,
    where standard error is a terminal too, is written at the end.
    """
    live = Live(
        get_renderable=lambda: picture,
        console=console,
        screen=True,
        refresh_per_second=REFRESHES_PER_S,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with _log_kept(keeper):
        try:
            _take(live)
            with _given_back_at_ctrl_z(live):
                yield
        finally:
            try:
                _give_back(live)
            except KeyboardInterrupt:  # perhaps just before
                _give_back(live)
                raise


def _take(live: Live) -> None:
    with blocked():
        live.start(refresh=True)


def _give_back(live: Live) -> None:
    with blocked():  # half of it would be the shell's
        live.stop()


@contextmanager
def _given_back_at_ctrl_z(live: Live) -> Iterator[None]:
    """Let the shell have its screen for as long as the program is stopped. Where Ctrl-Z is ignored it stays so."""

    def stop(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # another one must not find the screen half given
        _give_back(live)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTSTP)  # here it stands still until SIGCONT
        _take(live)
        signal.signal(signal.SIGTSTP, stop)

    before = signal.getsignal(signal.SIGTSTP)
    if before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGTSTP, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)


@contextmanager
def _log_kept(keeper: LogKeeper) -> Iterator[None]:
    log, on_terminal = logging.getLogger("genre_edge"), sys.stderr.isatty()
    log.addHandler(keeper)
    log.propagate = not on_terminal
    try:
        yield
    finally:
        log.removeHandler(keeper)
        log.propagate = True
        for record in keeper.records if on_terminal else ():
            log.handle(record)
