"""Audio from a byte stream that cannot seek: raw PCM, or a WAV whose header is parsed here.

libsndfile needs to seek, and Python's `wave` does not support float. Every length is checked before it is used.
"""

import logging
import struct
from collections.abc import Iterator
from itertools import chain
from typing import IO

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import MAX_RATE, MIN_RATE, Block
from genre_edge.audio.containers.extent import NO_LENGTH
from genre_edge.audio.containers.forward import ForwardBytes
from genre_edge.audio.containers.tags import strip_tags
from genre_edge.audio.containers.wav_chunks import Chunk, WavChunks
from genre_edge.audio.downmix import Downmixer
from genre_edge.audio.source import MAX_CHANNELS, Source
from genre_edge.errors import AudioError, ParameterError

log = logging.getLogger("genre_edge")

# name -> (bytes per sample, numpy dtype, divisor to full scale +-1, offset)
_ENCODINGS: dict[str, tuple[int, str, float, int]] = {
    "u8": (1, "u1", 128.0, 128),
    "s16le": (2, "<i2", 32768.0, 0),
    "s24le": (3, "<i4", 2147483648.0, 0),  # widened to 32 bits
    "s32le": (4, "<i4", 2147483648.0, 0),
    "f32le": (4, "<f4", 1.0, 0),
    "f64le": (8, "<f8", 1.0, 0),
}
RAW_ENCODINGS = tuple(_ENCODINGS)

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_WAV_ENCODINGS = {
    (_PCM, 8): "u8",
    (_PCM, 16): "s16le",
    (_PCM, 24): "s24le",
    (_PCM, 32): "s32le",
    (_FLOAT, 32): "f32le",
    (_FLOAT, 64): "f64le",
}
_BLOCK_BYTES = 1 << 18
UNKNOWN_SIZE = 0x7FFFF000  # writers that cannot seek back (sox, arecord, ffmpeg) write this or more, or 0


def _decode(data: bytes, encoding: str, channels: int) -> NDArray[np.float32]:
    """Decode interleaved bytes to `(n, channels)`, full scale +-1."""
    _, dtype, divisor, offset = _ENCODINGS[encoding]
    if encoding == "s24le":
        wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
        values = wide.view("<i4")[:, 0]
    else:
        values = np.frombuffer(data, dtype=dtype)
    with np.errstate(all="ignore"):  # the front end rejects NaN and overflow, with their position
        samples = values.astype(np.float32)
        if offset:
            samples -= np.float32(offset)
        samples *= np.float32(1 / divisor)
    return samples.reshape(-1, channels)


class PcmSource(Source):
    """Raw interleaved PCM samples.

    Args:
        stream: byte stream; the caller closes it.
        name: name in messages and verdicts.
        encoding: one of `RAW_ENCODINGS`.
        rate: sampling rate in Hz.
        channels: number of channels.

    Raises:
        AudioError: the rate or the channel count is out of range.
    """

    def __init__(self, stream: IO[bytes], name: str, encoding: str, rate: int, channels: int) -> None:
        self.name, self.rate, self.channels = name, rate, channels
        self.check_format()
        self._bytes, self._encoding = ForwardBytes(stream), encoding
        self._frame_bytes = _ENCODINGS[encoding][0] * channels
        self._downmixer = Downmixer(rate)
        self._at = self._position = 0  # the byte and the sample after the last block
        self._rest = b""  # the part of a frame before that byte

    def blocks(self) -> Iterator[Block]:
        """Yield blocks of up to a quarter of a second.

        After an error, such as a shortage of memory, another call continues with the first sample not yielded.
        """
        block_bytes = max(1, min(self.rate // 4, _BLOCK_BYTES // self._frame_bytes)) * self._frame_bytes
        for end, is_continued, data in self._pieces(block_bytes):
            data = self._rest + data if is_continued else data
            n_whole = len(data) // self._frame_bytes * self._frame_bytes
            samples = _decode(data[:n_whole], self._encoding, self.channels)
            block, rest = Block(self._downmixer.push(samples), self.rate, self._position), data[n_whole:]
            self._at, self._rest, self._position = end, rest, self._position + len(samples)
            if len(samples):
                yield block
        if self.expected_s is None:
            self.expected_s = self._position / self.rate

    def _pieces(self, block_bytes: int) -> Iterator[tuple[int, bool, bytes]]:
        """Yield the audio from `_at` on in pieces of up to `block_bytes` bytes.

        Each comes with the position after it, and with False if it starts a new frame.
        """
        at = self._at
        for data in self._read_range(at, None, block_bytes):
            at += len(data)
            yield at, True, data

    def _read_range(self, at: int, end: int | None, block_bytes: int) -> Iterator[bytes]:
        while data := self._bytes.read(at, block_bytes if end is None else min(block_bytes, end - at)):
            yield data
            at += len(data)


class WavSource(PcmSource):
    """WAV stream (RIFF, RF64, BW64): PCM of 8 to 32 bits or float, of any length.

    The data decides where the audio ends, not the header (see `WavChunks`).

    Args:
        stream: byte stream at its first byte; the caller closes it.
        name: name in messages and verdicts.

    Attributes:
        expected_s: length of the audio in seconds, including what the header promises and the stream lacks; None
            until the end.

    Raises:
        AudioError: the stream is not a WAV, or its header is damaged or unsupported.
    """

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self.name = name
        self.expected_s: float | None = None
        reader = ForwardBytes(stream)
        head = reader.read(0, 12)
        chunks = WavChunks(reader.read)
        if len(head) < 12:
            raise AudioError(f"{name}: {'the WAV header is truncated' if head else 'no data'}")
        if chunks.form not in (b"RIFF", b"RF64", b"BW64"):
            raise AudioError(f"{name}: not a WAV (raw PCM needs --raw ENCODING:RATE:CHANNELS)")
        self._chunks = iter(chunks)
        format = self._seek_chunk(b"fmt ", chunks, reader)
        encoding, rate, channels = self._parse_format(reader, format)
        self._data = self._seek_chunk(b"data", chunks, reader)
        super().__init__(stream, name, encoding, rate, channels)
        self._bytes = reader
        self._n_decoded = self._n_missing = self._declared = 0  # bytes; the last: size of the current data chunk
        self._is_lengthless = False  # audio follows a data chunk of size 0

    def _seek_chunk(self, chunk_id: bytes, chunks: WavChunks, reader: ForwardBytes) -> Chunk:
        """Skip chunks up to `chunk_id`. Raises AudioError."""
        for chunk in self._chunks:
            if chunk.id == chunk_id:
                return chunk
            if chunk.id == b"data":
                raise AudioError(f"{self.name}: damaged WAV: no {chunk_id.decode().strip()} chunk before the samples")
        head = reader.read(chunks.position, 8)
        if len(head) == 8:
            raise AudioError(f"{self.name}: damaged WAV: no {chunk_id.decode().strip()} chunk near its start")
        raise AudioError(f"{self.name}: {'the WAV header is truncated' if head else 'no data'}")

    def _parse_format(self, reader: ForwardBytes, chunk: Chunk) -> tuple[str, int, int]:
        """Read the fmt chunk; return encoding, rate and channels. Raises AudioError."""
        size = (chunk.end or 0) - chunk.start
        if not 16 <= size <= 4096:
            raise AudioError(f"{self.name}: damaged WAV: its fmt chunk has {size} bytes")
        content = reader.read(chunk.start, size)
        if len(content) < size:
            raise AudioError(f"{self.name}: the WAV header is truncated")
        tag, channels, rate, _, frame_bytes, bits = struct.unpack("<HHIIHH", content[:16])
        if tag == _EXTENSIBLE and size >= 40 and content[26:40] == _GUID_TAIL:
            tag = struct.unpack("<H", content[24:26])[0]
        encoding = _WAV_ENCODINGS.get((tag, bits))
        if encoding is None:
            raise AudioError(f"{self.name}: WAV encoding {tag} with {bits} bits is not supported on a pipe")
        if frame_bytes != channels * bits // 8:
            raise AudioError(f"{self.name}: damaged WAV: {channels} channels of {bits} bits in {frame_bytes} bytes")
        return encoding, rate, channels

    def _pieces(self, block_bytes: int) -> Iterator[tuple[int, bool, bytes]]:
        """Yield the audio of all data chunks. Log a warning if audio is missing or the header gives no length."""
        for chunk in chain([self._data], self._chunks):
            if chunk.id != b"data":
                continue
            self._data = chunk
            at = max(chunk.start, self._at)
            pieces = self._read_range(at, chunk.end, block_bytes)
            for data in strip_tags(pieces) if chunk.is_open else pieces:
                is_first = at == chunk.start and not chunk.is_continued
                at += len(data)
                yield at, not is_first, data
            self._n_decoded += at - chunk.start
            if chunk.is_continued:
                self._is_lengthless |= self._declared == 0 and at > chunk.start
                continue
            self._declared = -1 if chunk.end is None else chunk.end - chunk.start
            if chunk.end is not None and not chunk.is_open:
                self._n_missing += chunk.end - at
        self._report()

    def _report(self) -> None:
        """Set `expected_s`, and log a warning as for a file if bytes are missing or the header gives no length."""
        byte_rate = self._frame_bytes * self.rate
        decoded_s = self._n_decoded / byte_rate
        self.expected_s = decoded_s + self._n_missing / byte_rate
        if self._n_missing and self._n_decoded:
            text = f"the file is truncated; decoded {decoded_s:.1f} of {self.expected_s:.1f} s"
            log.warning("%s: %s", self.name, text)
        elif self._is_lengthless:
            log.warning("%s: %s; decoded %.1f s", self.name, NO_LENGTH, decoded_s)


def parse_raw(text: str) -> tuple[str, int, int]:
    """Parse `ENCODING:RATE:CHANNELS`, as in s16le:22050:1, into encoding, rate in Hz and number of channels.

    Raises:
        ParameterError: the text has another format, or a value is out of range.
    """
    parts = text.split(":")
    if (
        len(parts) != 3
        or parts[0] not in _ENCODINGS
        or not all(part.isascii() and part.isdigit() for part in parts[1:])
    ):
        raise ParameterError(
            f"--raw must be ENCODING:RATE:CHANNELS, ENCODING one of {', '.join(_ENCODINGS)}, got {text!r}"
        )
    rate, channels = int(parts[1][:9]), int(parts[2][:9])
    if not (MIN_RATE <= rate <= MAX_RATE and 1 <= channels <= MAX_CHANNELS):
        raise ParameterError(
            f"--raw must have a rate from {MIN_RATE} to {MAX_RATE} Hz and 1 to {MAX_CHANNELS} channels, got {text!r}"
        )
    return parts[0], rate, channels


def open_pipe(stream: IO[bytes], name: str, raw: str | None) -> Source:
    """Open a byte stream as a WAV, or as raw PCM.

    Args:
        stream: byte stream at its first byte; the caller closes it.
        name: name in messages and verdicts.
        raw: format of raw PCM as ENCODING:RATE:CHANNELS; None for a WAV.

    Raises:
        AudioError: the WAV header is damaged or unsupported.
        ParameterError: `raw` is invalid.
    """
    if raw is None:
        return WavSource(stream, name)
    return PcmSource(stream, name, *parse_raw(raw))
