"""`Layout`: the parts of a file that are decoded one after another; `PartView`: one part as a file object."""

import io
import os
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

Range = tuple[int, int]  # first byte and the byte after the last, in the file


@dataclass(frozen=True)
class Part:
    """One complete stream within a file: bytes of the file, where needed with a repaired or generated header.

    Attributes:
        pieces: literal bytes and ranges of the file, in order.
        range: range of the file that ffmpeg can decode instead; None if there is none.
    """

    pieces: tuple[bytes | Range, ...]
    range: Range | None = None


@dataclass(frozen=True)
class Layout:
    """Structure of a file.

    Attributes:
        parts: the parts in order; empty if the file can be decoded as it is.
        available_s: length of the audio that the file holds, in seconds, undamaged or not; None if that is unknown.
        expected_s: length of the audio that the file should hold, in seconds; None if that is unknown. The file is
            truncated if it exceeds `available_s`.
        problem: description of a fault, for the warning after decoding ("the header gives no length"); None if there is
            none.
        undecodable_s: length, at most, of the audio in `available_s` that no decoder can decode, in seconds.
    """

    parts: tuple[Part, ...] = ()
    available_s: float | None = None
    expected_s: float | None = None
    problem: str | None = None
    undecodable_s: float = 0.0


class PartView:
    """Read-only, seekable file object over a `Part`, for libsndfile's virtual I/O.

    Args:
        descriptor: open file descriptor; the caller closes it. Its position is neither used nor changed.
        part: the part to present as a file.
    """

    def __init__(self, descriptor: int, part: Part) -> None:
        self._descriptor, self._pieces = descriptor, part.pieces
        self._starts = list(accumulate(map(_length, part.pieces), initial=0))
        self._size = self._starts.pop()
        self._position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position; return it. A position before the start becomes 0."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def file_offset(self) -> int:
        """Return the offset in the file of the position; 0 within literal bytes."""
        start = 0
        for piece in self._pieces:
            length = _length(piece)
            if not isinstance(piece, bytes) and start <= self._position <= start + length:
                return piece[0] + self._position - start
            start += length
        return 0

    def readinto(self, buffer: memoryview) -> int:
        """Read up to `len(buffer)` bytes at the position; return their number, fewer only at the end.

        A read error counts as the end: an exception in libsndfile's callback would be printed and lost.
        """
        n_read = 0
        while n_read < len(buffer) and (data := self._read_piece(len(buffer) - n_read)):
            buffer[n_read : n_read + len(data)] = data
            n_read += len(data)
            self._position += len(data)
        return n_read

    def read(self, n: int = -1) -> bytes:
        """Read up to `n` bytes at the position, all if `n` is negative."""
        buffer = bytearray(max(0, self._size - self._position) if n < 0 else n)
        return bytes(buffer[: self.readinto(memoryview(buffer))])

    def write(self, data: bytes) -> int:
        """Raise an error: the view is read-only; libsndfile requires the method."""
        raise io.UnsupportedOperation("not writable")

    def _read_piece(self, n: int) -> bytes:
        """Read up to `n` bytes of the piece at the position."""
        if self._position >= self._size:
            return b""
        i = bisect_right(self._starts, self._position) - 1
        piece, offset = self._pieces[i], self._position - self._starts[i]
        n = min(n, _length(piece) - offset)
        if isinstance(piece, bytes):
            return piece[offset : offset + n]
        try:
            return os.pread(self._descriptor, n, piece[0] + offset)
        except OSError:
            return b""


def _length(piece: bytes | Range) -> int:
    return len(piece) if isinstance(piece, bytes) else max(0, piece[1] - piece[0])
