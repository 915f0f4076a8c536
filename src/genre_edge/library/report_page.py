"""A library's statistics as an HTML page that needs no other file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape

from genre_edge.library.database import FileRow
from genre_edge.library.statistics import Statistics
from genre_edge.output.text import printable

_STYLE = """
:root { color-scheme: light dark; --bar: #2a6f97; }
@media (prefers-color-scheme: dark) { :root { --bar: #61a5c2; } }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .2rem .6rem .2rem 0; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
td.number { text-align: right; white-space: nowrap; }
td.bar { width: 60%; }
td.bar div { background: var(--bar); height: 1rem; min-width: 1px; }
"""


def page(statistics: Statistics, title: str) -> str:
    """Return the page.

    Args:
        statistics: of the library.
        title: its title, such as the name of the database.
    """
    s = statistics
    failed = f", {s.n_failed} could not be classified" if s.n_failed else ""
    gone = f", {s.n_gone} are missing" if s.n_gone else ""
    parts = [
        f"<p>{s.n_files} files with {s.hours:.1f} hours of audio{failed}{gone}. "
        f"Model: {escape(', '.join(s.models)) or 'none'}.</p>",
        _chart("Genres", s.genres, s.n_files),
        _chart("Without a genre", s.reasons, s.n_files),
        _chart("Styles, the most probable of each file", s.styles, s.n_files),
        _chart("Sounds that are not music", s.sounds, s.n_files),
        _files("Doubtful files", s.doubtful, ("genre", "confidence", "file"), _doubt),
        _files("Files that could not be classified", s.failures, ("reason", "file"), _failure),
    ]
    name = escape(printable(title))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{name}</title>\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{name}</h1>\n{''.join(parts)}</body>\n</html>\n"
    )


def _chart(title: str, counts: list[tuple[str, int]], n_files: int) -> str:
    if not counts:
        return ""
    most = max(n for _, n in counts)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td class="number">{n}</td><td class="number">{n / n_files:.1%}</td>'
        f'<td class="bar"><div style="width: {100 * n / most:.1f}%"></div></td></tr>\n'
        for name, n in counts
    )
    return f"<h2>{escape(title)}</h2>\n<table>\n{rows}</table>\n"


def _files(title: str, rows: list[FileRow], columns: Iterable[str], cells: Callable[[FileRow], tuple[str, ...]]) -> str:
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in (*cells(row), printable(row.path)))}</tr>\n"
        for row in rows
    )
    return f"<h2>{escape(title)}</h2>\n<table>\n<tr>{head}</tr>\n{body}</table>\n"


def _doubt(row: FileRow) -> tuple[str, ...]:
    return row.genre or row.reason or "-", f"{row.confidence:.0%}"


def _failure(row: FileRow) -> tuple[str, ...]:
    return (printable(row.error or ""),)
