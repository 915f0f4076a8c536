"""Frame headers of FLAC streams (RFC 9639, section 9.1)."""

import os
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass

_WINDOW_BYTES = 1 << 16
_SYNC_CODE = re.compile(b"\xff[\xf8\xf9]")
MAX_HEADER_BYTES = 16
_RATES = (0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000)  # by code; 0: STREAMINFO's
_SIZE_BYTES = {6: 1, 7: 2}  # additional bytes of the header for a block size, by code
_RATE_BYTES = {12: 1, 13: 2, 14: 2}
_BITS = (0, 8, 12, -1, 16, 20, 24, 32)  # by code; 0: STREAMINFO's


@dataclass(frozen=True)
class StreamInfo:
    """STREAMINFO block of 34 bytes, whose fields the frames repeat."""

    content: bytes

    @property
    def block_size(self) -> int:
        return int.from_bytes(self.content[2:4], "big")

    @property
    def max_frame_bytes(self) -> int:
        """Largest size of a frame: the declared one, at most that of uncompressed samples."""
        declared = int.from_bytes(self.content[7:10], "big")
        uncompressed = self.block_size * self.n_channels * (self.bits // 8 + 2) + 64
        return min(declared, uncompressed) if declared else uncompressed

    @property
    def rate(self) -> int:
        return int.from_bytes(self.content[10:13], "big") >> 4

    @property
    def n_channels(self) -> int:
        return (self.content[12] >> 1 & 7) + 1

    @property
    def bits(self) -> int:
        return (int.from_bytes(self.content[12:14], "big") >> 4 & 31) + 1

    @property
    def n_samples(self) -> int:
        """Declared number of samples; 0 if it is unknown."""
        return int.from_bytes(self.content[13:18], "big") & (1 << 36) - 1

    @property
    def is_valid(self) -> bool:
        """True if the block can begin a stream."""
        sizes = [int.from_bytes(self.content[at : at + 2], "big") for at in (0, 2)]
        return len(self.content) == 34 and 16 <= sizes[0] <= sizes[1] and self.rate > 0 and self.bits >= 4

    def with_n_samples(self, n_samples: int) -> bytes:
        """Return the block with another number of samples; 0 for an unknown one."""
        value = int.from_bytes(self.content[13:18], "big") >> 36 << 36 | n_samples & (1 << 36) - 1
        return self.content[:13] + value.to_bytes(5, "big") + self.content[18:]


@dataclass(frozen=True)
class Frame:
    """Frame: its offset, its first sample, and the sample after its last."""

    offset: int
    first_sample: int
    end_sample: int


def find_frames(descriptor: int, info: StreamInfo, start: int, end: int, first: int) -> Iterator[Frame]:
    """Yield what look like frame headers of a stream between two offsets; some may be other bytes by chance.

    Args:
        descriptor: open file descriptor; its position is not changed.
        info: the stream's parameters, which a header must repeat.
        start, end: offsets in the file.
        first: offset of the stream's first frame, whose blocking strategy all others have.
    """
    is_known = parse_header(os.pread(descriptor, MAX_HEADER_BYTES, first), info) is not None
    strategies = (os.pread(descriptor, 1, first + 1),) if is_known else (b"\xf8", b"\xf9")
    for offset, header in _find_sync_codes(descriptor, start, end, strategies):
        if (samples := parse_header(header, info)) is not None:
            yield Frame(offset, *samples)


def has_all_frames(descriptor: int, info: StreamInfo, start: int, end: int) -> bool:
    """Return True if the headers of all frames between two offsets follow each other without a gap, from sample 0 on.

    Damage within a frame that leaves its header intact is not found.
    """
    n_samples = 0
    for frame in find_frames(descriptor, info, start, end, start):
        if frame.first_sample == n_samples:
            n_samples = frame.end_sample
    return n_samples > 0 and n_samples >= info.n_samples


def find_streams(descriptor: int, former: StreamInfo, start: int, end: int) -> Iterator[tuple[int, StreamInfo]]:
    """Yield where a stream without a header may begin, and the parameters that its first frame states.

    The parameters that it does not state are those of a former stream.
    """
    for offset, header in _find_sync_codes(descriptor, start, end, (b"\xf8", b"\xf9")):
        block_size, rate, bits = _block_size(header), _rate(header), _BITS[header[3] >> 1 & 7]
        n_channels = (header[3] >> 4) + 1 if header[3] < 0x80 else 2
        fields = (rate or former.rate) << 44 | (n_channels - 1) << 41 | ((bits or former.bits) - 1) << 36
        if 16 <= block_size < 1 << 16 and rate >= 0 and bits >= 0:
            sizes = block_size.to_bytes(2, "big") * 2
            info = StreamInfo(sizes + bytes(6) + fields.to_bytes(8, "big") + bytes(16))
            if parse_header(header, info) is not None:
                yield offset, info


def _find_sync_codes(
    descriptor: int, start: int, end: int, strategies: Container[bytes]
) -> Iterator[tuple[int, bytes]]:
    """Yield the offsets of what may be frame headers, and 16 bytes from there on, with zeros behind the file's end."""
    while start < end:
        n_bytes = min(_WINDOW_BYTES, end - start)
        window = os.pread(descriptor, n_bytes + MAX_HEADER_BYTES - 1, start)
        for match in _SYNC_CODE.finditer(window):
            at = match.start()
            if at < n_bytes and window[at + 1 : at + 2] in strategies:
                yield start + at, window[at : at + MAX_HEADER_BYTES].ljust(MAX_HEADER_BYTES, b"\0")
        start += n_bytes


def parse_header(header: bytes, info: StreamInfo) -> tuple[int, int] | None:
    """Return the first sample of a frame and the sample after its last; None if the bytes are no frame header."""
    header = header.ljust(MAX_HEADER_BYTES, b"\0")  # the last frame may be shorter
    if header[0] != 0xFF or header[1] & 0xFE != 0xF8 or header[3] & 1:
        return None
    block_size, channels = _block_size(header), header[3] >> 4
    n_channels = channels + 1 if channels < 8 else 2
    if not 0 < block_size <= info.block_size or channels > 10 or n_channels != info.n_channels:
        return None
    if _rate(header) not in (0, info.rate) or _BITS[header[3] >> 1 & 7] not in (0, info.bits):
        return None
    number, length = _decode_number(header[4:11])
    at = 4 + length + _SIZE_BYTES.get(header[2] >> 4, 0) + _RATE_BYTES.get(header[2] & 15, 0)
    if not length or _crc8(header[:at]) != header[at]:
        return None
    first = number if header[1] & 1 else number * info.block_size
    return first, first + block_size


def _block_size(header: bytes) -> int:
    """Return the number of samples in a frame; 0 if the code is invalid."""
    code, at = header[2] >> 4, 4 + _decode_number(header[4:11])[1]
    if code in _SIZE_BYTES:
        return int.from_bytes(header[at : at + _SIZE_BYTES[code]], "big") + 1
    return (0, 192)[code] if code < 2 else 576 << code - 2 if code < 6 else 256 << code - 8


def _rate(header: bytes) -> int:
    """Return the rate in Hz; 0 if it is that of STREAMINFO, and -1 if the code is invalid."""
    code = header[2] & 15
    if code < len(_RATES):
        return _RATES[code]
    at = 4 + _decode_number(header[4:11])[1] + _SIZE_BYTES.get(header[2] >> 4, 0)
    value = int.from_bytes(header[at : at + _RATE_BYTES.get(code, 0)], "big")
    return {12: value * 1000, 13: value, 14: value * 10}.get(code, -1)


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
        crc = _CRC8[crc ^ byte]
    return crc


def frame_ends(frame: bytes) -> Iterator[int]:
    """Yield the numbers of bytes after which a frame may end: where its CRC-16 (polynomial 0x8005) is right."""
    crc = 0
    for index, byte in enumerate(frame, 1):
        crc = (crc << 8 & 0xFF00) ^ _CRC16[crc >> 8 ^ byte]
        if crc == 0:
            yield index


def _crc_table(n_bits: int, polynomial: int) -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << n_bits - 8
        for _ in range(8):
            crc = (crc << 1 ^ (polynomial if crc >> n_bits - 1 else 0)) & (1 << n_bits) - 1
        table.append(crc)
    return table


_CRC8 = _crc_table(8, 0x07)
_CRC16 = _crc_table(16, 0x8005)
