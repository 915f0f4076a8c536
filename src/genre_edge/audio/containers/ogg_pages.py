"""Pages of Ogg files (RFC 3533), also those with one wrong byte, which their checksum corrects."""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MAX_PAGE_BYTES = 27 + 255 + 255 * 255
BEGINS, ENDS = 2, 4  # flags of the first and the last page of a logical stream

_CAPTURE = b"OggS"
_HEADER = struct.Struct("<4sBBqIIIB")  # capture, version, flags, granule, serial, sequence, CRC, number of segments
_CRC_AT = 22
_WINDOW_BYTES = 1 << 20
_BODY_BYTES = 64  # that are kept of each page
_MAX_REJECTED = 100_000  # bytes that look like pages; more are no damage, but a file made to cost time
_MAX_REPAIRED_BYTES = 1 << 22  # of damaged pages, for the same reason
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        start, end: offsets in the file; the end of a cut page is behind the end of the file.
        flags, granule, serial: fields of the header.
        body: the first bytes of the content.
        repaired: all bytes of a page that is damaged in the file; None if it is not.
    """

    start: int
    end: int
    flags: int
    granule: int
    serial: int
    body: bytes
    repaired: bytes | None = None


class PageScan:
    """The valid pages of a file, and those that can be repaired.

    Args:
        descriptor: open file descriptor; its position is not changed.
        size: size of the file in bytes.

    Attributes:
        is_cut: the end of the file cuts its last page.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor, self._size = descriptor, size
        self._n_repairable = _MAX_REPAIRED_BYTES
        self.is_cut = False

    def pages(self, start: int) -> Iterator[Page]:
        """Yield the pages from offset `start` on, in order."""
        end = start
        for page in self._valid_pages(start):
            if page.start > end:
                yield from self._repaired_pages(end, page.start)
            yield page
            end = page.end
            self.is_cut = False
        if end < self._size:
            for page in self._repaired_pages(end, self._size):
                yield page
                self.is_cut = self.is_cut and page.end < self._size

    def _valid_pages(self, offset: int) -> Iterator[Page]:
        """Yield the pages with a correct checksum from an offset on."""
        base, window, n_rejected = offset, b"", 0
        while offset + _HEADER.size <= self._size and n_rejected <= _MAX_REJECTED:
            at = offset - base
            if at + MAX_PAGE_BYTES > len(window) and base + len(window) < self._size:
                base, at = offset, 0
                window = os.pread(self._descriptor, _WINDOW_BYTES, base)
            page = parse_page(window, at, base)
            if page is not None and page.end > self._size:
                self.is_cut = True
            if page is not None and page.end <= self._size and _has_checksum(window[at : page.end - base]):
                yield page
                offset = page.end
            else:
                n_rejected += 1
                found = window.find(_CAPTURE, at + 1)
                offset = base + (found if found >= 0 else max(at + 1, len(window) - 3))

    def _repaired_pages(self, start: int, end: int) -> Iterator[Page]:
        """Yield the pages between two offsets that can be repaired."""
        content = os.pread(self._descriptor, min(end - start, self._n_repairable), start)
        self._n_repairable -= len(content)
        at = 0
        while at < len(content):
            found = content.find(_CAPTURE, at + 1)
            stop = found if found >= 0 else len(content)
            repaired = repair(content[at:stop]) if stop - at <= MAX_PAGE_BYTES else None
            if repaired is not None and (page := parse_page(repaired, 0, start + at)) is not None:
                yield Page(page.start, start + stop, page.flags, page.granule, page.serial, page.body, repaired)
            at = stop


def parse_page(window: bytes, at: int, base: int) -> Page | None:
    """Parse the page at position `at` of bytes that lie at offset `base`; None if there is none."""
    if len(window) - at < _HEADER.size:
        return None
    capture, version, flags, granule, serial, _, _, n_segments = _HEADER.unpack_from(window, at)
    if capture != _CAPTURE or version != 0:
        return None
    body = at + _HEADER.size + n_segments
    length = sum(window[at + _HEADER.size : body])
    kept = window[body : body + min(length, _BODY_BYTES)]
    return Page(base + at, base + body + length, flags, granule, serial, kept)


def repair(page: bytes) -> bytes | None:
    """Return a page whose checksum is right except for one wrong byte, which is corrected; None for other bytes.

    The difference of the checksums, taken back byte by byte, is the wrong bits where they are less than a byte. In
    other damage of `n` bytes this happens by chance once in 2^24 / n.
    """
    if len(page) < _HEADER.size:
        return None
    difference = _reversed_crc(page) ^ int.from_bytes(page[_CRC_AT : _CRC_AT + 4].translate(_REVERSED_BITS), "big")
    wrong = [at for at, byte in enumerate(difference.to_bytes(4, "big")) if byte]
    if not wrong:
        return page
    if len(wrong) == 1:  # in the checksum itself
        at, bits = _CRC_AT + wrong[0], difference >> 8 * (3 - wrong[0])
    else:
        at, bits = len(page), difference
        while bits >= 256 or at == len(page) or _CRC_AT <= at < _CRC_AT + 4:
            if at == 0:
                return None
            at -= 1
            index = _TABLE_INDEX[bits >> 24]
            bits = ((bits ^ _TABLE[index]) << 8 | index) & 0xFFFFFFFF
    repaired = page[:at] + bytes([page[at] ^ _REVERSED_BITS[bits]]) + page[at + 1 :]
    parsed = parse_page(repaired, 0, 0)
    return repaired if parsed is not None and parsed.end == len(page) and _has_checksum(repaired) else None


def with_checksum(page: bytes) -> bytes:
    """Return a page with its right checksum."""
    crc = _reversed_crc(page).to_bytes(4, "big").translate(_REVERSED_BITS)
    return page[:_CRC_AT] + crc + page[_CRC_AT + 4 :]


def with_serial(page: bytes, serial: int) -> bytes:
    """Return a page with another serial number of its stream."""
    return with_checksum(page[:14] + serial.to_bytes(4, "little") + page[18:])


def page_body(page: bytes) -> bytes:
    """Return the content of a page."""
    return page[_HEADER.size + page[_HEADER.size - 1] :]


def is_ogg(descriptor: int, start: int) -> bool:
    """Return True if a page starts at an offset, or others follow the one that it lies in."""
    head = os.pread(descriptor, 3 * MAX_PAGE_BYTES, start)
    at = head.find(_CAPTURE)
    while at > 0:
        page = parse_page(head, at, 0)
        if page is not None and _has_checksum(head[at : page.end]) and head.startswith(_CAPTURE, page.end):
            return True
        at = head.find(_CAPTURE, at + 1)
    return at == 0


def _has_checksum(page: bytes) -> bool:
    return with_checksum(page) == page


def _reversed_crc(page: bytes) -> int:
    """Return the CRC-32 of a page with the bits in reverse order.

    The polynomial is 0x04C11DB7, the start is 0. zlib computes it on reversed bits.
    """
    zeroed = (page[:_CRC_AT] + bytes(4) + page[_CRC_AT + 4 :]).translate(_REVERSED_BITS)
    return zlib.crc32(zeroed, 0xFFFFFFFF) ^ 0xFFFFFFFF


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()
_TABLE_INDEX = {value >> 24: index for index, value in enumerate(_TABLE)}
