"""The audio of MP4 files: the media data, and what the tracks say about it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from genre_edge.audio.containers.file_bytes import Peek
from genre_edge.audio.containers.layout import Range

Item = Range | bytes

_MAX_BOXES = 100_000
_MAX_DEPTH = 8
_TOP = frozenset([b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"pnot", b"styp", b"sidx", b"uuid"])
_PARENTS = frozenset([b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"moof", b"traf", b"mvex"])
_TAGS = frozenset([b"udta", b"meta", b"free", b"skip", b"uuid"])
_OFFSETS = {b"stco": ">u4", b"co64": ">u8"}
_TABLE_BYTES = 1 << 16  # of a table of offsets, at a time


@dataclass(frozen=True)
class _Box:
    """A box: its type, and the offsets of its content and of its end."""

    kind: bytes
    content: int
    end: int


def is_mp4(peek: Peek, size: int) -> bool:
    """Return True for files whose first box is one of MP4's, and that have media data and a `moov` box."""
    if peek(4, 4) not in _TOP:
        return False
    kinds = {box.kind for box in _boxes(peek, 0, size)}
    return {b"moov", b"mdat"} <= kinds


def mp4_items(peek: Peek, size: int, only_media: bool = False) -> Iterator[Item]:
    """Yield the ranges that tags do not change, and the positions of the chunks of audio within the media data.

    Args:
        peek: reads the file, which has `size` bytes.
        only_media: yield the media data only.
    """
    top = list(_boxes(peek, 0, size))
    media = [(box.content, box.end) for box in top if box.kind == b"mdat"]
    if only_media:
        yield from media
        return
    for box in top:
        if box.kind == b"mdat":
            yield box.content, box.end
        elif box.kind in (b"moov", b"moof"):
            yield from _described(peek, box, media, 0)


def _described(peek: Peek, parent: _Box, media: list[Range], depth: int) -> Iterator[Item]:
    """Yield what a box says about the audio."""
    for box in _boxes(peek, parent.content, parent.end):
        if box.kind in _PARENTS:
            if depth < _MAX_DEPTH:
                yield from _described(peek, box, media, depth + 1)
        elif box.kind in _OFFSETS:
            yield from _relative_offsets(peek, box, media)
        elif box.kind not in _TAGS and box.kind != b"tfhd":  # which has an offset in the file
            yield box.content, box.end


def _relative_offsets(peek: Peek, box: _Box, media: list[Range]) -> Iterator[bytes]:
    """Yield the offsets of a table relative to the media data in which they lie."""
    starts = np.array([start for start, _ in media], np.int64)
    kind = np.dtype(_OFFSETS[box.kind])
    for at in range(box.content + 8, box.end, _TABLE_BYTES):
        table = peek(at, min(_TABLE_BYTES, box.end - at))
        offsets = np.frombuffer(table[: len(table) // kind.itemsize * kind.itemsize], kind).astype(np.int64)
        numbers = np.maximum(0, np.searchsorted(starts, offsets, "right") - 1)
        yield numbers.astype("<i8").tobytes() + (offsets - starts[numbers]).astype("<i8").tobytes()


def _boxes(peek: Peek, at: int, end: int) -> Iterator[_Box]:
    """Yield the boxes between two offsets, up to damage; the file may cut the last one."""
    for _ in range(_MAX_BOXES):
        head = peek(at, 16)
        if at + 8 > end or len(head) < 8:
            return
        length, kind, content = int.from_bytes(head[:4], "big"), head[4:8], at + 8
        if length == 1:
            length, content = int.from_bytes(head[8:16], "big"), at + 16
        elif length == 0:
            length = end - at
        if length < content - at:
            return
        yield _Box(kind, content, min(end, at + length))
        at += length
