"""Length of truncated AVI, DSF, SoX, NIST and VOC files."""

import struct

import pytest

from genre_edge.audio.containers import truncation
from tests.helpers.containers import layout_of

SIZE = 10_000
AVI = struct.pack(
    "<4sI4s4sI4s4sIIIIII", b"RIFF", SIZE - 8, b"AVI ", b"LIST", 100, b"hdrl", b"avih", 56, 40_000, 0, 0, 0, 300
)
DSF = struct.pack("<4sQQQ4sQIIIIIIQ", b"DSD ", 28, SIZE, 0, b"fmt ", 52, 1, 0, 1, 1, 2_822_400, 1, 12 * 2_822_400)
SOX = struct.pack("<4sIQdI", b".SoX", 32, (SIZE - 32) // 4, (SIZE - 32) / 4 / 2 / 12, 2)

NIST = (
    b"NIST_1A\n   1024\nchannel_count -i 2\nsample_rate -i 187\nsample_n_bytes -i 2\nsample_count -i 2244\nend_head\n"
)
VOC = b"Creative Voice File\x1a" + struct.pack("<HHHIIBB", 26, 0x114, 0x111F, (SIZE - 30) << 8 | 9, 416, 16, 1)


@pytest.mark.parametrize("header", [AVI, DSF, SOX, NIST, VOC], ids=["avi", "dsf", "sox", "nist", "voc"])
def test_truncated(header: bytes) -> None:
    """A truncated file has the declared length and a part of it; a complete one needs no layout."""
    layout = layout_of(header.ljust(SIZE // 4, b"\0"), truncation.scan)
    assert layout is not None and layout.parts == () and layout.problem is None
    assert layout.expected_s == pytest.approx(12.0, rel=0.01) and layout.available_s == pytest.approx(3.0, rel=0.01)
    assert layout_of(header.ljust(SIZE, b"\0"), truncation.scan) is None
    assert layout_of(header.ljust(SIZE + 100, b"\0"), truncation.scan) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        AVI[:40],
        DSF[:50],
        SOX[:10],
        SOX[:16] + bytes(100),
        AVI.replace(b"AVI ", b"WAVE"),
        NIST[:60],
        VOC[:26],
        VOC.replace(b"\x09", b"\x01"),
    ],
)
def test_damaged_header(content: bytes) -> None:
    """A header that is cut or damaged tells nothing."""
    assert layout_of(content, truncation.scan) is None
