"""Chunks of a WAV (RIFF, RIFX, RF64, BW64), from front to back: of a file, or of a pipe, which cannot seek.

The sizes in the header are hints. Behind the declared end of the audio the next bytes decide: chunks, tags and padding
end the audio, anything else continues it. Files and pipes use the same code and get the same samples.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from genre_edge.audio.containers.extent import WRAP, is_placeholder
from genre_edge.audio.containers.file_bytes import MAX_CHUNKS, MAX_LOOK_AHEAD, Peek, is_padding, is_printable
from genre_edge.audio.containers.tags import is_tag

UNKNOWN = 0xFFFFFFFF
_FORMS = {b"RIFF": "<", b"RF64": "<", b"BW64": "<", b"RIFX": ">"}
_MAX_SKIPPED = 1 << 28  # bytes of one chunk before the audio; a larger one is damage
_KNOWN_IDS = frozenset(
    b"fmt |fact|data|LIST|INFO|id3 |ID3 |bext|cart|cue |plst|smpl|inst|acid|strc|iXML|axml|bxml|sxml|aXML|chna|ubxt|"
    b"_PMX|XMP |PEAK|DISP|disp|afsp|levl|umid|mext|qlty|link|JUNK|junk|PAD |pad |FLLR|fllr|LGWV|LGPM|minf|elm1|elmo|"
    b"regn|ovwf|SAUR|Cr8r|ResU|SNDM|Trkn|Fake|muma|slnt|wavl|note|labl|adtl|ltxt|CSET|MD5 |r64m|ds64|clm |tlst|SMED|"
    b"DGDA|wamd|guan|AFAn|APPL|dbmd|bmrk|CDif".split(b"|")
)


@dataclass(frozen=True)
class Chunk:
    """Chunk of a WAV, or for audio a stretch of it.

    Attributes:
        id: four characters; `data` for all audio.
        start: position of the content.
        end: position after the content as declared, which may be after the end of the file; None if unknown.
        is_continued: True for audio that follows the declared end.
    """

    id: bytes
    start: int
    end: int | None
    is_continued: bool = False

    @property
    def is_open(self) -> bool:
        """True for audio that may go on to the end of the file, where tags may follow it."""
        return self.end is None or self.is_continued or is_placeholder(self.end - self.start)


class WavChunks:
    """Iterator over the chunks of a WAV. It looks at no byte behind a chunk before the next one is asked for.

    Args:
        peek: reads the bytes; called with positions that never decrease.

    Attributes:
        form: RIFF, RIFX, RF64 or BW64; b"" if the bytes are not a WAV.
        order: "<" or ">", the byte order of the sizes.
        is_aligned: False once a padding byte was missing before the audio.
        position: where the next chunk should begin; after the iteration, where no chunk was found.
    """

    def __init__(self, peek: Peek) -> None:
        self._peek = peek
        head = peek(0, 12)
        self.form = head[:4] if head[:4] in _FORMS and head[8:] == b"WAVE" else b""
        self.order = _FORMS.get(self.form, "<")
        self.is_aligned, self.position = True, 12
        riff_size = struct.unpack(self.order + "I", head[4:8])[0] if self.form else 0
        self._riff_end = 0 if is_placeholder(riff_size) else riff_size + 8
        self._ds64_size: int | None = None

    def __iter__(self) -> Iterator[Chunk]:
        for _ in range(MAX_CHUNKS if self.form else 0):
            head = self._peek(self.position, 8)
            if len(head) < 8 or not is_printable(head[:4]):
                return
            chunk_id, size = self._unpack(head)
            start = self.position + 8
            if chunk_id == b"data":
                yield from self._audio(start, self._data_size(size))
                continue
            if size > _MAX_SKIPPED and chunk_id != b"fmt ":
                return
            if chunk_id == b"ds64" and size >= 16:
                self._ds64_size = struct.unpack("<Q", self._peek(start, 16)[8:].ljust(8, b"\0"))[0]
            yield Chunk(chunk_id, start, start + size)
            self.position = self._after(start + size, size % 2)

    def _unpack(self, head: bytes) -> tuple[bytes, int]:
        chunk_id, size = struct.unpack(self.order + "4sI", head[:8])
        return chunk_id, size

    def _data_size(self, size: int) -> int | None:
        """Return the declared size of the audio in bytes, None if it is unknown."""
        if size != UNKNOWN:
            return size
        return self._ds64_size if self.form in (b"RF64", b"BW64") else None

    def _after(self, end: int, padding: int) -> int:
        """Return the position of the chunk that follows a chunk; some writers leave out the padding byte."""
        if padding:
            head = self._peek(end, 5)
            is_unpadded = head[:4] in _KNOWN_IDS or not is_printable(head[1:5])
            if head[1:5] not in _KNOWN_IDS and is_unpadded and is_printable(head[:4]):
                self.is_aligned = False
                return end
        return end + padding

    def _audio(self, start: int, size: int | None) -> Iterator[Chunk]:
        """Yield the stretches of audio from one data chunk header on; set the position behind them."""
        end = None if size is None else start + size
        yield Chunk(b"data", start, end)
        while end is not None:
            next_chunk = self._chunk_behind(end, size or 0)
            if next_chunk is not None:
                self.position = next_chunk
                return
            yield Chunk(b"data", end, end + WRAP, is_continued=True)
            end += WRAP
        self.position = 1 << 63  # the end

    def _chunk_behind(self, end: int, size: int) -> int | None:
        """Return where the next chunk begins behind audio, or where nothing but tags follows; None if audio follows."""
        for at in [end + 1, end] if size % 2 else [end]:
            head = self._peek(end, 9)[at - end :]
            if len(head) < 8 or self._is_chunk(at, head) or is_tag(self._peek, at):
                return at
        return end if size and is_padding(self._peek, end) else None

    def _is_chunk(self, at: int, head: bytes) -> bool:
        """Return True if a chunk begins here: a known id, or one inside of the RIFF size or of a chain of chunks."""
        chunk_id, size = self._unpack(head)
        if chunk_id in _KNOWN_IDS or not is_printable(chunk_id):
            return chunk_id in _KNOWN_IDS
        end = at + 8 + size
        if end <= self._riff_end + 1:
            return True
        if size > MAX_LOOK_AHEAD:
            return False
        chunk = self._peek(at, 16 + size + size % 2)
        behind = chunk[8 + size + size % 2 :]
        return 0 < size <= len(chunk) - 8 and (len(behind) < 8 or is_printable(behind[:4]))
