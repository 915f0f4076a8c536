"""A library's rows as CSV, JSON or Parquet. The columns are those of the table `files` (docs/library.md)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, BinaryIO

from genre_edge.errors import GenreEdgeError
from genre_edge.library.database import FileRow
from genre_edge.output.text import portable

_ROWS_PER_GROUP = 10_000  # of a Parquet file, all of which are in memory


def record(row: FileRow) -> dict[str, Any]:
    """Return a row with valid Unicode as path, and with genres and styles as lists."""
    return asdict(row) | {
        "path": portable(row.path),
        "genres": json.loads(row.genres),
        "styles": json.loads(row.styles),
    }


def write_json(rows: Iterable[FileRow], out: BinaryIO) -> None:
    """Write one array, an object a line, pure ASCII."""
    separator = "["
    for row in rows:
        out.write(f"{separator}\n{json.dumps(record(row), allow_nan=False)}".encode())
        separator = ","
    out.write(b"[]\n" if separator == "[" else b"\n]\n")


def write_csv(rows: Iterable[FileRow], out: BinaryIO) -> None:
    """Write a header and a line for each row (RFC 4180); genres and styles are JSON."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    try:
        writer = csv.DictWriter(text, list(FileRow.__dataclass_fields__))
        writer.writeheader()
        writer.writerows(asdict(row) | {"path": portable(row.path)} for row in rows)
    finally:
        text.detach()


def write_parquet(rows: Iterable[FileRow], out: BinaryIO) -> None:
    """Write a Parquet file; genres and styles are JSON.

    Raises:
        GenreEdgeError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise GenreEdgeError("Parquet needs pyarrow; run: pip install 'genre-edge[library]'") from None
    types = {"int": pyarrow.int64(), "float": pyarrow.float64(), "str": pyarrow.string()}
    fields = FileRow.__dataclass_fields__.values()
    schema = pyarrow.schema([(field.name, types[str(field.type).split(" ")[0]]) for field in fields])
    with parquet.ParquetWriter(out, schema) as writer:
        for group in _groups(rows):
            records = [asdict(row) | {"path": portable(row.path)} for row in group]
            writer.write_table(pyarrow.Table.from_pylist(records, schema))


def _groups(rows: Iterable[FileRow]) -> Iterator[list[FileRow]]:
    group: list[FileRow] = []
    for row in rows:
        group.append(row)
        if len(group) == _ROWS_PER_GROUP:
            yield group
            group = []
    if group:
        yield group


WRITERS = {"csv": write_csv, "json": write_json, "parquet": write_parquet}
