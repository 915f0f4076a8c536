"""`Replacement`: a new content for a file that replaces the old one at once, and keeps everything else about it."""

import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
from pathlib import Path
from types import TracebackType
from typing import IO

from genre_edge.library.tagging.tags import TagError
from genre_edge.system.file_attributes import copy_attributes
from genre_edge.system.regular_file import open_regular
from genre_edge.system.sync import sync

_TEMPORARY = re.compile(r"\.genre-edge-[0-9a-f]{16}\.tmp")


class Replacement:
    """Context in which a new content for a file is written beside it. Without `commit` the file stays as it is.

    A symbolic link is followed. The new file has the old one's mode, owner (where the system permits), times, extended
    attributes and access control lists. The time of modification stays, too: the audio did not change.

    Args:
        path: the file.

    Attributes:
        path: the file, without symbolic links.
        original: the file, open for reading.
        file: the temporary file, open for reading and writing; empty at first.

    Raises:
        OSError: the file cannot be read, or no file can be made in its folder.
        TagError: the file is write-protected, or has other names (hard links), which would keep the old content.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.original: IO[bytes] = open_regular(self.path)
        try:
            self._status = os.fstat(self.original.fileno())
            check_replaceable(self.path)
            self._temporary: Path | None = self.path.with_name(f".genre-edge-{secrets.token_hex(8)}.tmp")
            self.file: IO[bytes] = _create(self._temporary)
        except BaseException:
            self.original.close()
            raise

    def __enter__(self) -> "Replacement":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.original.close()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
        try:
            self.file.close()
        except OSError:
            if error is None:
                raise

    def copy_original(self) -> None:
        """Copy the old content to the temporary file."""
        self.original.seek(0)
        shutil.copyfileobj(self.original, self.file, 1 << 20)
        self.file.flush()

    def finish(self) -> None:
        """Write the temporary file to the disk, with the old one's mode, owner and times. Raises OSError."""
        assert self._temporary is not None
        self.file.flush()
        descriptor = self.file.fileno()
        try:
            os.fchown(descriptor, self._status.st_uid, self._status.st_gid)
        except PermissionError:
            _keep_group(descriptor, self._status.st_gid)
        copy_attributes(self.path, self._temporary)
        os.fchmod(descriptor, stat.S_IMODE(self._status.st_mode))
        os.utime(self._temporary, ns=(self._status.st_atime_ns, self._status.st_mtime_ns))
        sync(descriptor)

    def commit(self) -> None:
        """Replace the file; after a `finish`.

        Raises:
            TagError: another program has changed the file meanwhile.
            OSError: the file cannot be replaced.
        """
        assert self._temporary is not None
        if _identity(self.path.stat()) != _identity(self._status):
            raise TagError("another program has changed the file meanwhile")
        os.utime(self._temporary, ns=(self._status.st_atime_ns, self._status.st_mtime_ns))  # reading has changed it
        self._temporary.replace(self.path)
        self._temporary = None
        _sync_folder(self.path.parent)


def check_replaceable(path: Path) -> None:
    """Raise a TagError, with the reason, for a file that a `Replacement` refuses. Raises OSError if it is gone."""
    n_names = path.stat().st_nlink
    if n_names > 1:
        raise TagError(f"the file has {n_names} names (hard links); a new file would have one of them only")
    if not os.access(path, os.W_OK):
        raise TagError("the file is write-protected")


def remove_leftovers(folder: Path) -> bool:
    """Remove the temporary files of programs that were killed; those of running programs stay.

    Returns:
        False if one may be left, for example because the disk is not mounted.
    """
    try:
        names = [name for name in os.listdir(folder) if _TEMPORARY.fullmatch(name)]  # noqa: PTH208 (any name)
        return all([_remove_unlocked(folder / name) for name in names])
    except OSError:
        return False


def _create(path: Path) -> IO[bytes]:
    """Create a temporary file, locked as long as it is open."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OSError(error.errno, f"no file can be written in its folder: {error.strerror}", str(path)) from None
    _lock(descriptor)
    return os.fdopen(descriptor, "r+b")


def _lock(descriptor: int) -> bool:
    """Lock an open file; return False if another program has locked it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


def _remove_unlocked(path: Path) -> bool:
    with open_regular(path) as file:
        is_unlocked = _lock(file.fileno())
        if is_unlocked:
            path.unlink(missing_ok=True)
    return is_unlocked


def _keep_group(descriptor: int, group: int) -> None:
    try:
        os.fchown(descriptor, -1, group)
    except PermissionError:
        return


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
