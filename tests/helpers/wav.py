"""WAV files, byte by byte: valid, damaged and without a length."""

import struct

UNKNOWN_SIZE = 0xFFFFFFFF
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def chunk(marker: bytes, content: bytes, size: int | None = None) -> bytes:
    """RIFF chunk, padded to an even length; `size` replaces the true size in its header."""
    return struct.pack("<4sI", marker, len(content) if size is None else size) + content + bytes(len(content) % 2)


def fmt(tag: int, channels: int, rate: int, bits: int, extra: bytes = b"") -> bytes:
    """The fmt chunk of a WAV."""
    frame_bytes = channels * bits // 8
    head = struct.pack("<HHIIHH", tag, channels, rate, rate * frame_bytes % (1 << 32), frame_bytes % (1 << 16), bits)
    return chunk(b"fmt ", head + extra)


def extensible(tag: int, channels: int, rate: int, bits: int) -> bytes:
    """WAVE_FORMAT_EXTENSIBLE fmt chunk; its GUID holds the actual encoding."""
    return fmt(EXTENSIBLE, channels, rate, bits, struct.pack("<HHIH", 22, bits, 0, tag) + GUID_TAIL)


def riff(*chunks: bytes, form: bytes = b"RIFF", size: int | None = None) -> bytes:
    """WAV file made of the given chunks."""
    body = b"WAVE" + b"".join(chunks)
    return form + struct.pack("<I", len(body) if size is None else size) + body


def endless_header(rate: int) -> bytes:
    """The bytes of a mono 16-bit WAV of unknown length, up to its samples."""
    return riff(fmt(PCM, 1, rate, 16), chunk(b"data", b"", UNKNOWN_SIZE), size=UNKNOWN_SIZE)
