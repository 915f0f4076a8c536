"""Paths from the command line -> the files that they mean, in a stable order."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from genre_edge.audio.files import SUFFIXES
from genre_edge.errors import AudioError

STDIN = "-"


def expand(argument: str) -> Iterator[str | AudioError]:
    """A file, `-`, all audio below a directory, or what a pattern matches; an error in the place of nothing."""
    if argument == STDIN or os.path.lexists(argument):
        yield from _below(Path(argument)) if Path(argument).is_dir() else [argument]
    elif glob.has_magic(argument):
        matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 (absolute patterns too)
        if not matches:
            yield AudioError(f"{argument}: the pattern matches nothing")
        for match in matches:
            yield from _below(Path(match)) if Path(match).is_dir() else [match]
    else:
        yield AudioError(f"{argument}: No such file or directory")


def _below(directory: Path) -> Iterator[str | AudioError]:
    problems: list[AudioError] = []
    found = 0

    def unreadable(error: OSError) -> None:
        problems.append(AudioError(f"{error.filename}: {error.strerror}"))

    for folder, subfolders, names in os.walk(directory, onerror=unreadable):
        subfolders.sort()
        for name in sorted(names):
            # Hidden ones are other programs' leavings ("._song.mp3" is no song).
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                found += 1
                yield os.path.join(folder, name)  # noqa: PTH118 (keeps the user's "./")
    yield from problems
    if not found and not problems:
        yield AudioError(f"{directory}: no audio files in this directory")
