"""The output formats of `genre-edge classify --format`, by name."""

from collections.abc import Callable
from typing import TextIO

from genre_edge.output.csv_format import CsvRenderer
from genre_edge.output.json_format import JsonLinesRenderer, JsonRenderer
from genre_edge.output.renderer import Renderer
from genre_edge.output.table import TableRenderer

FORMATS: dict[str, Callable[[TextIO, int | None], Renderer]] = {
    "table": TableRenderer,
    "json": JsonRenderer,
    "jsonl": JsonLinesRenderer,
    "csv": CsvRenderer,
}
