"""Where the audio of a WAV file lies: RIFF, RIFX, RF64 and BW64."""

import struct
from collections.abc import Callable, Container
from dataclasses import dataclass, field

from genre_edge.audio.containers.extent import NO_LENGTH, is_placeholder, make_layout
from genre_edge.audio.containers.file_bytes import Peek
from genre_edge.audio.containers.layout import Layout, Part, Range
from genre_edge.audio.containers.tags import tags_start
from genre_edge.audio.containers.wav_chunks import Chunk, WavChunks

MAX_FORMAT = 4096  # bytes of a fmt chunk
_COMPRESSED = frozenset([0x02, 0x11, 0x31, 0x40])
# PCM, MS ADPCM, float, A-law, mu-law, IMA ADPCM, GSM 6.10, G.721, extensible: what libsndfile decodes
DECODABLE = frozenset([0x01, 0x02, 0x03, 0x06, 0x07, 0x11, 0x31, 0x40, 0xFFFE])
# libsndfile refuses a file or loses its audio if these chunks have other sizes: id -> sizes, by the fmt chunk
_MISREAD: dict[bytes, Callable[[bytes], Container[int]]] = {
    b"fact": lambda _: range(4, 1 << 16),
    b"acid": lambda _: (24,),
    b"smpl": lambda _: (),
    b"PEAK": lambda format: (8 + 8 * int.from_bytes(format[2:4], "little"),),
}


@dataclass
class _Audio:
    """What the chunks of a file say about its audio."""

    format: bytes = b""  # content of the fmt chunk
    ranges: list[Range] = field(default_factory=list)
    declared: list[int | None] = field(default_factory=list)  # size of each data chunk in bytes
    is_regular: bool = True  # libsndfile finds the same audio
    is_lengthless: bool = False

    def add(self, chunk: Chunk, size: int, frame_bytes: int) -> None:
        """Add a stretch of audio of a file of `size` bytes (less its tags)."""
        end = size if chunk.end is None else min(chunk.end, size)
        if chunk.is_continued:
            if end > chunk.start:
                self.is_regular = False
                self.is_lengthless |= self.declared[-1] == 0
                self.ranges[-1] = (self.ranges[-1][0], end)
            return
        if self.ranges:
            self.is_regular = False
            first, last = self.ranges[-1]
            self.ranges[-1] = (first, last - (last - first) % frame_bytes)
        self.ranges.append((chunk.start, max(chunk.start, end)))
        self.declared.append(None if chunk.end is None else chunk.end - chunk.start)

    def missing(self) -> int:
        """Return how many bytes the header promises more than the file holds."""
        pairs = zip(self.declared, self.ranges, strict=True)
        return sum(max(0, n - (end - start)) for n, (start, end) in pairs if n is not None and not is_placeholder(n))


def scan_wav(peek: Peek, size: int) -> Layout | None:
    """Find the audio of a WAV file of `size` bytes; None if the file is none, or too damaged."""
    chunks = WavChunks(peek)
    audio = _Audio(is_regular=chunks.form in (b"RIFF", b"RIFX", b"RF64"))
    end = tags_start(peek, size)
    for chunk in chunks:
        if chunk.id == b"data":
            audio.is_regular &= bool(audio.format) and chunks.is_aligned
            audio.add(chunk, _available(chunk, size, end), _frame_bytes(audio.format))
        elif chunk.id == b"fmt ":
            audio.is_regular &= not audio.format
            audio.format = audio.format or peek(chunk.start, min(MAX_FORMAT, (chunk.end or 0) - chunk.start))
        elif chunk.id == b"LIST":
            audio.is_regular &= bool(audio.ranges) or _is_list(peek, chunk)
        elif chunk.id in _MISREAD:
            audio.is_regular &= (chunk.end or 0) - chunk.start in _MISREAD[chunk.id](audio.format)
    if not audio.ranges or len(audio.format) < 16:
        return None
    tag, _, rate, byte_rate, frame_bytes, _ = struct.unpack(chunks.order + "HHIIHH", audio.format[:16])
    if tag not in DECODABLE:
        return None
    n_bytes = sum(last - first for first, last in audio.ranges)
    is_regular = audio.is_regular and audio.ranges[0][1] == _end_for_libsndfile(audio, chunks.form, size)
    parts = () if is_regular else (Part((wav_header(chunks.order, audio.format, n_bytes), *audio.ranges)),)
    problem = NO_LENGTH if audio.is_lengthless else None
    return make_layout(
        parts, n_bytes, audio.missing(), byte_rate if tag in _COMPRESSED else rate * frame_bytes, problem
    )


def _is_list(peek: Peek, chunk: Chunk) -> bool:
    """Return True if the chunks inside of a LIST chunk fill it; otherwise libsndfile may miss the audio behind it."""
    at, end = chunk.start + 4, chunk.end or 0
    for _ in range(1000):
        if end - at < 8:
            return at in (end, end + 1)
        size = int.from_bytes(peek(at + 4, 4), "little")
        at += 8 + size + size % 2
    return False


def _end_for_libsndfile(audio: _Audio, form: bytes, size: int) -> int | None:
    """Return the end of the audio that libsndfile reads; None if it refuses the header."""
    declared, start = audio.declared[0], audio.ranges[0][0]
    if declared is None:
        return None if form == b"RF64" else size
    return min(start + declared, size)


def _available(chunk: Chunk, size: int, tags: int) -> int:
    """Return the end of what may be audio of a chunk in a file of `size` bytes whose last tags begin at `tags`."""
    is_whole = chunk.end is not None and chunk.end <= size
    return tags if chunk.is_open and not is_whole else size


def _frame_bytes(format: bytes) -> int:
    """Return the block alignment, 1 if it is unknown."""
    return max(1, int.from_bytes(format[12:14], "little"))


def wav_header(order: str, format: bytes, n_bytes: int) -> bytes:
    """Return a WAV header up to the audio; RF64 where the size requires that."""
    padded = format + bytes(len(format) % 2)
    fmt = struct.pack(order + "4sI", b"fmt ", len(format)) + padded
    riff_size = 4 + len(fmt) + 8 + n_bytes
    if riff_size < 0xFFFFFFFF or order == ">":
        riff, data = (min(value, 0xFFFFFFFF) for value in (riff_size, n_bytes))
        form = b"RIFX" if order == ">" else b"RIFF"
        return struct.pack(order + "4sI4s", form, riff, b"WAVE") + fmt + struct.pack(order + "4sI", b"data", data)
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, riff_size + 36, n_bytes, 0, 0)
    start = struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE")
    return start + ds64 + fmt + struct.pack("<4sI", b"data", 0xFFFFFFFF)
