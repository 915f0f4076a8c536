"""`Renderer`: base class of the output formats. `formats.py` lists them."""

from types import TracebackType
from typing import TextIO

from genre_edge.classify.verdict import Verdict


class Renderer:
    """Base class that writes verdicts to a text stream one by one, in constant memory. Use as a context manager.

    Args:
        out: the text stream; the caller flushes and closes it.
        top: maximum number of genres for each verdict and segment; None for the format's default.
    """

    def __init__(self, out: TextIO, top: int | None) -> None:
        self._out, self._top = out, top

    def __enter__(self) -> "Renderer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def write(self, verdict: Verdict) -> None:
        """Write one verdict, with its segments if it has any.

        Raises:
            OSError: the stream cannot be written.
        """
        raise NotImplementedError

    def end(self) -> None:
        """Write the end of the document, if the format has one."""
