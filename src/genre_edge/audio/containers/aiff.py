"""Where the audio of an AIFF or AIFC file lies."""

import struct

from genre_edge.audio.containers.au import au_header
from genre_edge.audio.containers.extent import Extent, find_extent
from genre_edge.audio.containers.file_bytes import MAX_CHUNKS, Peek, is_printable
from genre_edge.audio.containers.layout import Layout
from genre_edge.audio.containers.wav import wav_header

_CHUNK_HEADER, _SSND_HEADER = 8, 8
_MAX_FORMAT = 4096  # bytes of a COMM chunk
_PCM = frozenset([b"NONE", b"none", b"twos", b"sowt", b"raw ", b"in24", b"in32", b"42ni", b"23ni"])
_FLOAT = frozenset([b"fl32", b"FL32", b"fl64", b"FL64"])
_LAW = {b"ulaw": 1, b"ULAW": 1, b"alaw": 27, b"ALAW": 27}  # and their numbers in AU
_LITTLE_ENDIAN = frozenset([b"sowt", b"42ni", b"23ni"])
_MAX = 0xFFFFFFFF


def scan_aiff(peek: Peek, size: int) -> Layout | None:
    """Find the audio of an AIFF or AIFC file of `size` bytes; None if the header is damaged or it holds no audio."""
    kind = peek(8, 4)
    if kind not in (b"AIFF", b"AIFC"):
        return None
    position: int | None = 12
    format, extent, is_regular = b"", None, True
    for _ in range(MAX_CHUNKS):
        if position is None or position >= size or (format and extent):
            break
        head = peek(position, _CHUNK_HEADER)
        content, length = position + _CHUNK_HEADER, int.from_bytes(head[4:], "big")
        if head[:4] == b"COMM":
            format = peek(content, min(_MAX_FORMAT, length))
        elif head[:4] == b"SSND" and extent is None:
            extent = _extent(peek, size, content, length)
        position = _next_chunk(peek, size, position)
        is_regular &= extent is not None or position is None or (position - content - length) == length % 2
    if extent is None or len(format) < (18 if kind == b"AIFF" else 22):
        return None
    return _layout(kind, format, extent, is_regular and extent.is_as_declared)


def _next_chunk(peek: Peek, size: int, at: int) -> int | None:
    """Return the position after the chunk at a position, None if none begins there; padding bytes may be missing."""
    head = peek(at, _CHUNK_HEADER)
    end = at + _CHUNK_HEADER + int.from_bytes(head[4:], "big")
    if len(head) < _CHUNK_HEADER or not is_printable(head[:4]) or end > size:
        return None
    if (end - at) % 2 == 0:
        return end
    behind = peek(end, 5)
    return end if is_printable(behind[:4]) and not is_printable(behind[1:]) else end + 1


def _extent(peek: Peek, size: int, content: int, length: int) -> Extent | None:
    """Find the audio of an SSND chunk; None if the file ends before it."""
    offset = int.from_bytes(peek(content, 4), "big")
    start = content + _SSND_HEADER
    if start + offset < min(size, start + max(0, length - _SSND_HEADER)):
        start += offset
    if start >= size:
        return None
    declared = None if length == 0xFFFFFFFF else max(0, content + length - start) if length else 0
    return find_extent(peek, size, start, declared, lambda at: _next_chunk(peek, size, at), wraps=True)


def _layout(kind: bytes, format: bytes, extent: Extent, is_regular: bool) -> Layout | None:
    channels, _, bits = struct.unpack(">HIH", format[:8])
    encoding = format[18:22] if kind == b"AIFC" else b"NONE"
    sample_bytes = 1 if encoding in _LAW else (bits + 7) // 8 if encoding in _PCM | _FLOAT else 0
    rate, n_bytes = _parse_extended(format[8:18]), extent.end - extent.start
    header = None if is_regular else _header(encoding, sample_bytes, int(rate), channels, n_bytes)
    return extent.layout(rate * channels * sample_bytes, header) if is_regular or header else None


def _header(encoding: bytes, sample_bytes: int, rate: int, channels: int, n_bytes: int) -> bytes | None:
    """Return an AU header for the same samples, whose size is not limited; None if AU has no such encoding."""
    if encoding == b"raw ":  # AU has no unsigned samples
        format = struct.pack("<HHIIHH", 1, channels, rate & _MAX, rate * channels & _MAX, channels, 8)
        return wav_header("<", format, n_bytes) if sample_bytes == 1 else None
    au_encodings = dict(_LAW)
    au_encodings |= {name: {4: 6, 8: 7}.get(sample_bytes, 0) for name in _FLOAT}
    au_encodings |= {name: {1: 2, 2: 3, 3: 4, 4: 5}.get(sample_bytes, 0) for name in _PCM}
    au_encoding = au_encodings.get(encoding, 0)
    order = "<" if encoding in _LITTLE_ENDIAN else ">"
    return au_header(order, au_encoding, rate & _MAX, channels, n_bytes) if au_encoding else None


def _parse_extended(data: bytes) -> float:
    """Return the value of a positive 80-bit float, 0 if it is no sensible rate."""
    exponent, mantissa = struct.unpack(">HQ", data)
    shift = exponent - 16383 - 63
    return float(mantissa * 2.0**shift) if -64 < shift <= 0 else 0.0
