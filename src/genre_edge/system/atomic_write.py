"""Atomic file writes: readers see the old or the new content, also after a power failure."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from genre_edge.system.sync import sync


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file atomically; see `open_atomically`.

    Raises:
        OSError: the file cannot be written; the old content remains. The error names `path`.
    """
    with open_atomically(path) as stream:
        stream.write(content)


@contextmanager
def open_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its place when the context ends: a temporary file in its folder, fsynced and renamed.

    After an exception, the old content remains, unless the folder cannot be synchronised after the renaming: then the
    new content is there, but may be lost in a power failure. A symbolic link is followed, and an existing file keeps
    its mode. Devices and named pipes are written in place.

    Raises:
        OSError: the file cannot be written. The error names `path`.
    """
    try:
        with _opened(path) as stream:
            yield stream
    except OSError as error:
        if error.errno is None or error.filename is not None:  # of another file, or not by the system
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    if path.exists() and not path.is_file():
        with path.open("wb") as stream:
            yield stream
        return
    path = path.resolve()
    temporary = path.with_name(f".{os.urandom(8).hex()}.tmp")
    with _unnamed_errors():
        file = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with open(file, "w+b") as stream:  # noqa: PTH123 (a descriptor)
            if path.exists():
                os.fchmod(file, stat.S_IMODE(path.stat().st_mode))
            yield stream
            stream.flush()
            sync(file)
        with _unnamed_errors():
            temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    with _unnamed_errors():
        directory = os.open(path.parent, os.O_RDONLY)
    try:
        sync(directory)
    finally:
        os.close(directory)


@contextmanager
def _unnamed_errors() -> Iterator[None]:
    """Raise the system's errors without the name of the temporary file or of the folder."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror) from None
