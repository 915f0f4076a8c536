"""Opening of regular files only: a named pipe or a device in place of a file would be waited for, or never end."""

import errno
import os
import stat
from pathlib import Path
from typing import IO

SOCKET_ERRNOS = (errno.ENXIO, errno.EOPNOTSUPP)  # of opening a socket: on Linux, on macOS and BSD


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file for reading, without waiting.

    Raises:
        OSError: the file cannot be opened, or is not a regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in SOCKET_ERRNOS:
            raise
        raise OSError(errno.EINVAL, "not a regular file", str(path)) from None  # a socket
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "not a regular file", str(path))
