"""`ForwardBytes`: bytes by position of a stream that cannot seek."""

from typing import IO

_SKIP_BYTES = 1 << 16


class ForwardBytes:
    """Reader of a stream that can show bytes before they are read. Positions must not decrease by more than one byte.

    Args:
        stream: byte stream at its first byte; it may return less than requested. The caller closes it.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._buffer, self._start = b"", 0  # bytes in advance, and the position of the first

    def peek(self, at: int, n: int) -> bytes:
        """Return `n` bytes at a position, fewer only at the end. Skips what is more than one byte before them."""
        while self._start + len(self._buffer) < at:
            self._start += len(self._buffer)
            self._buffer = self._stream.read(min(_SKIP_BYTES, at - self._start))
            if not self._buffer:
                return b""
        keep = max(0, at - 1 - self._start)  # a padding byte may turn out to be the first of what follows
        self._buffer, self._start = self._buffer[keep:], self._start + keep
        offset = at - self._start
        if missing := offset + n - len(self._buffer):
            self._buffer += read_fully(self._stream, missing)
        return self._buffer[offset : offset + n]

    def read(self, at: int, n: int) -> bytes:
        """Read `n` bytes at a position, fewer only at the end."""
        if self._start + len(self._buffer) < at and not self.peek(at, 1):
            return b""
        data = self._buffer[at - self._start :][:n]
        if len(data) < n:
            data += read_fully(self._stream, n - len(data))
            self._buffer, self._start = b"", at + len(data)
        return data


def read_fully(stream: IO[bytes], n: int) -> bytes:
    """Read `n` bytes, fewer only at the end of the stream; an unbuffered stream may return less per call."""
    parts = []
    while n > 0 and (part := stream.read(n)):
        parts.append(part)
        n -= len(part)
    return b"".join(parts)
