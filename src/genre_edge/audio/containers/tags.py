"""Tags behind the audio of a file: ID3, APEv2 and Lyrics3."""

import struct
from collections.abc import Iterable, Iterator

from genre_edge.audio.containers.file_bytes import Peek

ID3V1_SIZE = 128
_APE_SIZE = 32  # header and footer
_APE_MAGIC = b"APETAGEX" + struct.pack("<I", 2000)
_HAS_HEADER, _IS_HEADER = 1 << 31, 1 << 29


def is_tag(peek: Peek, at: int) -> bool:
    """Return True if an ID3v1, ID3v2, APEv2 or Lyrics3 tag begins at a position."""
    head = peek(at, 11)
    if head[:3] == b"TAG":
        return len(peek(at, ID3V1_SIZE + 1)) == ID3V1_SIZE
    is_id3v2 = head[:3] == b"ID3" and len(head) >= 10 and head[3] in (2, 3, 4) and max(head[6:10]) < 0x80
    return is_id3v2 or head[:8] == b"APETAGEX" or head == b"LYRICSBEGIN"


def tags_start(peek: Peek, size: int) -> int:
    """Return where the ID3v1 and APEv2 tags at the end of a file begin; `size` if it has none."""
    end = size
    if size >= ID3V1_SIZE and peek(size - ID3V1_SIZE, 3) == b"TAG":
        end -= ID3V1_SIZE
    footer = peek(end - _APE_SIZE, _APE_SIZE) if end >= _APE_SIZE else b""
    if footer.startswith(_APE_MAGIC):
        length, _, flags = struct.unpack("<3I", footer[12:24])
        start = end - length - _APE_SIZE
        if flags & _HAS_HEADER and start >= 0 and _is_ape_header(peek(start, _APE_SIZE)):
            return int(start)
    return end


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
