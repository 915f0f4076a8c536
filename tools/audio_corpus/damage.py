"""Changes of a file's bytes: cuts, flipped bits, stale sizes in headers, and tags."""

import re
import struct
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

HEADER_SIZE = 4096  # bytes at the beginning in which a damage is likely to hit a header
TAGS = ("id3v1", "id3v2", "ape", "chunk")


def places(size: int, n: int, rng: np.random.Generator) -> list[int]:
    """Return one random position in each of `n` equal parts of a file of `size` bytes."""
    bounds = np.linspace(1, size, n + 1).astype(int)
    return [int(rng.integers(low, max(low + 1, high))) for low, high in pairwise(bounds)]


def cut(content: bytes, at: int) -> bytes:
    """Return the first `at` bytes."""
    return content[:at]


def flip(content: bytes, at: int, bit: int) -> bytes:
    """Invert bit 0 to 7 of the byte at `at`."""
    return content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :]


def flip_places(size: int, n: int, rng: np.random.Generator) -> list[int]:
    """Return `n` positions: a fifth in the header, the others spread over the file."""
    n_header = n // 5
    return places(min(size, HEADER_SIZE), n_header, rng) + places(size, n - n_header, rng)


def add_tag(content: bytes, kind: str) -> bytes:
    """Add a tag that players and editors write: before the audio, behind it, or as the last chunk of a RIFF or FORM."""
    if kind == "id3v1":
        return content + b"TAG" + b"A title".ljust(125, b"\0")
    if kind == "id3v2":
        body = b"TIT2" + struct.pack(">I", 8) + b"\0\0\0A title" + bytes(3000)
        return b"ID3\3\0\0" + bytes((len(body) >> shift) & 0x7F for shift in (21, 14, 7, 0)) + body + content
    if kind == "ape":
        item = struct.pack("<II", 7, 0) + b"Title\0A title"
        size = len(item) + 32
        head, foot = (
            b"APETAGEX" + struct.pack("<IIII", 2000, size, 1, flags) + bytes(8) for flags in (0xA0 << 24, 0x80 << 24)
        )
        return content + head + item + foot
    return _add_chunk(content)


def _add_chunk(content: bytes) -> bytes:
    """Append a chunk and correct the size of the RIFF or FORM."""
    little = content[:4] == b"RIFF"
    order = "<I" if little else ">I"
    name, body = (b"LIST", b"INFOINAM" + struct.pack("<I", 8) + b"A title\0") if little else (b"NAME", b"A title ")
    chunk = name + struct.pack(order, len(body)) + body
    return content[:4] + struct.pack(order, len(content) - 8 + len(chunk)) + content[8:] + chunk


def stale_headers(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (description, file) with wrong sizes, as a recorder that was killed or a stream leaves them.

    WAV, RF64, W64, AIFF, AU, CAF, FLAC and the index of an mp3; nothing for others. The audio itself is complete.
    """
    kind = content[:4]
    if kind == b"RIFF" and content[8:12] != b"WAVE":
        return
    if kind in (b"RIFF", b"RF64"):
        yield from _stale_riff(content)
    elif kind == b"riff":
        at = content.index(b"data\xf3\xac\xd3\x11") + 16
        yield from _patched(content, at, "<Q", {"0": 24, "half": len(content) // 2}, "data size")
    elif kind == b"FORM" and content[8:11] == b"AIF":
        yield from _stale_aiff(content)
    elif kind == b".snd":
        sizes = {"0": 0, "unknown": 0xFFFFFFFF, "half": len(content) // 2}
        yield from _patched(content, 8, ">I", sizes, "data size")
    elif kind == b"caff":
        at = content.index(b"data", 8) + 4
        yield from _patched(content, at, ">q", {"unknown": -1, "half": len(content) // 2}, "data size")
    elif kind == b"fLaC":
        total = int.from_bytes(content[21:26], "big") & ((1 << 36) - 1)
        top = content[21] & 0xF0
        for name, value in {"0": 0, "half": total // 2}.items():
            yield f"total samples {name}", content[:21] + _flac_total(top, value) + content[26:]
    elif found := re.match(rb"(?:ID3|\xff).{,4000}?(?:Xing|Info)\0\0\0", content, re.DOTALL):
        at = found.end() - 7
        frames = struct.unpack_from(">I", content, at + 8)[0]
        yield from _patched(content, at + 8, ">I", {"half": frames // 2}, "number of frames")


def _flac_total(top: int, total: int) -> bytes:
    """Return the five bytes of a FLAC header that hold four bits of the sample size and the number of samples."""
    return bytes([top | total >> 32]) + (total & 0xFFFFFFFF).to_bytes(4, "big")


def _patched(content: bytes, at: int, layout: str, values: dict[str, int], name: str) -> Iterator[tuple[str, bytes]]:
    for label, value in values.items():
        yield f"{name} {label}", content[:at] + struct.pack(layout, value) + content[at + struct.calcsize(layout) :]


def _stale_riff(content: bytes) -> Iterator[tuple[str, bytes]]:
    at = content.index(b"data", 12) + 4
    if content[:4] == b"RF64":
        ds64 = content.index(b"ds64") + 16
        yield from _patched(content, ds64, "<Q", {"0": 0, "half": len(content) // 2}, "data size")
        return
    sizes = {"0": 0, "unknown": 0xFFFFFFFF, "half": len(content) // 2 & ~1}
    for name, stale in _patched(content, at, "<I", sizes, "data size"):
        yield name, stale
        if name.endswith("0"):  # both, as the header is written before the first sample
            yield "RIFF and data size 0", stale[:4] + bytes(4) + stale[8:]


def _stale_aiff(content: bytes) -> Iterator[tuple[str, bytes]]:
    size_at, frames_at = content.index(b"SSND") + 4, content.index(b"COMM") + 10
    frames = struct.unpack_from(">I", content, frames_at)[0]
    yield from _patched(content, size_at, ">I", {"0": 0, "half": len(content) // 2 & ~1}, "SSND size")
    yield from _patched(content, frames_at, ">I", {"0": 0, "half": frames // 2}, "number of frames")
