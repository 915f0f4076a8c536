"""JSON output: one array, or JSON Lines (one object for each line)."""

import json

from genre_edge.classify.verdict import Verdict
from genre_edge.output.renderer import Renderer
from genre_edge.output.text import portable


def json_line(verdict: Verdict, top: int | None) -> str:
    """Return a verdict as one line of JSON, pure ASCII, without a line break.

    Args:
        verdict: the verdict.
        top: maximum number of genres in each list; None for all.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    content = verdict.to_dict(top)
    return json.dumps(content | {"source": portable(verdict.source)}, allow_nan=False)


class JsonLinesRenderer(Renderer):
    """JSON Lines renderer: one object and one line for each verdict."""

    def write(self, verdict: Verdict) -> None:
        """Write a verdict as one line."""
        self._out.write(json_line(verdict, self._top) + "\n")


class JsonRenderer(Renderer):
    """JSON renderer: one array. `end` closes it after an exception too, so the output is always valid."""

    # An interrupt between writing a verdict and updating the separator costs a line break only.
    _separator = "\n"

    def __enter__(self) -> "JsonRenderer":
        self._out.write("[")
        return self

    def write(self, verdict: Verdict) -> None:
        """Write a verdict as the next element of the array."""
        self._out.write(self._separator + json_line(verdict, self._top))
        self._separator = ",\n"

    def end(self) -> None:
        """Close the array."""
        self._out.write("]\n" if self._separator == "\n" else "\n]\n")
