"""CSV output (RFC 4180)."""

import csv
from typing import Any, TextIO

from genre_edge.classify.verdict import Segment, Verdict
from genre_edge.output.renderer import Renderer
from genre_edge.output.text import portable

DEFAULT_TOP = 3


class CsvRenderer(Renderer):
    """CSV renderer: a header, then one row for each verdict (`kind` "file") and each segment (`kind` "segment")."""

    def __init__(self, out: TextIO, top: int | None) -> None:
        super().__init__(out, top)
        self._n_genres = DEFAULT_TOP if top is None else top
        self._writer = csv.writer(out)
        ranks = range(1, self._n_genres + 1)
        ranked = [name for rank in ranks for name in (f"genre_{rank}", f"probability_{rank}")]
        self._writer.writerow(
            ["source", "kind", "start_s", "end_s", "genre", "confidence", "reason", *ranked, "styles", "sound"]
        )

    def write(self, verdict: Verdict) -> None:
        """Write the row of a verdict, and a row for each segment."""
        self._row(verdict.source, "file", verdict)
        for segment in verdict.segments:
            self._row(verdict.source, "segment", segment)

    def _row(self, source: str, kind: str, part: Segment) -> None:
        ranked: list[Any] = [value for g in part.genres[: self._n_genres] for value in (g.genre, g.probability)]
        ranked += [""] * (2 * self._n_genres - len(ranked))
        row = [portable(source), kind, part.start_s, part.end_s, part.genre, part.confidence, part.reason]
        styles = "; ".join(f"{entry.style} {entry.probability:.2f}" for entry in part.styles)
        self._writer.writerow([*row, *ranked, styles, part.sound])
