"""Ctrl-C, SIGTERM, a terminal that closes: at first they end the program at once, later it has the time to end well."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

ENDING = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
GRACE_S = 5  # for a command that listens to close everything; what hangs longer is ended by the system


def default_sigint() -> None:
    """Ctrl-C ends the program without a word, as the others do anyway: out of an import it would be a page of
    traceback, or look like a library that is missing. Where the parent has it ignored, as for programs in the
    background, it stays ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_interrupt() -> None:
    """They raise KeyboardInterrupt in the main thread. For when all is imported, and something is to be finished."""
    install(signal.default_int_handler)


def install(handler: Callable[[int, Any], None]) -> None:
    """Let a function take them; not those that the parent has ignored, as `nohup` does."""
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def raise_interrupt_once() -> None:
    """For a command that listens: the first raises KeyboardInterrupt in the main thread, no other disturbs it."""
    came = False

    def interrupt(number: int, frame: Any) -> None:
        nonlocal came
        if not came:
            came = True
            signal.alarm(GRACE_S)
            raise KeyboardInterrupt

    install(interrupt)


@contextmanager
def blocked() -> Iterator[None]:
    """Hold them back for a moment. Threads begun meanwhile never take one.

    The system gives a signal to any thread that takes it, and of two at once the main thread may see none. It would
    then go on waiting for sound, and Python's handlers run in no other thread.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # one that came just before is raised here, with all blocked
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
