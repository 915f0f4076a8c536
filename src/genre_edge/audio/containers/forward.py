"""`ForwardBytes`: bytes by position of a stream that cannot seek."""

from typing import IO

_SKIP_BYTES = 1 << 16
_KEPT_BYTES = 256  # before the position of the last read: a padding byte or a tag may turn out to be audio


class ForwardBytes:
    """Reader of a stream by position. Positions may decrease by up to 256 bytes, and bytes may be read again.

    Args:
        stream: byte stream at its first byte; it may return less than requested. The caller closes it.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._buffer, self._start = b"", 0  # bytes of the stream, and the position of the first

    def read(self, at: int, n: int) -> bytes:
        """Return `n` bytes at a position, fewer only at the end; after an error, no byte is lost."""
        self._drop_before(max(self._start, at - _KEPT_BYTES))
        if self._start + len(self._buffer) < at - _KEPT_BYTES:
            return b""  # the stream has ended
        while (n_missing := at + n - self._start - len(self._buffer)) > 0:
            part = self._stream.read(n_missing)
            if not part:
                break
            self._buffer += part
        offset = at - self._start
        return self._buffer[offset : offset + n]

    def _drop_before(self, first: int) -> None:
        """Drop the bytes before a position; read and drop what is not buffered yet."""
        while self._start + len(self._buffer) < first:
            self._start += len(self._buffer)
            self._buffer = b""
            self._buffer = self._stream.read(min(_SKIP_BYTES, first - self._start))
            if not self._buffer:
                return
        self._buffer, self._start = self._buffer[first - self._start :], first
