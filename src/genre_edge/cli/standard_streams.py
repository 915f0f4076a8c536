"""Set-up of standard input, output and error, which a parent process may have closed."""

import io
import os
import sys


def open_closed_streams() -> None:
    """Open each closed standard stream on /dev/null; otherwise the next opened file would take its descriptor."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            _redirect_to_null(descriptor)
            # closefd=False: replacing the stream object must not close its descriptor.
            setattr(sys, name, os.fdopen(descriptor, "w" if descriptor else "r", closefd=False))


def escape_unencodable_output() -> None:
    """Print characters that the terminal's encoding lacks (in paths, for example) as backslash escapes."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def silence_libraries() -> None:
    """Discard what C libraries print on descriptor 2 (TensorFlow Lite, libmpg123), and on descriptor 1 (libsndfile).

    `sys.stdout` and `sys.stderr` still work. A terminal stays on descriptor 1: libraries ask it for its width.
    """
    if not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)
        _redirect_to_null(1)
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
    _redirect_to_null(2)


def discard_output() -> None:
    """Discard what standard output has buffered, so that flushing it at exit raises no second error."""
    _redirect_to_null(sys.stdout.fileno())


def _redirect_to_null(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
