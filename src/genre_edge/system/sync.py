"""Writing of files and folders to the disk, so that they outlast a power failure."""

import contextlib
import fcntl
import os


def sync(descriptor: int) -> None:
    """Write an open file or folder to the disk.

    On macOS, fsync(2) leaves the data in the disk's cache, and F_FULLFSYNC empties it.

    Raises:
        OSError: the disk fails.
    """
    full_sync = getattr(fcntl, "F_FULLFSYNC", None)
    if full_sync is not None:
        with contextlib.suppress(OSError):  # some file systems, such as network drives, do not have it
            fcntl.fcntl(descriptor, full_sync)
            return
    os.fsync(descriptor)
