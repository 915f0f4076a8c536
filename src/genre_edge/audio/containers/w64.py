"""Where the audio of a W64 (Sony Wave64) file lies."""

import struct

from genre_edge.audio.containers.extent import find_extent
from genre_edge.audio.containers.file_bytes import MAX_CHUNKS, Peek
from genre_edge.audio.containers.layout import Layout
from genre_edge.audio.containers.wav import DECODABLE, MAX_FORMAT, wav_header

MAGIC = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_WAVE, _FORMAT, _DATA = (name + _TAIL for name in (b"wave", b"fmt ", b"data"))
_CHUNK_HEADER = 24  # id of 16 bytes and size of 8, which counts the header
_MAX_LENGTH = 1 << 62  # a larger one leaves the length open


def scan_w64(peek: Peek, size: int) -> Layout | None:
    """Find the audio of a W64 file of `size` bytes; None if the header is damaged or the file holds no audio."""

    def next_chunk(at: int) -> int | None:
        head = peek(at, _CHUNK_HEADER)
        length = int.from_bytes(head[16:], "little")
        following = at + -(-length // 8) * 8
        return following if len(head) == _CHUNK_HEADER <= length and at + length <= size else None

    if peek(24, 16) != _WAVE:
        return None
    at: int | None = 40
    format, extent, is_regular, is_declared = b"", None, True, False
    for _ in range(MAX_CHUNKS):
        if at is None or at >= size:
            break
        head = peek(at, _CHUNK_HEADER)
        length = int.from_bytes(head[16:], "little")
        if head[:16] == _FORMAT:
            format = format or peek(at + _CHUNK_HEADER, min(MAX_FORMAT, max(0, length - _CHUNK_HEADER)))
        if head[:16] == _DATA:
            is_regular = bool(format)
            start = at + _CHUNK_HEADER
            declared = None if length > _MAX_LENGTH else max(0, length - _CHUNK_HEADER)
            is_declared = declared is not None
            extent = find_extent(peek, size, start, declared, next_chunk, wraps=False) if start < size else None
            if format:
                break
        at = next_chunk(at)
    if extent is None or len(format) < 16:
        return None
    tag, _, _, byte_rate = struct.unpack("<HHII", format[:12])
    # libsndfile reads on where anything but a chunk follows, and refuses an open length.
    is_regular &= extent.end == extent.declared_end == size and is_declared
    if not is_regular and tag not in DECODABLE:
        return None
    return extent.layout(byte_rate, None if is_regular else wav_header("<", format, extent.end - extent.start))
