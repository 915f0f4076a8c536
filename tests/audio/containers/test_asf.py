"""Length of a truncated ASF file."""

import os
import struct
from pathlib import Path

import pytest

from genre_edge.audio.containers import asf

HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + struct.pack("<QIBB", 134, 1, 1, 2)
GUID = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def asf_file(size: int, flags: int = 2, play_s: float = 15.0, preroll_ms: int = 3000) -> bytes:
    """A header that declares `size` bytes; the packets are zeros."""
    values = (104, bytes(16), size, 0, 10, round(play_s * 1e7), round(play_s * 1e7), preroll_ms, flags)
    return (HEADER + GUID + struct.pack("<Q16sQQQQQQI", *values)).ljust(size, b"\0")


def scan(content: bytes, tmp_path: Path) -> "asf.Layout | None":
    path = tmp_path / "x.wma"
    path.write_bytes(content)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return asf.scan(descriptor, len(content))
    finally:
        os.close(descriptor)


def test_asf_truncated(tmp_path: Path) -> None:
    """A truncated file has the declared length, without the preroll, and a part of it."""
    layout = scan(asf_file(10_000)[:4_000], tmp_path)
    assert layout is not None and layout.parts == () and layout.problem is None
    assert layout.expected_s == pytest.approx(12.0) and layout.available_s == pytest.approx(4.8)


@pytest.mark.parametrize(
    "content",
    [
        asf_file(10_000),  # complete
        asf_file(10_000) + bytes(100),
        asf_file(10_000, flags=1)[:4_000],  # a broadcast
        asf_file(10_000, play_s=2.0)[:4_000],  # less than the preroll
        asf_file(10_000)[:100],  # cut in the header
        b"RIFF" + asf_file(10_000)[4:4_000],
        b"",
    ],
)
def test_asf_without_known_length(content: bytes, tmp_path: Path) -> None:
    """A complete file, a broadcast, a damaged header and another file have no layout."""
    assert scan(content, tmp_path) is None
