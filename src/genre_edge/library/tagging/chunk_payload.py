"""The audio of WAV and AIFF files: the chunks of samples and of their format."""

import os
from collections.abc import Iterator
from typing import IO, Literal

from genre_edge.audio.containers.file_bytes import MAX_CHUNKS, Peek, file_peek, is_printable
from genre_edge.audio.containers.layout import Range

_MAX_TEXT_BYTES = 1000  # of the name of a genre


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


def wav_info_genres(file: IO[bytes]) -> tuple[str, ...]:
    """Return the genre in the INFO list of an open WAV file, if there is one."""
    size = os.fstat(file.fileno()).st_size
    peek = file_peek(file.fileno(), size)
    for kind, start, end in _chunks(peek, 12, size, "little"):
        if kind == b"LIST" and peek(start, 4) == b"INFO":
            for field, text, text_end in _chunks(peek, start + 4, end, "little"):
                if field == b"IGNR":
                    content = peek(text, min(_MAX_TEXT_BYTES, text_end - text)).split(b"\0")[0]
                    return tuple(filter(None, [content.decode(errors="replace").strip()]))
    return ()


def _ranges(peek: Peek, size: int, format_id: bytes, samples_id: bytes, order: Literal["little", "big"]) -> list[Range]:
    """Return the ranges of two kinds of chunks if the file has both."""
    found = [chunk for chunk in _chunks(peek, 12, size, order) if chunk[0] in (format_id, samples_id)]
    has_both = {kind for kind, _, _ in found} == {format_id, samples_id}
    return [(start, end) for _, start, end in found] if has_both else []


def _chunks(peek: Peek, at: int, end: int, order: Literal["little", "big"]) -> Iterator[tuple[bytes, int, int]]:
    """Yield id, start and end of the chunks between two offsets, up to damage; the last one may be cut."""
    for _ in range(MAX_CHUNKS):
        head = peek(at, 8)
        if at + 8 > end or len(head) < 8 or not is_printable(head[:4]):
            return
        length = int.from_bytes(head[4:], order)
        yield head[:4], at + 8, min(end, at + 8 + length)
        at += 8 + length + length % 2
