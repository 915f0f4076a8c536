"""Audio from a byte stream that cannot seek: raw PCM, or a WAV whose header is parsed here.

libsndfile needs to seek, and Python's `wave` does not support float. Every length is checked before it is used.
"""

import logging
import struct
from collections.abc import Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import MAX_RATE, MIN_RATE, Block, to_mono
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
_MAX_HEADER_BYTES = 1 << 20  # before the samples
_BLOCK_BYTES = 1 << 18
UNKNOWN_SIZE = 0x7FFFF000  # writers that cannot seek back (sox, arecord, ffmpeg) write this or more, or 0


def _decode(data: bytes, encoding: str, channels: int) -> NDArray[np.float32]:
    """Decode interleaved bytes to mono `(n,)`, full scale +-1."""
    _, dtype, divisor, offset = _ENCODINGS[encoding]
    if encoding == "s24le":
        wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
        values = wide.view("<i4")[:, 0]
    else:
        values = np.frombuffer(data, dtype=dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # the front end rejects an overflow, with its position
        samples = values.astype(np.float32)
    if offset:
        samples -= np.float32(offset)
    samples *= np.float32(1 / divisor)
    return to_mono(samples.reshape(-1, channels))


def _read_fully(stream: IO[bytes], n: int) -> bytes:
    """Read `n` bytes, fewer only at the end of the stream; an unbuffered stream may return less per call."""
    parts = []
    while n > 0 and (part := stream.read(n)):
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


class PcmSource(Source):
    """Raw interleaved PCM samples.

    Args:
        stream: byte stream; the caller closes it.
        name: name in messages and verdicts.
        encoding: one of `RAW_ENCODINGS`.
        rate: sampling rate in Hz.
        channels: number of channels.
        n_bytes: length of the samples in bytes; None to read to the end of the stream.

    Raises:
        AudioError: the rate or the channel count is out of range.
    """

    def __init__(
        self, stream: IO[bytes], name: str, encoding: str, rate: int, channels: int, n_bytes: int | None = None
    ) -> None:
        self.name, self.rate, self.channels = name, rate, channels
        self.check_format()
        self._stream, self._encoding, self._remaining = stream, encoding, n_bytes
        self._position = 0
        self._pending = b""  # read, not decoded yet

    def blocks(self) -> Iterator[Block]:
        """Yield blocks of up to a quarter of a second. Log a warning if the stream ends before `n_bytes`.

        After an error, such as a shortage of memory, another call continues with the first sample not yielded.
        """
        frame_bytes = _ENCODINGS[self._encoding][0] * self.channels
        block_bytes = max(1, min(self.rate // 4, _BLOCK_BYTES // frame_bytes)) * frame_bytes
        while self._remaining is None or self._remaining > 0:
            data = self._read(block_bytes if self._remaining is None else min(self._remaining, block_bytes))
            if not data:
                break
            samples = _decode(data[: len(data) // frame_bytes * frame_bytes], self._encoding, self.channels)
            block, position = Block(samples, self.rate, self._position), self._position + len(samples)
            remaining = None if self._remaining is None else self._remaining - len(data)
            self._pending, self._position, self._remaining = b"", position, remaining
            if len(samples):
                yield block
        if self._remaining and self._position:
            seconds = self._remaining / frame_bytes / self.rate
            log.warning("%s: the stream ends %.1f s before the length in its header", self.name, seconds)

    def _read(self, n: int) -> bytes:
        """Return up to `n` bytes, fewer only at the end of the stream; after an error they are returned again."""
        while len(self._pending) < n and (part := self._stream.read(n - len(self._pending))):
            self._pending = self._pending + part if self._pending else part
        return self._pending


class WavSource(PcmSource):
    """WAV or RF64 stream: PCM of 8 to 32 bits or float, of any length. The header may leave the length open.

    Args:
        stream: byte stream at its first byte; the caller closes it.
        name: name in messages and verdicts.

    Raises:
        AudioError: the stream is not a WAV, or its header is damaged or unsupported.
    """

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self.name = name
        self._stream = stream
        self._header_bytes = 0  # read so far
        self._rf64_data_size = 0
        riff = self._read_exactly(12)
        if riff[:4] not in (b"RIFF", b"RF64") or riff[8:] != b"WAVE":
            raise AudioError(f"{name}: not a WAV (raw PCM needs --raw ENCODING:RATE:CHANNELS)")
        encoding, rate, channels = self._read_format(self._seek_chunk(b"fmt "))
        size = self._seek_chunk(b"data")
        if riff[:4] == b"RF64" and size == 0xFFFFFFFF:
            size = self._rf64_data_size
        # A size of 0 is also valid for a WAV without samples, in which other chunks may follow.
        riff_size = struct.unpack("<I", riff[4:8])[0]
        is_empty = size == 0 and self._header_bytes - 8 < riff_size < UNKNOWN_SIZE
        is_unknown = not is_empty and (size == 0 or UNKNOWN_SIZE <= size <= 0xFFFFFFFF)
        super().__init__(stream, name, encoding, rate, channels, None if is_unknown else size)

    def _read_exactly(self, n: int) -> bytes:
        data = _read_fully(self._stream, n)
        self._header_bytes += len(data)
        if len(data) < n:
            raise AudioError(f"{self.name}: {'the WAV header is truncated' if data else 'no data'}")
        return data

    def _seek_chunk(self, chunk_id: bytes) -> int:
        """Skip chunks up to `chunk_id`; return its size in bytes. Raises AudioError."""
        skipped = 0
        while True:
            found_id, size = struct.unpack("<4sI", self._read_exactly(8))
            if found_id == chunk_id:
                return int(size)
            padded = size + size % 2
            skipped += 8 + padded
            if skipped > _MAX_HEADER_BYTES:
                raise AudioError(f"{self.name}: damaged WAV: no {chunk_id.decode().strip()} chunk near its start")
            content = self._read_exactly(padded)
            if found_id == b"ds64" and size >= 16:
                self._rf64_data_size = struct.unpack("<Q", content[8:16])[0]

    def _read_format(self, size: int) -> tuple[str, int, int]:
        """Read the fmt chunk; return encoding, rate and channels. Raises AudioError."""
        if not 16 <= size <= 4096:
            raise AudioError(f"{self.name}: damaged WAV: its fmt chunk has {size} bytes")
        content = self._read_exactly(size + size % 2)
        tag, channels, rate, _, frame_bytes, bits = struct.unpack("<HHIIHH", content[:16])
        if tag == _EXTENSIBLE and size >= 40 and content[26:40] == _GUID_TAIL:
            tag = struct.unpack("<H", content[24:26])[0]
        encoding = _WAV_ENCODINGS.get((tag, bits))
        if encoding is None:
            raise AudioError(f"{self.name}: WAV encoding {tag} with {bits} bits is not supported on a pipe")
        if frame_bytes != channels * bits // 8:
            raise AudioError(f"{self.name}: damaged WAV: {channels} channels of {bits} bits in {frame_bytes} bytes")
        return encoding, rate, channels


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
