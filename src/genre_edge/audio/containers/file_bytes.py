"""Bytes of a file by position, and what may follow the audio in it: chunks and padding."""

import os
from collections.abc import Callable

Peek = Callable[[int, int], bytes]  # (position, n): up to n bytes there, fewer only at the end

MAX_LOOK_AHEAD = 1 << 16  # bytes after the declared end of the audio that decide whether it goes on
MAX_CHUNKS = 10_000  # of one file; more are damage


def file_peek(descriptor: int, size: int) -> Peek:
    """Return the function that reads a file of `size` bytes without moving its position."""

    def peek(at: int, n: int) -> bytes:
        n, parts = max(0, min(n, size - at)), []
        while n > 0 and (part := os.pread(descriptor, n, at)):
            parts.append(part)
            at, n = at + len(part), n - len(part)
        return b"".join(parts)

    return peek


def is_padding(peek: Peek, at: int) -> bool:
    """Return True if only zeros follow up to the end, at most `MAX_LOOK_AHEAD` of them."""
    if any(peek(at, 8)):
        return False
    rest = peek(at, MAX_LOOK_AHEAD + 1)
    return len(rest) <= MAX_LOOK_AHEAD and not any(rest)


def is_printable(chunk_id: bytes) -> bool:
    """Return True if four bytes can be the id of a chunk."""
    return len(chunk_id) == 4 and all(0x20 <= value < 0x7F for value in chunk_id) and chunk_id[:1] != b" "
