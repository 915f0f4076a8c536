"""The audio of Ogg files: all but the comment packet, and what depends on the number of its pages."""

from collections.abc import Iterator
from dataclasses import dataclass

from genre_edge.audio.containers.file_bytes import Peek
from genre_edge.audio.containers.layout import Range
from genre_edge.audio.containers.ogg_pages import BEGINS

_HEADER_BYTES = 27
_AUDIO = b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   "
_MAX_STREAMS = 100
_NUMBERS = 18, 26  # sequence number and checksum: the only fields that change if a comment needs more pages


@dataclass(frozen=True)
class _Page:
    """A page: offsets of its start, of its content and of its end, flags, serial number and lacing values."""

    start: int
    body: int
    end: int
    flags: int
    serial: int
    lacing: bytes


def ogg_start(peek: Peek, size: int) -> int | None:
    """Return the offset after the last page of the comments; None if the file has no audio stream with comments."""
    return next((page.end for page, end in _comment_pages(peek, size) if end is not None), None)


def ogg_ranges(peek: Peek, size: int) -> Iterator[Range]:
    """Yield the ranges of a file that has comments: without them, and without numbers and checksums of pages."""
    comments = {page.start: end for page, end in _comment_pages(peek, size)}
    at = 0
    for page in _pages(peek, size):
        at = page.end
        if page.start not in comments:
            yield page.start + 5, page.start + _NUMBERS[0]
            yield page.start + _NUMBERS[1], page.end
        elif (end := comments[page.start]) is not None and end < page.end:
            yield end, page.end
    if at < size:
        yield at, size


def mask_numbers(content: bytes) -> bytes:
    """Return bytes of an Ogg file from its first page on up to its last one, with numbers and checksums set to zero."""
    first, last = content.find(b"OggS"), content.rfind(b"OggS")
    masked = bytearray(content[first:last] if 0 <= first < last else b"")
    at = 0
    while at >= 0:
        masked[at + _NUMBERS[0] : at + _NUMBERS[1]] = bytes(len(masked[at + _NUMBERS[0] : at + _NUMBERS[1]]))
        at = masked.find(b"OggS", at + 1)
    return bytes(masked)


def _comment_pages(peek: Peek, size: int) -> Iterator[tuple[_Page, int | None]]:
    """Yield the pages of the audio stream's comments, and the offset at which the comments end, None before it."""
    serial = None
    for number, page in enumerate(_pages(peek, size)):
        if page.flags & BEGINS:
            if number >= _MAX_STREAMS:
                return
            if serial is None and peek(page.body, 8).startswith(_AUDIO):
                serial = page.serial
        elif serial is None:
            return
        elif page.serial == serial:
            length = 0
            for lace in page.lacing:
                length += lace
                if lace < 255:
                    yield page, page.body + length
                    return
            yield page, None


def _pages(peek: Peek, size: int) -> Iterator[_Page]:
    """Yield the pages from the start of a file up to its end or to damage."""
    at = 0
    while at < size:
        head = peek(at, _HEADER_BYTES + 255)
        if len(head) < _HEADER_BYTES or head[:5] != b"OggS\0":
            return
        body = at + _HEADER_BYTES + head[26]
        lacing = head[_HEADER_BYTES : _HEADER_BYTES + head[26]]
        end = body + sum(lacing)
        if end > size:
            return
        yield _Page(at, body, end, head[5], int.from_bytes(head[14:18], "little"), lacing)
        at = end
