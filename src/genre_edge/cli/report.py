"""`genre-edge report`: what a scanned library consists of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from genre_edge.cli.options import DatabaseOption

if TYPE_CHECKING:
    from genre_edge.library.statistics import Statistics

_BAR = 40  # characters


def report(
    db: DatabaseOption,
    html: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Write an HTML page that needs no other file, instead of text."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Number of doubtful files and of failures to list.")] = 20,
) -> None:
    """Show the genres and styles of a scanned library, doubtful files first, and what could not be classified."""
    from genre_edge.library.database import LibraryDatabase
    from genre_edge.library.report_page import page
    from genre_edge.library.statistics import statistics
    from genre_edge.system.atomic_write import write_atomically

    with LibraryDatabase(db, must_exist=True) as database:
        found = statistics(database, top)
    if html is None:
        _print(found)
    else:
        write_atomically(html, page(found, db.stem).encode())


def _print(statistics: Statistics) -> None:
    from genre_edge.output.text import one_line, printable

    s = statistics
    print(f"{s.n_files} files, {s.hours:.1f} hours of audio, {s.n_failed} failed, {s.n_gone} missing")
    charts = (("genres", s.genres), ("without a genre", s.reasons), ("styles", s.styles), ("sounds", s.sounds))
    for title, counts in charts:
        if counts:
            print(f"\n{title}")
            width = max(len(name) for name, _ in counts)
            for name, n in counts:
                bar = "█" * max(1, round(_BAR * n / counts[0][1]))
                print(f"  {name:<{width}}  {n:>7}  {n / max(1, s.n_files):>6.1%}  {bar}")
    if s.doubtful:
        print("\ndoubtful files")
        for row in s.doubtful:
            print(f"  {row.genre or row.reason or '-':<14}  {row.confidence:>4.0%}  {printable(row.path)}")
    if s.failures:
        print("\nfiles that could not be classified")
        for row in s.failures:
            print(f"  {printable(row.path)}: {one_line(row.error or '')}")
