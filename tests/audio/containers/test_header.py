"""AU, AIFF, CAF and W64 files whose headers are wrong: all samples are read."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.audio.block import to_mono
from genre_edge.audio.containers.header import scan_header
from genre_edge.audio.containers.layout import Layout, PartView
from tests.helpers.audio import decode, encode, noise
from tests.helpers.containers import layout_of, read_file

NO_LENGTH = "the header gives no length, as after an interrupted recording"
SAMPLES = noise(6000, 11, 0.9).reshape(-1, 2)
ID3V1 = b"TAG" + bytes(125)
UNKNOWN32, UNKNOWN64 = 0xFFFFFFFF, (1 << 64) - 1

# format -> (subtypes, file position of the size relative to the marker, marker, struct format, value for n bytes)
FORMATS: dict[str, tuple[list[str], bytes, int, str, Callable[[int], int]]] = {
    "AU": (["PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"], b".snd", 8, ">I", lambda n: n),
    "AIFF": (
        ["PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"],
        b"SSND",
        4,
        ">I",
        lambda n: n + 8,
    ),
    "CAF": (
        ["PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"],
        b"data",
        4,
        ">Q",
        lambda n: n + 4,
    ),
    "W64": (
        ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"],
        b"data\xf3",
        16,
        "<Q",
        lambda n: n + 24,
    ),
}
CASES = [(format, subtype) for format, (subtypes, *_) in FORMATS.items() for subtype in subtypes]
SAMPLE_BYTES = {
    "PCM_S8": 1,
    "PCM_U8": 1,
    "PCM_16": 2,
    "PCM_24": 3,
    "PCM_32": 4,
    "FLOAT": 4,
    "DOUBLE": 8,
    "ULAW": 1,
    "ALAW": 1,
}


def example(format: str, subtype: str = "PCM_16") -> tuple[bytes, np.ndarray, int]:
    """Return a file up to the end of its audio, its mono samples, and the size of its audio in bytes."""
    content = encode(SAMPLES, 8000, format, subtype)
    n_bytes = SAMPLES.size * SAMPLE_BYTES[subtype]
    _, marker, at, kind, value = FORMATS[format]
    start = content.index(marker) + at
    assert struct.unpack_from(kind, content, start)[0] == value(n_bytes)
    header = start + struct.calcsize(kind) + {"AU": 12, "AIFF": 8, "CAF": 4, "W64": 0}[format]
    return content[: header + n_bytes], to_mono(decode(content)), n_bytes


def with_size(content: bytes, format: str, size: int) -> bytes:
    """Replace the size of the audio, as it stands in the header."""
    _, marker, at, kind, _ = FORMATS[format]
    changed = bytearray(content)
    struct.pack_into(kind, changed, content.index(marker) + at, size)
    return bytes(changed)


@pytest.mark.parametrize(("format", "subtype"), CASES)
def test_complete_file(format: str, subtype: str) -> None:
    """A complete file is decoded as it is; tags, padding and a few bytes behind it are no audio."""
    content, right, _ = example(format, subtype)
    assert layout_of(content) == Layout()
    for trailer in (ID3V1, bytes(999), b"\x7f\x01\x02"):
        samples, layout = read_file(content + trailer)
        assert np.array_equal(samples, right), trailer[:3]
        assert (layout.expected_s, layout.problem) == (None, None)


@pytest.mark.parametrize(("format", "subtype"), CASES)
@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.97])
@pytest.mark.parametrize("trailer", [b"", ID3V1])
def test_stale_size(format: str, subtype: str, share: float, trailer: bytes) -> None:
    """A size that says less than the file holds; a size of 0 is reported."""
    content, right, n_bytes = example(format, subtype)
    value = FORMATS[format][4]
    samples, layout = read_file(with_size(content, format, value(int(share * n_bytes))) + trailer)
    assert np.array_equal(samples, right)
    assert (layout.expected_s, layout.problem) == (None, None if share else NO_LENGTH)


@pytest.mark.parametrize("format", FORMATS)
def test_empty_size_field(format: str) -> None:
    """A size field of 0, below the size of the chunk's own header."""
    content, right, _ = example(format)
    samples, layout = read_file(with_size(content, format, 0))
    assert np.array_equal(samples, right)
    assert (layout.expected_s, layout.problem) == (None, NO_LENGTH)


PLACEHOLDERS = [("CAF", UNKNOWN64), ("W64", UNKNOWN64), ("W64", (1 << 63) - 1)]
PLACEHOLDERS += [(format, size) for format in ("AU", "AIFF") for size in (0x7FFFF000, 0x7FFFFFFF, 1 << 31, UNKNOWN32)]


@pytest.mark.parametrize(("format", "size"), PLACEHOLDERS)
@pytest.mark.parametrize("trailer", [b"", ID3V1])
def test_size_placeholders(format: str, size: int, trailer: bytes) -> None:
    """The sizes of programs that cannot seek."""
    content, right, _ = example(format)
    samples, layout = read_file(with_size(content, format, size) + trailer)
    assert np.array_equal(samples, right)
    assert (layout.expected_s, layout.problem) == (None, None)


@pytest.mark.parametrize(("format", "subtype"), CASES)
@pytest.mark.parametrize("missing", [1 / 8, 0.5])
def test_truncated(format: str, subtype: str, missing: float) -> None:
    """A cut file: what is left is decoded, and the length by the header is known."""
    content, right, n_bytes = example(format, subtype)
    samples, layout = read_file(content[: len(content) - int(missing * n_bytes)])
    assert np.array_equal(samples, right[: len(samples)])
    assert len(samples) == int((1 - missing) * len(right))
    assert layout.expected_s == pytest.approx(len(right) / 8000)


AIFF_CHUNKS = struct.pack(">4sI", b"NAME", 5) + b"title\0" + struct.pack(">4sI", b"ID3 ", 400) + b"\x7f" * 400
CAF_CHUNKS = struct.pack(">4sq", b"info", 5) + b"title" + struct.pack(">4sq", b"free", 400) + b"\x7f" * 400
W64_CHUNKS = bytes(range(16)) + struct.pack("<Q", 424) + b"\x7f" * 400


@pytest.mark.parametrize(("format", "chunks"), [("AIFF", AIFF_CHUNKS), ("CAF", CAF_CHUNKS), ("W64", W64_CHUNKS)])
@pytest.mark.parametrize("trailer", [b"", ID3V1])
def test_chunks_after_audio(format: str, chunks: bytes, trailer: bytes) -> None:
    """Chunks behind the audio are no audio and no fault."""
    content, right, _ = example(format)
    samples, layout = read_file(content + chunks + trailer)
    assert np.array_equal(samples, right)
    assert (layout.expected_s, layout.problem) == (None, None)


@pytest.mark.parametrize("offset", [0, 8, 23, 25, 29, 4096])
def test_au_annotation(offset: int) -> None:
    """The audio of an AU begins at any offset; one inside the header is corrected."""
    content, right, n_bytes = example("AU")
    for size in (n_bytes, 100, UNKNOWN32):
        header = b".snd" + struct.pack(">2I", offset, size) + content[12:24] + b"\x7f" * max(0, offset - 24)
        assert np.array_equal(read_file(header + content[24:])[0], right)


def test_au_little_endian() -> None:
    """A little-endian AU with a stale size."""
    content = soundfile_little_endian()
    samples, _ = read_file(content[:8] + struct.pack("<I", 400) + content[12:])
    assert np.array_equal(samples, to_mono(decode(content)))


def soundfile_little_endian() -> bytes:
    import io

    file = io.BytesIO()
    soundfile.write(file, SAMPLES, 8000, format="AU", subtype="PCM_16", endian="LITTLE")
    assert file.getvalue()[:4] == b"dns."
    return file.getvalue()


def aiff_chunks(content: bytes) -> tuple[bytes, bytes, bytes]:
    """Split an AIFF into its header, the chunks before SSND, and SSND with all that follows."""
    at = content.index(b"SSND")
    return content[:12], content[12:at], content[at:]


@pytest.mark.parametrize("size", [None, 0, 408, UNKNOWN32])
@pytest.mark.parametrize("frames", [None, 0, 100, 1 << 30])
@pytest.mark.parametrize("form", [None, 0, 100, UNKNOWN32])
def test_aiff_counts(size: "int | None", frames: "int | None", form: "int | None") -> None:
    """Wrong sizes of FORM and SSND and a wrong number of frames in any combination."""
    content, right, _ = example("AIFF")
    changed = bytearray(content if size is None else with_size(content, "AIFF", size))
    if frames is not None:
        struct.pack_into(">I", changed, content.index(b"COMM") + 10, frames)
    if form is not None:
        struct.pack_into(">I", changed, 4, form)
    samples, layout = read_file(bytes(changed))
    assert np.array_equal(samples, right)
    assert (layout.expected_s, layout.problem) == (None, NO_LENGTH if size == 0 else None)


def test_aiff_chunks_in_any_order() -> None:
    """SSND before COMM, an offset in SSND, and chunks without padding."""
    content, right, n_bytes = example("AIFF")
    form, before, audio = aiff_chunks(content)
    assert np.array_equal(read_file(form + audio + before)[0], right)
    odd = struct.pack(">4sI", b"NAME", 5) + b"title"
    assert np.array_equal(read_file(form + odd + before + audio)[0], right)
    shifted = struct.pack(">4s3I", b"SSND", n_bytes + 20, 12, 512) + b"\x7f" * 12 + audio[16:]
    assert np.array_equal(read_file(form + before + shifted)[0], right)
    stale = struct.pack(">4s3I", b"SSND", 420, 12, 0) + b"\x7f" * 12 + audio[16:]
    assert np.array_equal(read_file(form + before + stale)[0], right)


def test_caf_chunks_before_audio() -> None:
    """Chunks before audio of unknown size."""
    content, right, _ = example("CAF")
    at = content.index(b"data")
    changed = content[:at] + CAF_CHUNKS + with_size(content, "CAF", UNKNOWN64)[at:]
    assert np.array_equal(read_file(changed)[0], right)


@pytest.mark.parametrize("format", ["AU", "AIFF"])
def test_size_modulo_4_gib(tmp_path: Path, format: str) -> None:
    """A size that is stored modulo 4 GiB."""
    content, right, n_bytes = example(format)
    with open(tmp_path / "x", "w+b") as file:  # noqa: PTH123
        file.write(content)
        file.seek(1 << 32, os.SEEK_CUR)
        file.write(content[-800:])
        file.flush()
        layout = scan_header(file.fileno(), os.fstat(file.fileno()).st_size)
        assert layout is not None and (layout.expected_s, layout.problem) == (None, None)
        with soundfile.SoundFile(PartView(file.fileno(), layout.parts[0])) as sound:
            assert sound.frames == ((1 << 32) + n_bytes + 800) // 4
            sound.seek(sound.frames - 200)
            assert np.array_equal(to_mono(sound.read(dtype="float32")), right[-200:])


@settings(max_examples=400, deadline=None)
@given(
    format=st.sampled_from(sorted(FORMATS)),
    changes=st.lists(st.tuples(st.integers(0, 160), st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))),
    cut=st.integers(0, 12000),
)
def test_damaged_header(format: str, changes: list[tuple[int, int]], cut: int) -> None:
    """Any header is scanned without an error, and no layout leaves the file."""
    content = bytearray(example(format)[0])
    for at, value in changes:
        content[at] = value
    content = content[: max(0, len(content) - cut)]
    layout = layout_of(bytes(content))
    for part in layout.parts if layout else ():
        assert all(isinstance(piece, bytes) or 0 <= piece[0] <= piece[1] <= len(content) for piece in part.pieces)
    assert layout is None or layout.expected_s is None or layout.expected_s >= 0
