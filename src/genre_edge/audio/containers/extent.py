"""`find_extent`: where the audio of a file ends, by its declared size and by what follows."""

from collections.abc import Callable
from dataclasses import dataclass

from genre_edge.audio.containers.file_bytes import MAX_CHUNKS, Peek, is_padding
from genre_edge.audio.containers.layout import Layout, Part, Range
from genre_edge.audio.containers.tags import is_tag, tags_start

NO_LENGTH = "the header gives no length, as after an interrupted recording"
WRAP = 1 << 32  # writers beyond 4 GiB store a 32-bit size modulo this
_MAX_BYTE_RATE = 1e10


def is_placeholder(size: int) -> bool:
    """Return True for the 32-bit sizes of programs that do not know the length and cannot seek back."""
    # sox 0x7FFFF000, arecord 0x7FFFFFFF or 0x80000000, GStreamer 0x7FFF0000, ffmpeg 0xFFFFFFFF, less a header at times
    return 0x7FFEFF00 <= size <= 0x80010000 or 0xFFFEFF00 <= size <= 0xFFFFFFFF


@dataclass(frozen=True)
class Extent:
    """Where the audio lies in a file.

    Attributes:
        start, end: positions of its first byte and after its last.
        declared_end: the end by the header, at most the end of the file.
        missing: number of bytes that the header promises more than the file holds.
        problem: `NO_LENGTH` if the header declares no audio at all before audio, else None.
    """

    start: int
    end: int
    declared_end: int
    missing: int = 0
    problem: str | None = None

    @property
    def is_as_declared(self) -> bool:
        """True if the header gives the end."""
        return self.end == self.declared_end

    def layout(self, byte_rate: float, header: bytes | None) -> Layout:
        """Return the layout.

        Args:
            byte_rate: bytes of audio a second by the header; 0 if unknown.
            header: repaired header that precedes the audio; None to decode the file as it is.
        """
        part: Range = (self.start, self.end)
        parts = () if header is None else (Part((header, part)),)
        return make_layout(parts, self.end - self.start, self.missing, byte_rate, self.problem)


def make_layout(parts: tuple[Part, ...], n_bytes: int, missing: int, byte_rate: float, problem: str | None) -> Layout:
    """Return the layout of audio of `n_bytes` where `missing` more are promised, at `byte_rate` bytes a second."""
    if not missing or not 1 <= byte_rate <= _MAX_BYTE_RATE:
        return Layout(parts, problem=problem)
    expected_s = (n_bytes + missing) / byte_rate
    return Layout(parts, available_s=n_bytes / byte_rate, expected_s=expected_s, problem=problem)


def find_extent(
    peek: Peek, size: int, start: int, declared: int | None, next_chunk: Callable[[int], int | None], *, wraps: bool
) -> Extent:
    """Find the end of the audio.

    Args:
        peek: reads the file, which has `size` bytes.
        start: position of the first byte of audio, inside of the file.
        declared: its size in bytes by the header; None if the header leaves it open.
        next_chunk: returns the position after the chunk that begins at a position, None if no chunk begins there.
        wraps: True if the declared size may be modulo 4 GiB.
    """
    tags = max(start, tags_start(peek, size))
    if declared is None:
        return Extent(start, tags, size)
    end = start + declared
    if end >= size:
        missing = 0 if wraps and is_placeholder(declared) else end - size
        return Extent(start, size if missing or end == size else tags, size, missing)
    for at in range(end, size, WRAP if wraps else size):
        if _is_end(peek, at, tags, next_chunk, bool(declared)):
            return Extent(start, at, end)
    return Extent(start, tags, end, problem=NO_LENGTH if declared == 0 else None)


def _is_end(peek: Peek, at: int, tags: int, next_chunk: Callable[[int], int | None], may_be_padded: bool) -> bool:
    """Return True if no audio follows: only chunks, tags, a few bytes or padding."""
    if may_be_padded and is_padding(peek, at):
        return True
    for _ in range(MAX_CHUNKS):
        if tags - at < 8 or is_tag(peek, at):
            return True
        following = next_chunk(at)
        if following is None or following <= at:
            return False
        at = following
    return False
