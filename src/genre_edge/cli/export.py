"""`genre-edge export`: a library's results as CSV, JSON or Parquet."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from genre_edge.cli.options import DatabaseOption
from genre_edge.errors import ParameterError


class ExportFormat(str, Enum):
    """Formats of exported results."""

    csv = "csv"
    json = "json"
    parquet = "parquet"


def export(
    db: DatabaseOption,
    format: Annotated[ExportFormat, typer.Option(help="Output format.")] = ExportFormat.csv,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Output file (default: standard output; required for parquet)."),
    ] = None,
) -> None:
    """Write the results of a scanned library, a row for each file, missing and failed files included."""
    from genre_edge.library.database import LibraryDatabase
    from genre_edge.library.exporting import WRITERS
    from genre_edge.system.atomic_write import open_atomically

    if out is None and format is ExportFormat.parquet:
        raise ParameterError("--format parquet needs --out")
    write = WRITERS[format.value]
    with LibraryDatabase(db, must_exist=True) as database:
        if out is None:
            sys.stdout.flush()
            write(database.rows(), sys.stdout.buffer)
        else:
            with open_atomically(out) as file:
                write(database.rows(), file)
