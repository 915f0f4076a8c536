"""Messages on standard error: one line each, "genre-edge: MESSAGE", safe to print on a terminal."""

import logging
import sys

from genre_edge.output.text import one_line


def print_message(message: object) -> None:
    """Print a message, such as an error, as one line on standard error."""
    print(f"genre-edge: {one_line(str(message))}", file=sys.stderr, flush=True)


class OneLineFormatter(logging.Formatter):
    """Log formatter with the output of `print_message`: names of files and devices may contain control characters."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        """Return the message as one printable line."""
        return one_line(super().formatMessage(record))


def log_to_stderr() -> None:
    """Write warnings and errors of the log to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLineFormatter("genre-edge: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
