"""Playlists (extended M3U, UTF-8) of a library's files, one for each genre or style."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from genre_edge.library.database import FileRow

_NOT_IN_NAMES = re.compile(r"[^\w &'+-]")


def file_name(name: str) -> str:
    """Return the playlist's file name for a genre or style."""
    return f"{_NOT_IN_NAMES.sub('_', name)}.m3u8"


def is_listable(path: str) -> bool:
    """Return True if a playlist can name the file: its path is UTF-8 and has no line break."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return "\n" not in path and "\r" not in path


def playlist(rows: Iterable[FileRow], relative_to: Path | None = None) -> str:
    """Return the content of a playlist of files that are listable.

    Args:
        rows: the files.
        relative_to: the playlist's folder, if it is to name files relative to it.
    """
    lines = ["#EXTM3U"]
    for row in rows:
        title = os.path.splitext(os.path.basename(row.path))[0]  # noqa: PTH119, PTH122 (a path may be any string)
        path = row.path if relative_to is None else os.path.relpath(row.path, relative_to)
        path = f"./{path}" if path.startswith("#") else path  # a line with # is a comment
        lines += [f"#EXTINF:{round(row.duration_s or -1)},{title}", path]
    return "\n".join(lines) + "\n"
