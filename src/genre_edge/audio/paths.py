"""Expansion of paths, directories and glob patterns from the command line to audio files."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from genre_edge.audio.suffixes import is_audio_name
from genre_edge.errors import AudioError

STDIN = "-"


def expand(argument: str) -> Iterator[str | AudioError]:
    """Expand one argument to audio files, sorted by name.

    Args:
        argument: `-` (standard input), a file, a directory (searched recursively for audio files), or a glob pattern;
            `**` matches directories recursively.

    Yields:
        Paths, or an AudioError for a directory that cannot be read and for an argument that matches no audio file. A
        path without wildcards is yielded unchecked: opening it gives the best error message.
    """
    if not argument:
        yield AudioError("'': No such file or directory")
    elif argument == STDIN or os.path.lexists(argument) or not glob.has_magic(argument):
        yield from _walk(argument) if os.path.isdir(argument) else [argument]  # noqa: PTH112 (never raises)
    else:
        yield from _glob(argument)


def _glob(pattern: str) -> Iterator[str | AudioError]:
    """Expand a glob pattern."""
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (absolute patterns too)
    if "**" in pattern:  # the pattern itself descends into directories
        matches = [match for match in matches if is_audio_name(match)]
    if not matches:
        yield AudioError(f"{pattern}: no file matches the pattern")
    for match in matches:
        yield from _walk(match) if os.path.isdir(match) else [match]  # noqa: PTH112


def _walk(directory: str) -> Iterator[str | AudioError]:
    """Yield all audio files below a directory, then an error for each directory that cannot be read."""
    errors: list[AudioError] = []
    visited: set[tuple[int, int]] = set()
    n_files = 0

    def on_error(error: OSError) -> None:
        errors.append(AudioError(f"{error.filename}: {error.strerror}"))

    for folder, subfolders, names in os.walk(directory, onerror=on_error, followlinks=True):
        info = Path(folder).stat()
        if (info.st_dev, info.st_ino) in visited:
            subfolders.clear()  # a cycle of links, or a second link to the same folder
            continue
        visited.add((info.st_dev, info.st_ino))
        subfolders.sort()
        for name in filter(is_audio_name, sorted(names)):
            n_files += 1
            yield os.path.join(folder, name)  # noqa: PTH118 (keeps the user's "./")
    yield from errors
    if not n_files and not errors:
        yield AudioError(f"{directory}: no audio files in this directory")
