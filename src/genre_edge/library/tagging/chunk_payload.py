"""The audio of WAV and AIFF files: the chunks of samples and of their format."""

from genre_edge.audio.containers.file_bytes import MAX_CHUNKS, Peek, is_printable
from genre_edge.audio.containers.layout import Range


def wav_ranges(peek: Peek, size: int) -> list[Range]:
    """Return the ranges of format and samples of a WAV (RIFF) file; none for other files."""
    head = peek(0, 12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return []
    return _ranges(peek, size, b"fmt ", b"data", "little")


def aiff_ranges(peek: Peek, size: int) -> list[Range]:
    """Return the ranges of format and samples of an AIFF or AIFC file; none for other files."""
    head = peek(0, 12)
    if head[:4] != b"FORM" or head[8:] not in (b"AIFF", b"AIFC"):
        return []
    return _ranges(peek, size, b"COMM", b"SSND", "big")


def _ranges(peek: Peek, size: int, format_id: bytes, samples_id: bytes, order: str) -> list[Range]:
    """Return the ranges of two kinds of chunks if the file has both."""
    ranges, found, at = [], set(), 12
    for _ in range(MAX_CHUNKS):
        head = peek(at, 8)
        if len(head) < 8 or not is_printable(head[:4]):
            break
        length = int.from_bytes(head[4:], order)  # type: ignore[arg-type]
        end = min(size, at + 8 + length)
        if head[:4] in (format_id, samples_id):
            ranges.append((at + 8, end))
            found.add(head[:4])
        at += 8 + length + length % 2
    return ranges if found == {format_id, samples_id} else []
