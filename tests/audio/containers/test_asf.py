"""Length of a truncated ASF file."""

import struct

import pytest

from genre_edge.audio.containers import asf
from tests.helpers.containers import layout_of

HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + struct.pack("<QIBB", 134, 1, 1, 2)
GUID = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def asf_file(size: int, flags: int = 2, play_s: float = 15.0, preroll_ms: int = 3000) -> bytes:
    """A header that declares `size` bytes; the packets are zeros."""
    values = (104, bytes(16), size, 0, 10, round(play_s * 1e7), round(play_s * 1e7), preroll_ms, flags)
    return (HEADER + GUID + struct.pack("<Q16sQQQQQQI", *values)).ljust(size, b"\0")


def test_asf_truncated() -> None:
    """A truncated file has the declared length, without the preroll, and a part of it."""
    layout = layout_of(asf_file(10_000)[:4_000], asf.scan)
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
def test_asf_without_known_length(content: bytes) -> None:
    """A complete file, a broadcast, a damaged header and another file have no layout."""
    assert layout_of(content, asf.scan) is None
