"""Deltas: how to make the old bytes of a file from its new ones, exactly, in little space.

Audio is copied from the new file, and so is what both files have of the tags, such as pictures; the delta has the rest.
"""

import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from genre_edge.audio.containers.file_bytes import file_peek
from genre_edge.audio.containers.layout import Range
from genre_edge.library.tagging.payload import find_payload
from genre_edge.library.tagging.tags import TagError

MAX_TAG_BYTES = 64 << 20  # of tags in one place, which are held in memory
_ANCHOR_BYTES = 64  # of equal bytes that are looked for
_SEARCH_BYTES = 1 << 30  # in all searches that fail
_READ_BYTES = 1 << 20
_COPY, _LITERAL = struct.Struct("<cQQ"), struct.Struct("<cQ")
_IS_COPY, _IS_LITERAL = b"c", b"l"


def make_delta(old: int, new: int) -> bytes:
    """Return the delta that makes a file's old content from its new one.

    Args:
        old, new: descriptors of the old and the new file, which have the same audio.

    Raises:
        TagError: the tags are too large.
        OSError: a file cannot be read.
    """
    sizes = os.fstat(old).st_size, os.fstat(new).st_size
    peek_old, peek_new = file_peek(old, sizes[0]), file_peek(new, sizes[1])
    encoder = _Encoder()
    old_at = new_at = 0
    for old_start, new_start, n in chain(_common_audio(old, new), [(*sizes, 0)]):
        if max(old_start - old_at, new_start - new_at) > MAX_TAG_BYTES:
            raise TagError(f"the tags are larger than {MAX_TAG_BYTES >> 20} MiB")
        before = peek_old(old_at, old_start - old_at)
        for piece in _match(before, peek_new(new_at, new_start - new_at)):
            encoder.add(piece if isinstance(piece, bytes) else (piece[0] + new_at, piece[1] + new_at))
        encoder.add((new_start, new_start + n))
        old_at, new_at = old_start + n, new_start + n
    return encoder.finish()


def apply_delta(delta: bytes, new: int) -> Iterator[bytes]:
    """Yield the old content of a file in pieces of at most 1 MiB.

    Args:
        delta: made by `make_delta`.
        new: descriptor of the new file.

    Raises:
        TagError: the delta is damaged, or the file is shorter than it was.
        OSError: the file cannot be read.
    """
    peek = file_peek(new, os.fstat(new).st_size)
    try:
        content = zlib.decompress(delta)
        at = 0
        while at < len(content):
            if content[at : at + 1] == _IS_COPY:
                _, start, end = _COPY.unpack_from(content, at)
                at += _COPY.size
                for offset in range(start, end, _READ_BYTES):
                    n = min(_READ_BYTES, end - offset)
                    if len(piece := peek(offset, n)) < n:
                        raise TagError("the file is shorter than it was after tagging")
                    yield piece
            else:
                _, n = _LITERAL.unpack_from(content, at)
                at += _LITERAL.size
                yield content[at : at + n]
                at += n
    except (zlib.error, struct.error):
        raise TagError("the journal's record is damaged") from None


class _Encoder:
    """Writes copies, joined where they touch, and literal bytes."""

    def __init__(self) -> None:
        self._compressor, self._parts = zlib.compressobj(), list[bytes]()
        self._copy: Range = (0, 0)

    def add(self, piece: bytes | Range) -> None:
        """Add bytes, or a range of the new file to copy."""
        if isinstance(piece, bytes):
            if piece:
                self._flush_copy()
                self._write(_LITERAL.pack(_IS_LITERAL, len(piece)) + piece)
        elif piece[0] == self._copy[1]:
            self._copy = (self._copy[0], piece[1])
        else:
            self._flush_copy()
            self._copy = piece

    def finish(self) -> bytes:
        """Return the delta."""
        self._flush_copy()
        return b"".join([*self._parts, self._compressor.flush()])

    def _flush_copy(self) -> None:
        if self._copy[0] < self._copy[1]:
            self._write(_COPY.pack(_IS_COPY, *self._copy))
        self._copy = (0, 0)

    def _write(self, content: bytes) -> None:
        self._parts.append(self._compressor.compress(content))


def _common_audio(old: int, new: int) -> Iterator[tuple[int, int, int]]:
    """Yield (offset in the old file, offset in the new one, length) for all audio, in order."""
    left, right = _ranges(old), _ranges(new)
    a, b = next(left, None), next(right, None)
    while a is not None and b is not None:
        n = min(a[1] - a[0], b[1] - b[0])
        if n > 0:
            yield a[0], b[0], n
        a, b = (a[0] + n, a[1]), (b[0] + n, b[1])
        a = a if a[0] < a[1] else next(left, None)
        b = b if b[0] < b[1] else next(right, None)


def _ranges(descriptor: int) -> Iterator[Range]:
    items: Iterable[Range | bytes] = find_payload(descriptor).items()
    return (item for item in items if not isinstance(item, bytes) and item[0] < item[1])


def _match(old: bytes, new: bytes) -> Iterator[bytes | Range]:
    """Yield old bytes, in order: ranges of `new` where it has the same, else the bytes."""
    at = done = _common(old, 0, new, 0)
    yield 0, at
    expected, n_searched = at, 0
    while at + _ANCHOR_BYTES <= len(old):
        anchor = old[at : at + _ANCHOR_BYTES]
        found = expected if new.startswith(anchor, expected) else -1
        if found < 0 and n_searched < _SEARCH_BYTES:
            found = new.find(anchor)
            n_searched += len(new) if found < 0 else 0
        if found < 0:
            at += _ANCHOR_BYTES
            continue
        while at > done and found > 0 and old[at - 1] == new[found - 1]:
            at, found = at - 1, found - 1
        n = _common(old, at, new, found)
        yield old[done:at]
        yield found, found + n
        at = done = at + n
        expected = found + n
    yield old[done:]


def _common(a: bytes, i: int, b: bytes, j: int) -> int:
    """Return how many bytes `a` from `i` on and `b` from `j` on have in common."""
    limit = min(len(a) - i, len(b) - j)
    n, step = 0, 1 << 16
    while n < limit and step:
        if n + step <= limit and a[i + n : i + n + step] == b[j + n : j + n + step]:
            n += step
        else:
            step >>= 1
    return n
