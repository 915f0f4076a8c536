"""Pages and links of Ogg files (RFC 3533). Chained links, as in a saved radio stream, are decoded one after another."""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from genre_edge.audio.containers.layout import Layout, Part

_HEADER = struct.Struct("<4sBBqIIIB")  # capture, version, flags, granule, serial, sequence, CRC, number of segments
_BEGINS, _ENDS = 2, 4  # flags of the first and the last page of a logical stream
_WINDOW_BYTES = 1 << 20
_MAX_PAGE_BYTES = 27 + 255 + 255 * 255
_MAX_REJECTED = 100_000  # bytes that look like pages; more are no damage, but a file made to cost time
_MAX_FIRST_PAGE_S = 5.0  # a stream whose first page of audio ends later was cut out of a longer one
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass
class _Page:
    """One page.

    Attributes:
        start, end: offsets in the file; the end of a cut page is the end of the file.
        flags, granule, serial: fields of the header.
        body: the content.
    """

    start: int
    end: int
    flags: int
    granule: int
    serial: int
    body: bytes


@dataclass
class _Link:
    """Logical streams that start together.

    Attributes:
        start, end: offsets in the file.
        serial, rate: the first audio stream, and its granules per second; None if there is none of a known codec.
        pre_skip: granules at the start that an Opus decoder drops.
        first, last: granules of the first and the last page with audio.
        has_end: the last page is marked as such.
    """

    start: int
    end: int
    serial: int | None = None
    rate: int = 0
    pre_skip: int = 0
    first: int = 0
    last: int = 0
    has_end: bool = False

    def begin_stream(self, page: _Page) -> None:
        """Note the audio stream that a first page begins."""
        if self.serial is None and (rate := _granules_per_s(page.body)):
            self.serial, self.rate = page.serial, rate
            if page.body.startswith(b"OpusHead"):
                self.pre_skip = int.from_bytes(page.body[10:12], "little")

    def add(self, page: _Page) -> None:
        """Add a later page."""
        self.end = page.end
        if page.serial == self.serial:
            if page.granule > 0:
                self.first = self.first or page.granule
                self.last = max(self.last, page.granule)
            self.has_end = bool(page.flags & _ENDS)

    @property
    def seconds(self) -> float:
        """Length according to the granules, less the start of a stream that was cut out of a longer one."""
        if not self.rate:
            return 0.0
        origin = self.first if self.first > _MAX_FIRST_PAGE_S * self.rate else self.pre_skip
        return max(0, self.last - origin) / self.rate


def scan(descriptor: int, size: int) -> Layout | None:
    """Return the layout of an Ogg file; None for other files.

    Args:
        descriptor: open file descriptor; its position is not changed.
        size: size of the file in bytes.
    """
    if os.pread(descriptor, 4, 0) != b"OggS":
        return None
    links, problem = _links(descriptor, size)
    if not links:
        return None
    seconds = sum(link.seconds for link in links)
    if problem is None and links[-1].serial is not None and not links[-1].has_end:
        problem = "the last page is missing"
    parts = tuple(Part(((link.start, link.end),)) for link in links) if len(links) > 1 else ()
    return Layout(parts, seconds or None, seconds or None, problem)


def _links(descriptor: int, size: int) -> tuple[list[_Link], str | None]:
    """Return the links, and a description of the last page if it is cut."""
    links: list[_Link] = []
    are_first_pages, end, problem = False, 0, None
    for page in _pages(descriptor, size):
        if page is None:
            return links, "the last page is incomplete"
        if page.start != end:
            problem = "the file has damaged pages"
        end = page.end
        if page.flags & _BEGINS:
            if not are_first_pages:
                links.append(_Link(page.start, page.end))
            links[-1].begin_stream(page)
        elif links:
            links[-1].add(page)
        are_first_pages = bool(page.flags & _BEGINS)
    return links, problem


def _pages(descriptor: int, size: int) -> Iterator[_Page | None]:
    """Yield the pages with a correct checksum; None for a page that the end of the file cuts."""
    base, window, offset, n_rejected = 0, b"", 0, 0
    while offset + _HEADER.size <= size and n_rejected <= _MAX_REJECTED:
        at = offset - base
        if at + _MAX_PAGE_BYTES > len(window) and base + len(window) < size:
            base, at = offset, 0
            window = os.pread(descriptor, _WINDOW_BYTES, base)
        page = _page(window, at, base)
        if page is not None and page.end > size:
            yield None
        if page is not None and page.end <= size and _has_checksum(window[at : page.end - base]):
            yield page
            offset = page.end
        else:
            n_rejected += 1
            found = window.find(b"OggS", at + 1)
            offset = base + (found if found >= 0 else max(at + 1, len(window) - 3))


def _page(window: bytes, at: int, base: int) -> _Page | None:
    """Parse the page at position `at`; None if there is none."""
    if len(window) - at < _HEADER.size:
        return None
    capture, version, flags, granule, serial, _, _, n_segments = _HEADER.unpack_from(window, at)
    if capture != b"OggS" or version != 0:
        return None
    body = at + _HEADER.size + n_segments
    length = sum(window[at + _HEADER.size : body])
    return _Page(base + at, base + body + length, flags, granule, serial, window[body : body + min(length, 64)])


def _has_checksum(page: bytes) -> bool:
    """Return True if a page has a correct CRC-32: polynomial 0x04C11DB7, start 0. zlib computes it on reversed bits."""
    zeroed = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED_BITS)
    reversed_crc = zlib.crc32(zeroed, 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{reversed_crc:032b}"[::-1], 2) == int.from_bytes(page[22:26], "little")


def _granules_per_s(packet: bytes) -> int:
    """Return the granules per second of the stream that starts with this packet; 0 if it is no audio that is known."""
    if packet[:7] == b"\x01vorbis":
        return int.from_bytes(packet[12:16], "little")
    if packet[:8] == b"OpusHead":
        return 48000
    if packet[:8] == b"Speex   ":
        return int.from_bytes(packet[36:40], "little")
    if packet[:5] == b"\x7fFLAC":
        return int.from_bytes(packet[27:30], "big") >> 4
    return 0
