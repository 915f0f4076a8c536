"""Frames of FLAC files (RFC 9639): the true number of samples, and the next frame after damage."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from genre_edge.audio.containers.layout import Layout, Part
from genre_edge.audio.containers.tags import after_id3v2, before_trailing_tags

_STREAMINFO_BYTES = 34
_MAX_HEADER_BYTES = 16
_WINDOW_BYTES = 1 << 20  # more than a frame, except for extreme block sizes
_MAX_METADATA_BLOCKS = 1000
_MAX_SEARCH_BYTES = 1 << 24  # for the next frame after damage


@dataclass(frozen=True)
class _Stream:
    """What the STREAMINFO block says, and where the frames lie.

    Attributes:
        info: content of the block, 34 bytes.
        first: offset of the first frame.
        end: offset after the last frame.
    """

    info: bytes
    first: int
    end: int

    @property
    def block_size(self) -> int:
        return int.from_bytes(self.info[2:4], "big")

    @property
    def rate(self) -> int:
        return int.from_bytes(self.info[10:13], "big") >> 4

    @property
    def n_channels(self) -> int:
        return (self.info[12] >> 1 & 7) + 1

    @property
    def n_samples(self) -> int:
        """Declared number of samples; 0 if it is unknown."""
        return int.from_bytes(self.info[13:18], "big") & (1 << 36) - 1

    def part(self, first: int) -> Part:
        """Return the frames from offset `first` on as a file without a declared number of samples."""
        info = self.info[:13] + bytes([self.info[13] & 0xF0]) + bytes(4) + self.info[18:]
        return Part((b"fLaC\x80" + len(info).to_bytes(3, "big") + info, (first, self.end)))


@dataclass(frozen=True)
class _Frame:
    """Frame: its offset, its first sample, and the sample after its last."""

    offset: int
    first_sample: int
    end_sample: int


def scan(descriptor: int, size: int) -> Layout | None:
    """Return the layout of a FLAC file; None for other files.

    Args:
        descriptor: open file descriptor; its position is not changed.
        size: size of the file in bytes.
    """
    stream = _read_stream(descriptor, size)
    if stream is None or not stream.rate:
        return None
    tail = max(stream.first, stream.end - _WINDOW_BYTES)
    n_available = max((frame.end_sample for frame in _frames(descriptor, stream, tail, stream.end)), default=0)
    # libFLAC reports trailing tags as an error, and libsndfile stops at the declared number of samples.
    needs_part = stream.end < size or 0 < stream.n_samples < n_available
    return Layout(
        (stream.part(stream.first),) if needs_part else (),
        n_available / stream.rate,
        max(n_available, stream.n_samples) / stream.rate,
    )


def resume(descriptor: int, size: int, sample: int, offset: int = 0) -> tuple[Part, int, int] | None:
    """Return the rest of a damaged FLAC file as a part, the number of its first sample, and its offset in the file.

    Args:
        descriptor: open file descriptor; its position is not changed.
        size: size of the file in bytes.
        sample: number of the first sample that cannot be decoded; the rest starts with a later frame.
        offset: offset in the file from which the rest is searched.
    """
    stream = _read_stream(descriptor, size)
    if stream is None:
        return None
    start = max(offset, stream.first)
    while True:
        last_good = start
        for frame in _frames(descriptor, stream, start, min(stream.end, start + _MAX_SEARCH_BYTES)):
            if frame.first_sample > sample:
                return stream.part(frame.offset), frame.first_sample, frame.offset
            last_good = frame.offset
        if last_good == start:
            return None
        start = last_good


def _read_stream(descriptor: int, size: int) -> _Stream | None:
    """Read the metadata blocks; None if the file is no FLAC."""
    offset = after_id3v2(descriptor, 0)
    if os.pread(descriptor, 4, offset) != b"fLaC":
        return None
    offset += 4
    info = b""
    for _ in range(_MAX_METADATA_BLOCKS):
        header = os.pread(descriptor, 4, offset)
        length = int.from_bytes(header[1:], "big")
        if len(header) < 4 or offset + 4 + length > size:
            return None
        if header[0] & 0x7F == 0:
            info = os.pread(descriptor, _STREAMINFO_BYTES, offset + 4)
        offset += 4 + length
        if header[0] & 0x80:
            break
    if len(info) < _STREAMINFO_BYTES:
        return None
    return _Stream(info, offset, before_trailing_tags(descriptor, size))


def _frames(descriptor: int, stream: _Stream, start: int, end: int) -> Iterator[_Frame]:
    """Yield the frames whose headers lie between two offsets."""
    while start < end:
        window = os.pread(descriptor, min(_WINDOW_BYTES, end - start), start)
        at = window.find(b"\xff")
        while at >= 0:
            if (samples := _parse(window[at : at + _MAX_HEADER_BYTES], stream)) is not None:
                yield _Frame(start + at, *samples)
            at = window.find(b"\xff", at + 1)
        if len(window) < _WINDOW_BYTES:
            return
        start += len(window) - _MAX_HEADER_BYTES


def _parse(header: bytes, stream: _Stream) -> tuple[int, int] | None:
    """Return the first sample of a frame and the sample after its last; None if the bytes are no frame header."""
    if len(header) < _MAX_HEADER_BYTES or header[1] & 0xFE != 0xF8 or header[3] & 1:
        return None
    size_code, channels = header[2] >> 4, header[3] >> 4
    n_channels = channels + 1 if channels < 8 else 2
    if size_code == 0 or channels > 10 or n_channels != stream.n_channels:
        return None
    number, length = _decode_number(header[4:11])
    at = 4 + length
    if size_code in (6, 7):
        n_bytes = size_code - 5
        block_size = int.from_bytes(header[at : at + n_bytes], "big") + 1
        at += n_bytes
    else:
        block_size = 192 if size_code == 1 else 576 << size_code - 2 if size_code < 6 else 256 << size_code - 8
    at += {12: 1, 13: 2, 14: 2}.get(header[2] & 15, 0)
    if not length or at >= _MAX_HEADER_BYTES or _crc8(header[:at]) != header[at]:
        return None
    first = number if header[1] & 1 else number * stream.block_size
    return first, first + block_size


def _decode_number(data: bytes) -> tuple[int, int]:
    """Decode a number coded like UTF-8; return it and its length in bytes, 0 if it is invalid."""
    n_ones = 8 - (data[0] ^ 0xFF).bit_length()
    if n_ones == 0:
        return data[0], 1
    if n_ones in (1, 8) or any(byte & 0xC0 != 0x80 for byte in data[1:n_ones]):
        return 0, 0
    number = data[0] & 0x7F >> n_ones
    for byte in data[1:n_ones]:
        number = number << 6 | byte & 0x3F
    return number, n_ones


def _crc8(data: bytes) -> int:
    """Return the CRC-8 with the polynomial 0x07."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc
