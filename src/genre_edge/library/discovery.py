"""Audio files below the folders of a library."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from genre_edge.audio.paths import NoAudioFilesError, expand_all
from genre_edge.audio.suffixes import is_audio_name
from genre_edge.errors import AudioError


class FolderError(AudioError):
    """A folder could not be searched, or is missing as an unmounted disk is: files that are not found may be there."""


class EmptyFolderError(FolderError):
    """A folder has no audio files. A folder to scan may be that of an unmounted disk."""


@dataclass(frozen=True)
class FoundFile:
    """A file with an audio suffix: its absolute path, size in bytes and time of modification in ns."""

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Filter:
    """Choice of files.

    Attributes:
        include: patterns of names or paths, such as `*.flac` or `*/Jazz/*`; an empty list includes all files.
        exclude: patterns of names or paths of files to leave out.
        since_ns: earliest time of modification in ns.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    since_ns: int = 0

    @property
    def is_partial(self) -> bool:
        """Whether some files are left out."""
        return bool(self.include or self.exclude or self.since_ns)

    def accepts(self, file: FoundFile) -> bool:
        """Return True if the file is chosen."""
        if file.mtime_ns < self.since_ns or _matches(file.path, self.exclude):
            return False
        return not self.include or _matches(file.path, self.include)


def _matches(path: str, patterns: Sequence[str]) -> bool:
    name = os.path.basename(path)  # noqa: PTH119 (a path may be any string)
    return any(fnmatch(path, pattern) or fnmatch(name, pattern) for pattern in patterns)


def discover(roots: Iterable[Path | str], chosen: Filter) -> Iterator[FoundFile | AudioError]:
    """Yield the chosen files below some folders, a `FolderError` for each bad folder, an AudioError for each bad file.

    A file with several names is yielded once. Links to folders are followed; loops end.
    """
    for item in expand_all(os.path.abspath(root) for root in roots):  # noqa: PTH100 (links keep their names)
        if isinstance(item, AudioError):
            yield (EmptyFolderError if isinstance(item, NoAudioFilesError) else FolderError)(str(item))
            continue
        try:
            info = os.stat(item)  # noqa: PTH116
        except OSError as error:
            kind = AudioError if is_audio_name(item) else FolderError
            yield kind(f"{item}: {'broken link' if os.path.islink(item) else error.strerror}")  # noqa: PTH114
            continue
        file = FoundFile(item, info.st_size, info.st_mtime_ns)
        if chosen.accepts(file):
            yield file
