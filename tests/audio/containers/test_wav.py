"""WAV files and pipes whose headers are wrong: all samples are read, the same from both."""

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.audio.containers.header import scan_header
from genre_edge.audio.containers.layout import Layout, PartView
from genre_edge.audio.pipe import WavSource
from genre_edge.errors import AudioError
from tests.helpers.audio import encode, noise
from tests.helpers.containers import layout_of, read_file, read_pipe
from tests.helpers.wav import FLOAT, PCM, UNKNOWN_SIZE, chunk, extensible, fmt, riff

FMT = fmt(PCM, 2, 8000, 16)
VALUES = (noise(12000, 7, 0.9) * 32767).astype("<i2")
AUDIO = VALUES.tobytes()
N_BYTES = len(AUDIO)
MONO = VALUES.reshape(-1, 2).astype(np.float32).sum(axis=1) / 65536
NO_LENGTH = "the header gives no length, as after an interrupted recording"
INFO = b"INFO" + chunk(b"INAM", b"A title")
ID3V1 = b"TAG" + b"title".ljust(125, b"\0")


def ape_tag() -> bytes:
    """APEv2 tag with header, one item and footer."""
    item = struct.pack("<II", 5, 0) + b"Title\0" + b"A day"
    ends = [
        b"APETAGEX" + struct.pack("<IIII", 2000, len(item) + 32, 1, flags) + bytes(8)
        for flags in (0xA0000000, 0x80000000)
    ]
    return ends[0] + item + ends[1]


TRAILERS = {
    "nothing": b"",
    "LIST": chunk(b"LIST", INFO),
    "two chunks": chunk(b"LIST", INFO) + chunk(b"id3 ", b"ID3\3" + b"\x7f" * 401),
    "private chunk": chunk(b"xYz1", b"\x7f" * 999),
    "ID3v1": ID3V1,
    "APE": ape_tag(),
    "APE, ID3v1": ape_tag() + ID3V1,
    "LIST, ID3v1": chunk(b"LIST", INFO) + ID3V1,
    "ID3v2": b"ID3\4\0\0\0\0\1\0" + bytes(128),
    "zeros": bytes(3000),
    "a few bytes": b"\0\1\2",
}


def both(content: bytes) -> tuple[np.ndarray, Layout]:
    """Decode as a file and as a pipe; check that the samples are the same."""
    samples, layout = read_file(content)
    assert np.array_equal(samples, read_pipe(content))
    return samples, layout


@pytest.mark.parametrize("riff_size", [None, 0, 8, 36, 5000, 36 + N_BYTES, 0x7FFFFFFF, UNKNOWN_SIZE])
@pytest.mark.parametrize("trailer", TRAILERS)
def test_complete_file(trailer: str, riff_size: "int | None", caplog: pytest.LogCaptureFixture) -> None:
    """Whatever follows the audio of a complete file, and whatever the RIFF size is: no sample more, no warning."""
    content = riff(FMT, chunk(b"data", AUDIO), TRAILERS[trailer], size=riff_size)
    samples, layout = both(content)
    assert np.array_equal(samples, MONO)
    assert layout == Layout()
    assert caplog.text == ""


@pytest.mark.parametrize("declared", [1, 4, 1000, 1001, 20001, N_BYTES - 400, N_BYTES - 8])
@pytest.mark.parametrize("riff_size", [None, 0, UNKNOWN_SIZE, "stale"])
def test_stale_size(declared: int, riff_size: "int | str | None", caplog: pytest.LogCaptureFixture) -> None:
    """A header that says less than the file holds: all is read, without a warning."""
    size = 36 + declared if riff_size == "stale" else riff_size
    samples, layout = both(riff(FMT, chunk(b"data", AUDIO, declared), size=size))  # type: ignore[arg-type]
    assert np.array_equal(samples, MONO)
    assert (len(layout.parts), layout.expected_s, layout.problem) == (1, None, None)
    assert caplog.text == ""


@pytest.mark.parametrize("riff_size", [0, 4, 36, N_BYTES + 36, UNKNOWN_SIZE])
def test_size_of_zero(riff_size: int, caplog: pytest.LogCaptureFixture) -> None:
    """A data size of 0 before audio: all is read, with one warning."""
    samples, layout = both(riff(FMT, chunk(b"data", AUDIO, 0), size=riff_size))
    assert np.array_equal(samples, MONO)
    assert (len(layout.parts), layout.expected_s, layout.problem) == (1, None, NO_LENGTH)
    assert caplog.messages == [f"pipe: {NO_LENGTH}; decoded 0.8 s"]


@pytest.mark.parametrize("after", [b"", chunk(b"LIST", INFO), ID3V1])
def test_no_audio(after: bytes) -> None:
    """A WAV without audio has none, whatever follows."""
    samples, layout = both(riff(FMT, chunk(b"data", b""), after))
    assert len(samples) == 0 and layout == Layout()


@pytest.mark.parametrize("size", [0x7FFF0000, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, UNKNOWN_SIZE - 44, UNKNOWN_SIZE])
@pytest.mark.parametrize("form", [b"RIFF", b"RF64", b"BW64"])
def test_size_placeholders(form: bytes, size: int, caplog: pytest.LogCaptureFixture) -> None:
    """The sizes of programs that cannot seek: all is read, without a warning; RF64 needs no ds64."""
    samples, layout = both(riff(FMT, chunk(b"data", AUDIO, size), size=UNKNOWN_SIZE, form=form))
    assert np.array_equal(samples, MONO)
    assert (layout.expected_s, layout.problem) == (None, None)
    assert caplog.text == ""


@pytest.mark.parametrize("trailer", ["ID3v1", "APE", "APE, ID3v1"])
@pytest.mark.parametrize("size", [0, 80, 0x7FFFF000, UNKNOWN_SIZE])
@pytest.mark.parametrize("n_frames", [6000, 4001, 2999, 2000, 33, 31])
def test_tags_after_unknown_size(trailer: str, size: int, n_frames: int) -> None:
    """Tags behind audio whose header gives no end are no audio."""
    content = riff(FMT, chunk(b"data", AUDIO[: 4 * n_frames], size), TRAILERS[trailer], size=UNKNOWN_SIZE)
    samples, layout = both(content)
    assert np.array_equal(samples, MONO[:n_frames])
    assert layout.expected_s is None


@pytest.mark.parametrize(("ds64", "problem"), [(N_BYTES, None), (400, None), (0, NO_LENGTH)])
@pytest.mark.parametrize("form", [b"RF64", b"BW64"])
def test_rf64(form: bytes, ds64: int, problem: "str | None") -> None:
    """The size in ds64 is right, stale or 0."""
    sizes = chunk(b"ds64", struct.pack("<QQQI", 0, ds64, 0, 0))
    content = riff(sizes, FMT, chunk(b"data", AUDIO, UNKNOWN_SIZE), form=form, size=UNKNOWN_SIZE)
    samples, layout = both(content)
    assert np.array_equal(samples, MONO)
    assert (layout.expected_s, layout.problem) == (None, problem)


@pytest.mark.parametrize("riff_size", [None, 0, UNKNOWN_SIZE])
def test_truncated(riff_size: "int | None", caplog: pytest.LogCaptureFixture) -> None:
    """A header that promises more than there is."""
    content = riff(FMT, chunk(b"data", AUDIO, N_BYTES + 32000), size=riff_size)
    samples, layout = both(content)
    assert np.array_equal(samples, MONO)
    assert layout == Layout(available_s=N_BYTES / 32000, expected_s=(N_BYTES + 32000) / 32000)
    assert caplog.messages == ["pipe: the file is truncated; decoded 0.8 of 1.8 s"]


def test_two_data_chunks() -> None:
    """The audio of all data chunks is read, each from a frame boundary on."""
    content = riff(FMT, chunk(b"data", AUDIO[:8002]), chunk(b"LIST", INFO), chunk(b"data", AUDIO[8000:]))
    samples, layout = both(content)
    assert np.array_equal(samples, MONO)
    assert len(layout.parts) == 1 and layout.problem is None


def test_odd_chunks_before() -> None:
    """Large, odd and unpadded chunks before the audio are skipped."""
    odd = struct.pack("<4sI", b"junk", 7) + b"\xff" * 7  # without padding
    before = [chunk(b"JUNK", bytes(3 << 20)), odd, chunk(b"\x41b c", b"xyz"), FMT, odd]
    samples, _ = both(riff(*before, chunk(b"data", AUDIO)))
    assert np.array_equal(samples, MONO)


@pytest.mark.parametrize("trailer", [chunk(b"LIST", INFO), ID3V1, b""])
def test_missing_padding(trailer: bytes) -> None:
    """A missing or present padding byte after an odd number of bytes is no sample."""
    for padding in (b"", b"\0"):
        header = struct.pack("<4sI", b"data", 4001)
        samples, layout = both(riff(fmt(PCM, 1, 8000, 8), header + bytes(range(1, 251)) * 16 + b"x" + padding, trailer))
        assert len(samples) == 4001 and layout == Layout()


def test_format_after_data() -> None:
    """A file whose fmt chunk follows its audio is read."""
    samples, _ = read_file(riff(chunk(b"data", AUDIO), FMT))
    assert np.array_equal(samples, MONO)


def test_big_endian() -> None:
    """RIFX with a stale size is read whole."""
    big = VALUES.astype(">i2").tobytes()
    content = b"RIFX" + struct.pack(">I4s", 40, b"WAVE")
    content += struct.pack(">4sIHHIIHH", b"fmt ", 16, 1, 2, 8000, 32000, 4, 16) + struct.pack(">4sI", b"data", 4) + big
    samples, _ = read_file(content)
    assert np.array_equal(samples, MONO)


@pytest.mark.parametrize("subtype", ["ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610", "PCM_24", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("format", ["WAV", "WAVEX"])
def test_codecs(format: str, subtype: str) -> None:
    """A wrong size changes no sample, whatever the codec is."""
    if not soundfile.check_format(format, subtype):
        pytest.skip("no such format")
    content = encode(noise(8000, 3), 8000, format, subtype)
    right, layout = read_file(content)
    assert layout == Layout()
    at = content.index(b"data") + 4
    for size in (0, 520, UNKNOWN_SIZE):
        samples, _ = read_file(content[:at] + struct.pack("<I", size) + content[at + 4 :])
        assert np.array_equal(samples[: len(right)], right)
        assert len(samples) - len(right) < 1100  # a partial block


@pytest.mark.parametrize("gib", [4, 8])
@pytest.mark.parametrize("trailer", [b"", chunk(b"LIST", INFO)])
def test_size_modulo_4_gib(tmp_path: Path, gib: int, trailer: bytes) -> None:
    """A size that is stored modulo 4 GiB."""
    n_bytes = (gib << 30) + 8000
    with open(tmp_path / "x.wav", "w+b") as file:  # noqa: PTH123
        file.write(riff(FMT, chunk(b"data", b"\x11\x22" * 4000, 8000), size=8036))
        file.seek(44 + n_bytes - 8000)
        file.write(AUDIO[:8000] + trailer)
        file.flush()
        layout = scan_header(file.fileno(), os.fstat(file.fileno()).st_size)
        assert layout is not None and (layout.expected_s, layout.problem) == (None, None)
        with soundfile.SoundFile(PartView(file.fileno(), layout.parts[0])) as sound:
            assert sound.frames == n_bytes // 4
            sound.seek(sound.frames - 2000)
            assert np.array_equal(sound.read(dtype="float32").sum(axis=1) / 2, MONO[:2000])


@pytest.mark.parametrize("content", [b"", b"RIFF", riff(), riff(FMT), riff(chunk(b"data", AUDIO)), b"ID3\3" * 99])
def test_no_layout(content: bytes) -> None:
    """Nothing is said of files without a header that can be read."""
    assert layout_of(content) is None


ENCODINGS = [(PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32), (FLOAT, 64)]


@settings(max_examples=300, deadline=None)
@given(
    encoding=st.sampled_from(ENCODINGS),
    channels=st.integers(1, 3),
    is_extensible=st.booleans(),
    n=st.integers(1000, 3000),
    seed=st.integers(0, 1000),
    declared=st.sampled_from(["right", 0, UNKNOWN_SIZE, 0x7FFFF000]) | st.floats(0.001, 0.99),
    riff_size=st.sampled_from([None, 0, 36, UNKNOWN_SIZE]),
    before=st.lists(st.tuples(st.sampled_from([b"LIST", b"JUNK", b"odd1"]), st.integers(0, 999)), max_size=3),
)
def test_any_header(
    encoding: tuple[int, int],
    channels: int,
    is_extensible: bool,
    n: int,
    seed: int,
    declared: "str | int | float",
    riff_size: "int | None",
    before: list[tuple[bytes, int]],
) -> None:
    """All samples are read, whatever the sizes say; file and pipe agree."""
    tag, bits = encoding
    values = np.random.default_rng(seed)
    data = values.bytes(n * channels * bits // 8)
    if tag == FLOAT:
        data = noise(n * channels, seed).astype(f"<f{bits // 8}").tobytes()
    format = (extensible if is_extensible else fmt)(tag, channels, 8000, bits)
    size = len(data) if declared == "right" else int(declared * len(data)) if isinstance(declared, float) else declared
    chunks = [chunk(chunk_id, values.bytes(length)) for chunk_id, length in before]
    right, _ = read_file(riff(format, chunk(b"data", data)))
    samples, layout = both(riff(*chunks, format, chunk(b"data", data, size), size=riff_size))  # type: ignore[arg-type]
    assert len(right) == n
    # A padding byte behind an odd number of bytes of unknown length may make one more sample.
    assert np.array_equal(samples[:n], right) and len(samples) - n <= (len(data) % 2 and declared != "right")
    assert layout.expected_s is None


@settings(max_examples=300, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, 120), st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255)), max_size=4
    ),
    cut=st.integers(0, 1500),
)
def test_damaged_header(changes: list[tuple[int, int]], cut: int) -> None:
    """No layout leaves the file, and what a pipe reads of a damaged WAV a file reads, too."""
    content = bytearray(riff(chunk(b"LIST", INFO), FMT, chunk(b"data", AUDIO[:1200]), chunk(b"LIST", INFO)))
    for at, value in changes:
        content[at] = value
    damaged = bytes(content[: max(0, len(content) - cut)])
    layout = layout_of(damaged)
    for part in layout.parts if layout else ():
        assert all(isinstance(piece, bytes) or 0 <= piece[0] <= piece[1] <= len(damaged) for piece in part.pieces)
    try:
        samples = read_pipe(damaged)
    except AudioError:
        return
    assert np.array_equal(read_file(damaged)[0], samples)


@pytest.mark.parametrize("chunk_id", [b"PEAK", b"fact", b"acid", b"smpl", b"bext", b"cart", b"cue ", b"LIST", b"inst"])
@pytest.mark.parametrize("size", [0, 1, 3, 8, 24, 36, 2001])
def test_damaged_metadata(chunk_id: bytes, size: int) -> None:
    """Chunks of a wrong size or with random content lose no audio, before and after it."""
    damaged = chunk(chunk_id, noise(600, size).tobytes()[:size])
    for chunks in ([damaged, chunk(b"data", AUDIO)], [chunk(b"data", AUDIO), damaged]):
        samples, layout = both(riff(FMT, *chunks))
        assert np.array_equal(samples, MONO)
        assert (layout.expected_s, layout.problem) == (None, None)


class Watched(io.BytesIO):
    """Stream that counts the bytes that were asked for."""

    n_requested = 0

    def read(self, n: "int | None" = -1, /) -> bytes:
        self.n_requested += n or 0
        return super().read(n)


@pytest.mark.parametrize("size", [0, 400, 0x7FFFF000, UNKNOWN_SIZE])
def test_live_pipe_is_not_delayed(size: int) -> None:
    """The first block needs a quarter of a second of audio, and none of it waits for the bytes after it."""
    header = riff(FMT, chunk(b"data", b"", size), size=UNKNOWN_SIZE)
    stream = Watched(header + b"\1\2\3\4" * 8000)
    blocks = WavSource(stream, "pipe").blocks()
    assert len(next(blocks).samples) > 0
    assert stream.n_requested <= len(header) + 8000


def test_end_of_audio_is_not_delayed() -> None:
    """The last block of a complete WAV does not wait for what may follow it."""
    content = riff(FMT, chunk(b"data", AUDIO))
    stream = Watched(content)
    blocks = WavSource(stream, "pipe").blocks()
    n = 0
    while n < len(MONO):
        n += len(next(blocks).samples)
    assert stream.n_requested <= len(content)
