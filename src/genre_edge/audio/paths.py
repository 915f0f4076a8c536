"""Expansion of paths, directories and glob patterns from the command line to audio files."""

import glob
import logging
import os
import shlex
import stat
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path

from genre_edge.audio.ffmpeg.url import is_url, redact_url
from genre_edge.audio.suffixes import is_audio_name, is_companion_name
from genre_edge.errors import AudioError

log = logging.getLogger("genre_edge")

STDIN = "-"
_MAX_SUFFIX = 8  # characters; longer "suffixes" are parts of a title
_MAX_SUFFIXES = 5  # that a message lists


class NoAudioFilesError(AudioError):
    """No audio file is in a directory, or matches a pattern."""


def expand_all(arguments: Iterable[str]) -> Iterator[str | AudioError]:
    """Expand all arguments, as `expand` does. Each file is yielded once, under its first name.

    Links and different spellings of a path (`a.mp3` and `./a.mp3`) are names of the same file: device and inode decide,
    and size and time of change, since some network file systems give two files the same inode.
    """
    seen: set[Hashable] = set()
    for item in (item for argument in arguments for item in expand(argument)):
        identity = _identity(item)
        if identity not in seen:
            seen.add(identity)
            yield item


def _identity(item: str | AudioError) -> Hashable:
    """Return a regular file's device, inode, size and time, otherwise the item."""
    if isinstance(item, AudioError) or item == STDIN:
        return item
    try:
        info = os.stat(item)  # noqa: PTH116 (a name may be any string)
    except (OSError, ValueError):
        return item
    if not stat.S_ISREG(info.st_mode):
        return item
    return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns)


def expand(argument: str) -> Iterator[str | AudioError]:
    """Expand one argument to audio files, sorted by name.

    Args:
        argument: `-` (standard input), a file, a directory (searched recursively for audio files), or a glob pattern;
            `**` matches directories recursively.

    Yields:
        Paths, or an AudioError for a directory that cannot be read and for a URL, and a NoAudioFilesError for an
        argument that matches no audio file. A path without wildcards is yielded unchecked: opening it gives the best
        error message. One warning is logged for each directory and pattern with files that may be audio but have no
        known suffix.
    """
    if not argument:
        yield AudioError("'': No such file or directory")
    elif argument == STDIN or os.path.lexists(argument):
        yield from _walk(argument) if os.path.isdir(argument) else [argument]  # noqa: PTH112 (never raises)
    elif "://" in argument:
        hint = "for a live stream, run: genre-edge stream URL" if is_url(argument) else "download the file first"
        yield AudioError(f"{redact_url(argument)}: a URL, not a file; {hint}")
    else:
        yield from _glob(argument) if glob.has_magic(argument) else [argument]


def explain_unreadable(path: str | Path, mode: int | None = None) -> str:
    """Return why a path that is no regular file cannot be read as one, and what to do instead.

    Args:
        path: the path.
        mode: its `st_mode`; None to look it up.
    """
    if mode is None:
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116
        except (OSError, ValueError):
            return "not a regular file"
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        kind = "pipe" if stat.S_ISFIFO(mode) else "socket"
        origin = "<(COMMAND)" if str(path).startswith(("/dev/fd/", "/proc/")) else shlex.quote(str(path))
        way_out = f"genre-edge classify - < {origin}" if stat.S_ISFIFO(mode) else "COMMAND | genre-edge classify -"
        return f"not a regular file but a {kind}; pass its data as standard input (WAV, or --raw): {way_out}"
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        return "not a regular file but a device; for a sound card, run: genre-edge stream"
    return "not a regular file"


def _glob(pattern: str) -> Iterator[str | AudioError]:
    """Expand a glob pattern."""
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (absolute patterns too)
    skipped: list[str] = []
    if "**" in pattern:  # the pattern itself descends into directories
        skipped = [match for match in matches if _may_be_audio(match) and os.path.isfile(match)]  # noqa: PTH113
        matches = [match for match in matches if is_audio_name(match)]
    yield from _report(pattern, skipped, "no file matches the pattern", not matches)
    for match in matches:
        yield from _walk(match) if os.path.isdir(match) else [match]  # noqa: PTH112


def _walk(directory: str) -> Iterator[str | AudioError]:
    """Yield all audio files below a directory, then an error for each directory that cannot be read."""
    errors: list[AudioError] = []
    skipped: list[str] = []
    visited: set[tuple[int, int]] = set()
    n_files = 0

    def on_error(error: OSError) -> None:
        errors.append(AudioError(f"{error.filename}: {error.strerror}"))

    for folder, subfolders, names in os.walk(directory, onerror=on_error, followlinks=True):
        try:
            info = Path(folder).stat()
        except OSError as error:  # removed meanwhile
            on_error(error)
            continue
        if (info.st_dev, info.st_ino) in visited:
            subfolders.clear()  # a cycle of links, or a second link to the same folder
            continue
        visited.add((info.st_dev, info.st_ino))
        subfolders.sort()
        skipped += filter(_may_be_audio, names)
        for name in filter(is_audio_name, sorted(names)):
            n_files += 1
            yield os.path.join(folder, name)  # noqa: PTH118 (keeps the user's "./")
    yield from errors
    yield from _report(directory, skipped, "no audio files in this directory", not n_files and not errors)


def _may_be_audio(name: str) -> bool:
    """Return True for a name that is passed over although the file may hold music."""
    return not is_audio_name(name) and not is_companion_name(name)


def _report(argument: str, skipped: list[str], failure: str, failed: bool) -> Iterator[AudioError]:
    """Say in one line how many files were skipped: as a part of the failure, or as a warning."""
    if not skipped:
        yield from [NoAudioFilesError(f"{argument}: {failure}")] if failed else []
        return
    suffixes = sorted({Path(name).suffix.lower() for name in skipped})
    listed = [suffix for suffix in suffixes if 0 < len(suffix) <= _MAX_SUFFIX][:_MAX_SUFFIXES]
    count = "1 file" if len(skipped) == 1 else f"{len(skipped)} files"
    kinds = f" ({', '.join(listed)}{'' if listed == suffixes else ', ...'})" if listed else ""
    note = f"skipping {count} without a known audio suffix{kinds}; give their names to classify them"
    if failed:
        yield NoAudioFilesError(f"{argument}: {failure}; {note}")
    else:
        log.warning("%s: %s", argument, note)
