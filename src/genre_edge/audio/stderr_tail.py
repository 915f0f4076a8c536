"""`StderrTail`: the end of a child process's standard error."""

import contextlib
import fcntl
import os

_MAX_BYTES = 1 << 16
_PIPE_BYTES = 1 << 20  # ffmpeg reports all tags of a file at once


class StderrTail:
    """Non-blocking pipe for a child's standard error that keeps the last 64 KiB.

    The child never blocks on it: output that does not fit the pipe is lost.

    Attributes:
        write_fd: file descriptor to pass to the child as `stderr`; call `close_write_fd` after starting it.
    """

    def __init__(self) -> None:
        read_fd, self.write_fd = os.pipe()
        for fd in (read_fd, self.write_fd):
            os.set_blocking(fd, False)
        if hasattr(fcntl, "F_SETPIPE_SZ"):  # Linux
            with contextlib.suppress(OSError):  # the user's pipes are limited in total
                fcntl.fcntl(self.write_fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._reader = os.fdopen(read_fd, "rb", buffering=0)
        self._write_fd_closed = False
        self._tail = b""

    def close_write_fd(self) -> None:
        """Close this process's copy of the descriptor that the child writes to; a second call does nothing."""
        if not self._write_fd_closed:
            os.close(self.write_fd)
            self._write_fd_closed = True

    def drain(self) -> None:
        """Read all pending output, so that the pipe has space for more.

        Raises:
            ValueError: the pipe is closed.
        """
        while data := self._reader.read(1 << 16):  # None if no data is pending
            self._tail = (self._tail + data)[-_MAX_BYTES:]

    def text(self) -> str:
        """Return what was written so far, at most the last 64 KiB."""
        self.drain()
        return self._tail.decode(errors="replace")

    def last_line(self) -> str:
        """Return the last line written so far, "" if there is none."""
        lines = self.text().strip().splitlines()
        return lines[-1] if lines else ""

    def close(self) -> None:
        """Close both ends of the pipe; a second call does nothing."""
        self.close_write_fd()
        self._reader.close()
