"""Tags before and after the audio of a file, which are neither audio nor a fault."""

import os
import struct
from collections.abc import Iterable, Iterator

from genre_edge.audio.containers.file_bytes import Peek

ID3V1_SIZE = 128
_MAX_LEADING_TAGS = 1000  # a file with more was made to cost time
_APE_SIZE = 32  # header and footer
_APE_MAGIC = b"APETAGEX" + struct.pack("<I", 2000)
_IS_HEADER = 1 << 29


def is_tag(peek: Peek, at: int) -> bool:
    """Return True if an ID3v1, ID3v2, APEv2 or Lyrics3 tag begins at a position."""
    head = peek(at, 11)
    if head[:3] == b"TAG":
        return len(peek(at, ID3V1_SIZE + 1)) == ID3V1_SIZE
    is_id3v2 = head[:3] == b"ID3" and len(head) >= 10 and head[3] in (2, 3, 4) and max(head[6:10]) < 0x80
    return is_id3v2 or head[:8] == b"APETAGEX" or head == b"LYRICSBEGIN"


def after_id3v2(descriptor: int, offset: int) -> int:
    """Return the offset after the ID3v2 tags that start at `offset`; `offset` if there are none."""
    for _ in range(_MAX_LEADING_TAGS):
        header = os.pread(descriptor, 10, offset)
        if header[:3] != b"ID3" or len(header) < 10 or max(header[6:]) >= 0x80:
            break
        length = header[6] << 21 | header[7] << 14 | header[8] << 7 | header[9]
        offset += 10 + length + (10 if header[5] & 0x10 else 0)
    return offset


def before_trailing_tags(descriptor: int, size: int) -> int:
    """Return the offset at which the tags at the end of a file of `size` bytes start; `size` without tags."""
    return tags_start(lambda at, n: os.pread(descriptor, n, at), size)


def tags_start(peek: Peek, size: int) -> int:
    """Return where the ID3v1, APE and Lyrics3 tags at the end of a file begin; `size` if it has none."""
    while True:
        at = max(0, size - ID3V1_SIZE)
        tail = peek(at, size - at)
        if len(tail) == ID3V1_SIZE and tail[:3] == b"TAG":
            length = ID3V1_SIZE
        elif tail[-_APE_SIZE:-24] == b"APETAGEX":
            has_header = tail[-9] & 0x80  # the highest bit of the flags
            length = int.from_bytes(tail[-20:-16], "little") + (_APE_SIZE if has_header else 0)
        elif tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
            length = int(tail[-15:-9]) + 15
        else:
            return size
        if not 0 < length <= size:
            return size
        size -= length


def strip_tags(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a stream that ends at its end of file, without ID3v1 and APEv2 tags at the end.

    Each piece is passed on at once, except for its last 128 bytes, which may be a tag.
    """
    held = b""
    for piece in pieces:
        held += piece
        at = held.find(_APE_MAGIC)
        if at >= 0 and len(held) - at >= _APE_SIZE and _is_ape_header(held[at : at + _APE_SIZE]):
            held = held[:at]
            break
        if len(held) > ID3V1_SIZE:
            yield held[:-ID3V1_SIZE]
            held = held[-ID3V1_SIZE:]
    if held and not (len(held) == ID3V1_SIZE and held.startswith(b"TAG")):
        yield held


def _is_ape_header(head: bytes) -> bool:
    is_header = len(head) == _APE_SIZE and head.startswith(_APE_MAGIC) and not any(head[24:])
    return is_header and bool(int.from_bytes(head[20:24], "little") & _IS_HEADER)
