"""Termination signals: SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal closes).

While modules are imported, the signals end the program immediately; later they raise KeyboardInterrupt, so that a
command can clean up.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

TERMINATION_SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
GRACE_S = 5  # seconds that a live command has for its clean-up; then SIGALRM ends it


def default_sigint() -> None:
    """Let Ctrl-C end the program immediately and silently, as SIGTERM and SIGHUP do by default.

    During an import, a KeyboardInterrupt would print a traceback or look like a missing library. A SIGINT that the
    parent process ignores, as for background jobs, stays ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_interrupt() -> None:
    """Make termination signals raise KeyboardInterrupt in the main thread; for commands that need a clean-up."""
    install(signal.default_int_handler)


def install(handler: Callable[[int, Any], None]) -> None:
    """Install a handler for the termination signals, except those that the parent ignores, as `nohup` does."""
    for number in TERMINATION_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def raise_interrupt_once() -> None:
    """Make the first termination signal raise KeyboardInterrupt in the main thread, and ignore later ones.

    For live commands: the clean-up is not interrupted, but SIGALRM ends the program after `GRACE_S`.
    """
    received = False

    def interrupt(number: int, frame: Any) -> None:
        nonlocal received
        if not received:
            received = True
            signal.alarm(GRACE_S)
            raise KeyboardInterrupt

    install(interrupt)


@contextmanager
def blocked() -> Iterator[None]:
    """Block the termination signals in this thread; threads started in the context keep them blocked.

    Start all threads in this context. The system delivers a signal to any thread that does not block it, while Python
    runs handlers in the main thread only: the main thread would go on waiting for audio and never notice the signal.
    """
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    try:
        # A signal that arrived just before raises here, when all are blocked already.
        signal.pthread_sigmask(signal.SIG_BLOCK, TERMINATION_SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


@contextmanager
def deferred() -> Iterator[None]:
    """Run the Python handlers of the termination signals after the context, not within it.

    For calls into a library that calls back into Python, where an exception would be printed and lost.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers run in the main thread only
        return
    received: list[tuple[int, Any]] = []
    handlers = {number: signal.getsignal(number) for number in TERMINATION_SIGNALS}
    replaced = {number: handler for number, handler in handlers.items() if callable(handler)}
    try:
        for signal_number in replaced:
            signal.signal(signal_number, lambda number, frame: received.append((number, frame)))
        yield
    finally:
        for signal_number, handler in replaced.items():
            signal.signal(signal_number, handler)
        for number, frame in received[:1]:
            replaced[signal.Signals(number)](number, frame)
