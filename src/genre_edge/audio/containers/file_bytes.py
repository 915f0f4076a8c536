"""Bytes of a file by position, and what may follow the audio in it: tags, chunks and padding."""

import os
from collections.abc import Callable

Peek = Callable[[int, int], bytes]  # (position, n): up to n bytes there, fewer only at the end

MAX_LOOK_AHEAD = 1 << 16  # bytes after the declared end of the audio that decide whether it goes on
_APE_FOOTER, _ID3V1_SIZE = 32, 128


def file_peek(descriptor: int, size: int) -> Peek:
    """Return the function that reads a file of `size` bytes without moving its position."""

    def peek(at: int, n: int) -> bytes:
        n, parts = max(0, min(n, size - at)), []
        while n > 0 and (part := os.pread(descriptor, n, at)):
            parts.append(part)
            at, n = at + len(part), n - len(part)
        return b"".join(parts)

    return peek


def is_tag(peek: Peek, at: int) -> bool:
    """Return True if an ID3v1, ID3v2, APEv2 or Lyrics3 tag begins at a position."""
    head = peek(at, 11)
    if head[:3] == b"TAG":
        return len(peek(at, _ID3V1_SIZE + 1)) == _ID3V1_SIZE
    is_id3v2 = head[:3] == b"ID3" and len(head) >= 10 and head[3] in (2, 3, 4) and max(head[6:10]) < 0x80
    return is_id3v2 or head[:8] == b"APETAGEX" or head == b"LYRICSBEGIN"


def tags_start(peek: Peek, size: int) -> int:
    """Return the position where the ID3v1 and APE tags at the end of a file begin; `size` if it has none."""
    end = size
    if size >= _ID3V1_SIZE and peek(size - _ID3V1_SIZE, 3) == b"TAG":
        end -= _ID3V1_SIZE
    footer = peek(end - _APE_FOOTER, _APE_FOOTER) if end >= _APE_FOOTER else b""
    if footer[:8] == b"APETAGEX":
        has_header = footer[23] & 0x80
        length = int.from_bytes(footer[12:16], "little") + (_APE_FOOTER if has_header else 0)
        if _APE_FOOTER <= length <= end:
            end -= length
    return end


def is_padding(peek: Peek, at: int) -> bool:
    """Return True if only zeros follow up to the end, at most `MAX_LOOK_AHEAD` of them."""
    if any(peek(at, 8)):
        return False
    rest = peek(at, MAX_LOOK_AHEAD + 1)
    return len(rest) <= MAX_LOOK_AHEAD and not any(rest)


def is_printable(chunk_id: bytes) -> bool:
    """Return True if four bytes can be the id of a chunk."""
    return len(chunk_id) == 4 and all(0x20 <= value < 0x7F for value in chunk_id) and chunk_id[:1] != b" "
