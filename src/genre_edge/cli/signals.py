"""The signals that end a command that listens: they reach the main thread, and once only."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ENDING = signal.SIGINT, signal.SIGTERM
GRACE_S = 5  # for closing everything; what hangs longer is ended by the system


def interrupt_once() -> None:
    """From now on the first signal raises KeyboardInterrupt in the main thread, and no other disturbs the closing."""
    came = False

    def interrupt(number: int, frame: Any) -> None:
        nonlocal came
        if not came:
            came = True
            signal.alarm(GRACE_S)
            raise KeyboardInterrupt

    for number in ENDING:
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
