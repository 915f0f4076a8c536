"""`find_payload`: which bytes of a file are audio, and which are tags. Other files count as audio as a whole."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from genre_edge.audio.containers.file_bytes import Peek, file_peek
from genre_edge.audio.containers.layout import Range
from genre_edge.audio.containers.tags import after_id3v2, before_trailing_tags
from genre_edge.library.tagging.chunk_payload import aiff_ranges, wav_ranges
from genre_edge.library.tagging.mp4_payload import Item, is_mp4, mp4_items
from genre_edge.library.tagging.ogg_payload import ogg_ranges, ogg_start

_MAX_METADATA_BLOCKS = 1000
_SYNC_BYTES = 1 << 16  # in which an mp3's first frame is searched


@dataclass(frozen=True)
class Payload:
    """The audio of a file.

    Attributes:
        container: "mp3", "flac", "ogg", "mp4", "wav" or "aiff"; "" for other and damaged files.
        samples: ranges of the file that hold the audio, in order; of an Ogg file, with the headers of its pages.
        items: yields the ranges of the file that tags do not change, in order, and bytes that follow from others, such
            as relative positions.
    """

    container: str
    samples: tuple[Range, ...]
    items: Callable[[], Iterator[Item]]


def find_payload(descriptor: int) -> Payload:
    """Find the audio of an open file, whose position is not changed.

    Raises:
        OSError: the file cannot be read.
    """
    size = os.fstat(descriptor).st_size
    peek = file_peek(descriptor, size)
    start, end = after_id3v2(descriptor, 0), before_trailing_tags(descriptor, size)
    head = peek(0, 12)
    if head[:4] == b"OggS":
        if (first := ogg_start(peek, size)) is not None:
            return Payload("ogg", ((first, size),), lambda: ogg_ranges(peek, size))
    elif is_mp4(peek, size):
        mdat = tuple(item for item in mp4_items(peek, size, only_media=True) if isinstance(item, tuple))
        return Payload("mp4", mdat, lambda: mp4_items(peek, size))
    elif ranges := wav_ranges(peek, size):
        return _from_ranges("wav", ranges)
    elif ranges := aiff_ranges(peek, size):
        return _from_ranges("aiff", ranges)
    elif start < end and (ranges := _flac_ranges(peek, start, end)):
        return _from_ranges("flac", ranges)
    elif start < end and _has_mpeg_frame(peek(start, min(_SYNC_BYTES, end - start))):
        return _from_ranges("mp3", [(start, end)])
    return _from_ranges("", [(0, size)])


def _from_ranges(container: str, ranges: list[Range]) -> Payload:
    return Payload(container, tuple(ranges), lambda: iter(ranges))


def _flac_ranges(peek: Peek, start: int, end: int) -> list[Range]:
    """Return the ranges of the STREAMINFO block and of the frames of a FLAC file; none for other files."""
    if peek(start, 4) != b"fLaC" or peek(start + 4, 1)[:1] not in (b"\0", b"\x80"):
        return []
    at = start + 4
    for _ in range(_MAX_METADATA_BLOCKS):
        header = peek(at, 4)
        at += 4 + int.from_bytes(header[1:], "big")
        if len(header) < 4 or at > end:
            return []
        if header[0] & 0x80:
            return [(start + 8, start + 42), (at, end)]
    return []


def _has_mpeg_frame(head: bytes) -> bool:
    """Return True if bytes contain what looks like the header of an MPEG audio frame of layer 1, 2 or 3."""
    at = head.find(b"\xff")
    while 0 <= at < len(head) - 2:
        second, third = head[at + 1], head[at + 2]
        is_sync = second & 0xE0 == 0xE0 and second >> 3 & 3 != 1 and second & 6
        if is_sync and third >> 4 not in (0, 15) and third & 0x0C != 0x0C:
            return True
        at = head.find(b"\xff", at + 1)
    return False
