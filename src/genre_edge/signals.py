"""Ctrl-C and SIGTERM: at first they end the program at once, later it is given the time to end well."""

import signal
from typing import Any


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
