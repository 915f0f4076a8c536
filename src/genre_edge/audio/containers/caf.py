"""Where the audio of a CAF (Core Audio Format) file lies."""

import struct

from genre_edge.audio.containers.extent import Extent, find_extent
from genre_edge.audio.containers.file_bytes import MAX_CHUNKS, Peek, is_printable
from genre_edge.audio.containers.layout import Layout

_CHUNK_HEADER, _FORMAT_SIZE, _EDIT_COUNT = 12, 32, 4
_FIXED_SIZE = (b"lpcm", b"ulaw", b"alaw")  # formats whose packets are single frames


def scan_caf(peek: Peek, size: int) -> Layout | None:
    """Find the audio of a CAF file of `size` bytes; None if the header is damaged or the file holds no audio."""

    def next_chunk(at: int) -> int | None:
        head = peek(at, _CHUNK_HEADER)
        length = int.from_bytes(head[4:], "big", signed=True)
        is_chunk = len(head) == _CHUNK_HEADER and is_printable(head[:4])
        return at + _CHUNK_HEADER + length if is_chunk and 0 <= length <= size - at - _CHUNK_HEADER else None

    at: int | None = 8
    format, extent, is_regular = b"", None, False
    for _ in range(MAX_CHUNKS):
        if at is None or at >= size:
            break
        head = peek(at, _CHUNK_HEADER)
        length = int.from_bytes(head[4:], "big", signed=True)
        start = at + _CHUNK_HEADER + _EDIT_COUNT
        if head[:4] == b"desc":
            format = peek(at + _CHUNK_HEADER, _FORMAT_SIZE)
        if head[:4] == b"data" and start < size:
            declared = None if length < 0 else max(0, length - _EDIT_COUNT)
            extent = find_extent(peek, size, start, declared, next_chunk, wraps=False)
            is_regular = bool(format) and declared is not None and extent.is_as_declared and not extent.missing
            break
        at = next_chunk(at)
    if extent is None or len(format) < _FORMAT_SIZE:
        return None
    rate, format_id, _, packet_bytes, packet_frames = struct.unpack(">d4s3I", format[:24])
    if is_regular:
        return extent.layout(rate * packet_bytes / packet_frames if packet_frames else 0, None)
    if format_id not in _FIXED_SIZE:
        return None
    return extent.layout(rate * packet_bytes, _header(format, extent))


def _header(format: bytes, extent: Extent) -> bytes:
    """Return a CAF header up to the audio."""
    start = struct.pack(">4sHH4sq", b"caff", 1, 0, b"desc", len(format)) + format
    return start + struct.pack(">4sqI", b"data", _EDIT_COUNT + extent.end - extent.start, 0)
