"""`Link`: logical streams of an Ogg file that start together, and their headers."""

import os
from dataclasses import dataclass, field
from hashlib import sha256

from genre_edge.audio.containers.layout import Part, Range
from genre_edge.audio.containers.ogg_pages import ENDS, Page, page_body, with_serial

_MAX_FIRST_PAGE_S = 5.0  # a stream whose first page of audio ends later was cut out of a longer one
_MAX_HEADER_PAGES = 64
_MAX_RECOVERED_BYTES = 1 << 22  # of pages that are copied from other links; more are a file made to cost memory
_SECOND_HEADERS = b"\x03vorbis", b"OpusTags"
_OPUS = b"Opus"


@dataclass
class Link:
    """Logical streams that start together.

    Attributes:
        start, end: offsets in the file.
        serials: numbers of the streams.
        serial, rate: the first audio stream, and its granules per second; None if there is none of a known codec.
        pre_skip: granules at the start that an Opus decoder drops.
        first, last: granules of the first and the last page with audio.
        damaged: granules of the pages with audio that follow damaged ones, with those.
        has_end: the last page is marked as such.
        is_over: another link has begun.
        pieces: ranges of the file and repaired pages, from start to end.
        header_pages: pages of the audio stream before those with audio.
        header: pages that precede the pieces, of a stream whose own first page is lost.
    """

    start: int
    end: int
    serials: set[int] = field(default_factory=set)
    serial: int | None = None
    rate: int = 0
    pre_skip: int = 0
    first: int = 0
    last: int = 0
    damaged: int = 0
    has_end: bool = False
    is_over: bool = False
    pieces: list[bytes | Range] = field(default_factory=list)
    header_pages: list[Page] = field(default_factory=list)
    header: bytes = b""

    def begin_stream(self, page: Page) -> None:
        """Add the first page of a stream; note the first audio stream."""
        self.serials.add(page.serial)
        self._add_piece(page)
        if self.serial is None and (rate := _granules_per_s(page.body)):
            self.serial, self.rate = page.serial, rate
            self.header_pages.append(page)
            if page.body.startswith(b"OpusHead"):
                self.pre_skip = int.from_bytes(page.body[10:12], "little")

    def contains(self, page: Page) -> bool:
        """Return True if a page belongs to one of the streams, and is not the second of a later one."""
        is_second = page.serial == self.serial and self.last > 0 and page.body.startswith(_SECOND_HEADERS)
        self.is_over = self.is_over or is_second
        return page.serial in self.serials and not self.is_over

    def add(self, page: Page, is_behind_damage: bool) -> None:
        """Add a later page."""
        self._add_piece(page)
        if page.serial == self.serial:
            if page.granule == 0 and not self.last and len(self.header_pages) < _MAX_HEADER_PAGES:
                self.header_pages.append(page)
            if page.granule > 0:
                self.damaged += max(0, page.granule - self.last) if is_behind_damage else 0
                self.first = self.first or page.granule
                self.last = max(self.last, page.granule)
            self.has_end = bool(page.flags & ENDS)

    def _add_piece(self, page: Page) -> None:
        start = self.end
        if page.repaired is not None:
            self.pieces.append(page.repaired)
        elif self.pieces and not isinstance(last := self.pieces[-1], bytes):
            self.pieces[-1] = (last[0], page.end)
        else:
            self.pieces.append((start, page.end))
        self.end = page.end

    @property
    def seconds(self) -> float:
        """Length according to the granules, less the start of a stream that was cut out of a longer one."""
        if not self.rate:
            return 0.0
        is_cut = not self.header_pages or self.first > _MAX_FIRST_PAGE_S * self.rate
        origin = self.first if is_cut else self.pre_skip
        return max(0, self.last - origin) / self.rate

    @property
    def damaged_s(self) -> float:
        """Length of the audio around damaged pages, at most."""
        return min(self.seconds, self.damaged / self.rate) if self.rate else 0.0

    @property
    def part(self) -> Part:
        """The link as a part."""
        header = (self.header,) if self.header else ()
        return Part((*header, *self.pieces), None if header else (self.start, self.end))


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


def recover_headers(descriptor: int, lost: list[Link], links: list[Link]) -> None:
    """Complete links whose first page is lost by the headers of other links.

    Vorbis links need the same codebooks; any headers fit Opus.

    Args:
        descriptor: open file descriptor; its position is not changed.
        lost: the links, of one stream each; their `header`, `rate` and `pre_skip` are set.
        links: links whose headers are known.
    """
    known: dict[bytes, Link] = {}
    for link in links if lost else ():
        if key := _codec_key([_read(descriptor, page) for page in link.header_pages]):
            known.setdefault(key, link)
    n_left = _MAX_RECOVERED_BYTES
    for link in lost:
        own = [_read(descriptor, page) for page in link.header_pages]
        other = known.get(_codec_key(own) if own else _OPUS)
        if other is None or link.serial is None:
            continue
        missing = [_read(descriptor, page) for page in (other.header_pages[:1] if own else other.header_pages)]
        n_left -= sum(map(len, missing))
        if n_left < 0:
            return
        link.header = b"".join(with_serial(page, link.serial) for page in missing)
        link.rate, link.pre_skip = other.rate, other.pre_skip


def _codec_key(headers: list[bytes]) -> bytes:
    """Return what is equal for streams whose first pages are interchangeable; empty if that is unknown."""
    if headers and page_body(headers[0]).startswith((b"OpusHead", b"OpusTags")):
        return _OPUS
    # With the same third header, Vorbis streams have the same first header.
    _, marker, codebooks = b"".join(map(page_body, headers)).partition(b"\x05vorbis")
    return marker and sha256(codebooks).digest()


def _read(descriptor: int, page: Page) -> bytes:
    return page.repaired or os.pread(descriptor, page.end - page.start, page.start)
