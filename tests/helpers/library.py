"""A small library of songs, and the rows of its database."""

from dataclasses import replace
from pathlib import Path

from genre_edge.library.database import FileRow, LibraryDatabase

MODEL = "nano"
SECONDS = 6.0


def rows(database: Path) -> dict[str, FileRow]:
    """Return the rows by the path's last two parts, without the time of the scan."""
    with LibraryDatabase(database, must_exist=True) as opened:
        return {"/".join(row.path.split("/")[-2:]): replace(row, scanned_at="") for row in opened.rows()}
