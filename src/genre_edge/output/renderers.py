"""Verdicts as text, one renderer a format; each writes as verdicts come, in constant memory."""

import csv
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, TextIO

from genre_edge.classify.verdict import Segment, Verdict
from genre_edge.output.text import portable, printable


def json_line(verdict: Verdict, top: int | None) -> str:
    """One verdict as one line of JSON, pure ASCII."""
    content = verdict.to_dict(top)
    return json.dumps(content | {"source": portable(verdict.source)}, allow_nan=False)


class Renderer:
    """Writes verdicts to `out`; a context manager, so that what was begun is also ended."""

    def __init__(self, out: TextIO, top: int | None) -> None:
        self._out, self._top = out, top

    def __enter__(self) -> "Renderer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def verdict(self, verdict: Verdict) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """Write what closes the output."""


class JsonLines(Renderer):
    """One object a line."""

    def verdict(self, verdict: Verdict) -> None:
        self._out.write(json_line(verdict, self._top) + "\n")


class Json(Renderer):
    """One array. It is closed after an interrupt too, so the output is always valid."""

    _before = "\n"  # an interrupt may come between a verdict and its change: then nothing but a line break is missing

    def __enter__(self) -> "Json":
        self._out.write("[")
        return self

    def verdict(self, verdict: Verdict) -> None:
        self._out.write(self._before + json_line(verdict, self._top))
        self._before = ",\n"

    def end(self) -> None:
        self._out.write("]\n" if self._before == "\n" else "\n]\n")


class Csv(Renderer):
    """One row a verdict, and with segments one row each, told apart by `kind` (file, segment)."""

    def __init__(self, out: TextIO, top: int | None) -> None:
        super().__init__(out, 3 if top is None else top)
        self._writer = csv.writer(out)
        ranks = range(1, (self._top or 0) + 1)
        places = [name for rank in ranks for name in (f"genre_{rank}", f"probability_{rank}")]
        self._writer.writerow(["source", "kind", "start_s", "end_s", "genre", "confidence", "reason", *places])

    def verdict(self, verdict: Verdict) -> None:
        self._row(verdict.source, "file", verdict)
        for segment in verdict.segments:
            self._row(verdict.source, "segment", segment)

    def _row(self, source: str, kind: str, part: Segment) -> None:
        top = self._top or 0
        places: list[Any] = [value for g in part.genres[:top] for value in (g.genre, g.probability)]
        places += [""] * (2 * top - len(places))
        head = [portable(source), kind, part.start_s, part.end_s, part.genre, part.confidence, part.reason]
        self._writer.writerow(head + places)


class Table(Renderer):
    """For reading: the name comes last, so that no column has to be guessed."""

    def __init__(self, out: TextIO, top: int | None) -> None:
        super().__init__(out, 3 if top is None else top)
        self._width = 22 * (self._top or 0)
        self._out.write(f"{'genre':<10}  {'sure':>5}  {'most probable':<{self._width}}  source\n")

    def verdict(self, verdict: Verdict) -> None:
        self._row(verdict, printable(verdict.source))
        for segment in verdict.segments:
            self._row(segment, f"  {segment.start_s:8.1f} - {segment.end_s:.1f} s")

    def _row(self, part: Segment, name: str) -> None:
        # For what is no music, confidence is a genre's if it were music; here it would read as sure of "not_music".
        sure = "-" if part.confidence is None or part.reason == "not_music" else f"{part.confidence:.0%}"
        places = ", ".join(f"{g.genre} {g.probability:.0%}" for g in part.genres[: self._top])
        text = ": ".join(filter(None, [part.reason, places]))
        self._out.write(f"{part.genre or '-':<10}  {sure:>5}  {text:<{self._width}}  {name}\n")


FORMATS: dict[str, Callable[[TextIO, int | None], Renderer]] = {
    "table": Table,
    "json": Json,
    "jsonl": JsonLines,
    "csv": Csv,
}
