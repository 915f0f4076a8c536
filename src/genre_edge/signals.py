"""Ctrl-C and SIGTERM: at first they end the program at once, later it is given the time to end well."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ENDING = signal.SIGINT, signal.SIGTERM
GRACE_S = 5  # for a command that listens to close everything; what hangs longer is ended by the system


def end_at_once() -> None:
    """Ctrl-C ends the program without a word, as SIGTERM does anyway: out of an import it would be a page of traceback,
    or look like a library that is missing. Where the parent has it ignored, as for programs in the background, it stays
    ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def end_well() -> None:
    """Both raise KeyboardInterrupt in the main thread. For when all is imported, and something is to be finished."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def interrupt_once() -> None:
    """For a command that listens: the first signal raises KeyboardInterrupt in the main thread, no other disturbs it.

    Ctrl-C stays ignored where the parent has it so.
    """
    came = False

    def interrupt(number: int, frame: Any) -> None:
        nonlocal came
        if not came:
            came = True
            signal.alarm(GRACE_S)
            raise KeyboardInterrupt

    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


@contextmanager
def held() -> Iterator[None]:
    """Hold them back for a moment. Threads begun meanwhile never take one.

    The system gives a signal to any thread that takes it, and of two at once the main thread may see none. It would
    then go on waiting for sound, and Python's handlers run in no other thread.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
