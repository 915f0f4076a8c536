"""Audio from a byte stream that cannot seek: raw PCM, or a WAV whose header is parsed here.

libsndfile needs to seek; Python's `wave` knows no float. Every length is checked before it is used.
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

# name -> (bytes per sample, numpy type, divisor to full scale +-1, offset)
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
_MAX_HEADER = 1 << 20  # bytes before the samples
_BLOCK_BYTES = 1 << 18
UNKNOWN_SIZE = 0x7FFFF000  # this or more, or 0, is what writers put that cannot seek back (sox, arecord, ffmpeg)


def _decode(data: bytes, encoding: str, channels: int) -> NDArray[np.float32]:
    _, kind, divisor, offset = _ENCODINGS[encoding]
    if encoding == "s24le":
        wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
        values = wide.view("<i4")[:, 0]
    else:
        values = np.frombuffer(data, dtype=kind)
    with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is refused with its position
        samples = values.astype(np.float32)
    if offset:
        samples -= np.float32(offset)
    samples *= np.float32(1 / divisor)
    return to_mono(samples.reshape(-1, channels))


def _read_fully(stream: IO[bytes], n: int) -> bytes:
    """`n` bytes, or fewer at the end; an unbuffered stream may give less at a time, and half a sample is noise."""
    parts = []
    while n > 0 and (part := stream.read(n)):
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


class PcmSource(Source):
    """Raw samples, interleaved, to the end of the stream or of `n_bytes`."""

    def __init__(
        self, stream: IO[bytes], name: str, encoding: str, rate: int, channels: int, n_bytes: int | None = None
    ) -> None:
        self.name, self.rate, self.channels = name, rate, channels
        self.check_format()
        self._stream, self._encoding, self._n_bytes = stream, encoding, n_bytes

    def blocks(self) -> Iterator[Block]:
        frame_bytes = _ENCODINGS[self._encoding][0] * self.channels
        block_bytes = max(1, min(self.rate // 4, _BLOCK_BYTES // frame_bytes)) * frame_bytes
        left, position = self._n_bytes, 0
        while left is None or left > 0:
            data = _read_fully(self._stream, block_bytes if left is None else min(left, block_bytes))
            if not data:
                break
            if left is not None:
                left -= len(data)
            samples = _decode(data[: len(data) // frame_bytes * frame_bytes], self._encoding, self.channels)
            if len(samples):
                yield Block(samples, self.rate, position)
            position += len(samples)
        if left and position:
            seconds = left / frame_bytes / self.rate
            log.warning("%s: ends early, %.1f s before the length in its header", self.name, seconds)


class WavSource(PcmSource):
    """A WAV: PCM of 8 to 32 bits or float, any length, sizes unknown to the writer allowed.

    Raises:
        AudioError: the header is no WAV's, or is damaged.
    """

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self.name = name
        self._stream = stream
        self._consumed = 0  # bytes of the header so far
        self._long_size = 0  # of an RF64's samples
        riff = self._exactly(12)
        if riff[:4] not in (b"RIFF", b"RF64") or riff[8:] != b"WAVE":
            raise AudioError(f"{name}: not a WAV (raw PCM needs --raw ENCODING:RATE:CHANNELS)")
        encoding, rate, channels = self._read_format(self._seek_chunk(b"fmt "))
        size = self._seek_chunk(b"data")
        if riff[:4] == b"RF64" and size == 0xFFFFFFFF:
            size = self._long_size
        # 0 is also the truth about a WAV without samples; then the file's size may say that other chunks follow.
        riff_size = struct.unpack("<I", riff[4:8])[0]
        nothing = size == 0 and self._consumed - 8 < riff_size < UNKNOWN_SIZE
        unknown = not nothing and (size == 0 or UNKNOWN_SIZE <= size <= 0xFFFFFFFF)
        super().__init__(stream, name, encoding, rate, channels, None if unknown else size)

    def _exactly(self, n: int) -> bytes:
        data = _read_fully(self._stream, n)
        self._consumed += len(data)
        if len(data) < n:
            raise AudioError(f"{self.name}: {'the WAV header ends early' if data else 'no data'}")
        return data

    def _seek_chunk(self, wanted: bytes) -> int:
        skipped = 0
        while True:
            marker, size = struct.unpack("<4sI", self._exactly(8))
            if marker == wanted:
                return int(size)
            padded = size + size % 2
            skipped += 8 + padded
            if skipped > _MAX_HEADER:
                raise AudioError(f"{self.name}: damaged WAV: no {wanted.decode().strip()} chunk near its start")
            content = self._exactly(padded)
            if marker == b"ds64" and size >= 16:
                self._long_size = struct.unpack("<Q", content[8:16])[0]

    def _read_format(self, size: int) -> tuple[str, int, int]:
        if not 16 <= size <= 4096:
            raise AudioError(f"{self.name}: damaged WAV: a fmt chunk of {size} bytes")
        content = self._exactly(size + size % 2)
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
    """`ENCODING:RATE:CHANNELS`, as in s16le:22050:1. Raises ParameterError."""
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
        raise ParameterError(f"--raw: rate {MIN_RATE} to {MAX_RATE} Hz and 1 to {MAX_CHANNELS} channels, got {text!r}")
    return parts[0], rate, channels


def open_pipe(stream: IO[bytes], name: str, raw: str | None) -> Source:
    """A WAV, or raw PCM as `raw` says. Raises AudioError, ParameterError."""
    if raw is None:
        return WavSource(stream, name)
    return PcmSource(stream, name, *parse_raw(raw))
