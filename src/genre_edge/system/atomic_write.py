"""Atomic file writes: readers see the old or the new content, also after a power failure."""

import os
import secrets
import stat
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file atomically: write a temporary file in the same directory, fsync it, and rename it.

    A symbolic link is followed, and an existing file keeps its mode. Devices and named pipes are written in place.

    Raises:
        OSError: the file cannot be written; the old content remains. The error names `path`.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    path = path.resolve()
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None  # the caller's file, not the temporary one
    try:
        with open(file, "wb") as stream:  # noqa: PTH123 (a descriptor)
            if path.exists():
                os.fchmod(file, stat.S_IMODE(path.stat().st_mode))
            stream.write(content)
            stream.flush()
            os.fsync(file)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
