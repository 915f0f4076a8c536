"""`find_payload`: which bytes of a file are audio, and which are tags. Other files count as audio as a whole."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from genre_edge.audio.containers.file_bytes import Peek, file_peek
from genre_edge.audio.containers.layout import Range
from genre_edge.audio.containers.mpeg import frame_length
from genre_edge.audio.containers.tags import after_id3v2, before_trailing_tags
from genre_edge.library.tagging.chunk_payload import aiff_ranges, wav_ranges
from genre_edge.library.tagging.mp4_payload import Item, is_mp4, mp4_items
from genre_edge.library.tagging.ogg_payload import ogg_ranges, ogg_start

_MAX_METADATA_BLOCKS = 1000
_MIN_FRAMES = 4  # of an mp3 that follow each other
_MAX_JUNK_BYTES = 1 << 12  # before them: an mp3 may start within a frame
_SEARCH_BYTES = 1 << 15  # more than that and the longest frames
_OTHER_MAGICS = (
    *(b"\x1aE\xdf\xa3", b"RIFF", b"RF64", b"BW64", b"riff", b"FORM", b"OggS", b"caff", b".snd", b"fLaC", b"\0\0\1\xba"),
    *(b"FLV", b"0&\xb2u", b".RMF", b"DSD ", b"FRM8", b"MAC ", b"wvpk", b"MPCK", b"TTA1"),
)
_TS_SYNC, _TS_BYTES = b"G", 188  # the first byte of each packet of an MPEG transport stream, and its length


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
    if peek(0, 4) == b"OggS":
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
    elif start < end and _has_mpeg_frames(peek, start, end):
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


def _has_mpeg_frames(peek: Peek, start: int, end: int) -> bool:
    """Return True if MPEG audio frames follow each other near a file's start, as in no other container."""
    head = peek(start, min(_SEARCH_BYTES, end - start))
    is_ts = head[:1] == head[_TS_BYTES : _TS_BYTES + 1] == _TS_SYNC
    if is_ts or head.startswith(_OTHER_MAGICS):
        return False
    first = head.find(b"\xff")
    while 0 <= first < _MAX_JUNK_BYTES:
        at, n_frames = first, 0
        while n_frames < _MIN_FRAMES and (length := frame_length(head[at : at + 3])):
            at, n_frames = at + length, n_frames + 1
        if n_frames == _MIN_FRAMES or (n_frames > 1 and start + at >= end):
            return True
        first = head.find(b"\xff", first + 1)
    return False
