"""Paths from the command line -> the files that they mean, in a stable order."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from genre_edge.audio.files import SUFFIXES
from genre_edge.errors import AudioError

STDIN = "-"


def expand(argument: str) -> Iterator[str | AudioError]:
    """A file, `-`, all audio below a directory, or what a pattern matches; an error in the place of nothing.

    A plain name is given as it is: opening it says best what is wrong with it.
    """
    if not argument:
        yield AudioError("'': No such file or directory")
    elif argument == STDIN or os.path.lexists(argument) or not glob.has_magic(argument):
        yield from _below(argument) if os.path.isdir(argument) else [argument]  # noqa: PTH112 (never raises)
    else:
        yield from _matching(argument)


def _matching(pattern: str) -> Iterator[str | AudioError]:
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (absolute patterns too)
    if "**" in pattern:  # it has gone into the directories itself
        matches = [match for match in matches if is_audio_name(match)]
    if not matches:
        yield AudioError(f"{pattern}: the pattern matches nothing")
    for match in matches:
        yield from _below(match) if os.path.isdir(match) else [match]  # noqa: PTH112


def is_audio_name(path: str | Path) -> bool:
    """Whether a name found in a directory says audio; hidden files are other programs' leavings ("._song.mp3")."""
    path = Path(path)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _below(directory: str) -> Iterator[str | AudioError]:
    problems: list[AudioError] = []
    visited: set[tuple[int, int]] = set()
    found = 0

    def unreadable(error: OSError) -> None:
        problems.append(AudioError(f"{error.filename}: {error.strerror}"))

    for folder, subfolders, names in os.walk(directory, onerror=unreadable, followlinks=True):
        info = Path(folder).stat()
        if (info.st_dev, info.st_ino) in visited:
            subfolders.clear()  # links in a circle, or two ways to one folder
            continue
        visited.add((info.st_dev, info.st_ino))
        subfolders.sort()
        for name in filter(is_audio_name, sorted(names)):
            found += 1
            yield os.path.join(folder, name)  # noqa: PTH118 (keeps the user's "./")
    yield from problems
    if not found and not problems:
        yield AudioError(f"{directory}: no audio files in this directory")
