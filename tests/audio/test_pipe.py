"""Audio from pipes: the same samples as libsndfile reads from a file; any bytes are audio or an AudioError."""

import io
import logging
import struct
import tracemalloc
from typing import IO, cast

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genre_edge.audio.block import to_mono
from genre_edge.audio.pipe import RAW_ENCODINGS, PcmSource, WavSource, open_pipe, parse_raw
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError, ParameterError
from tests.helpers.audio import ShortReadStream, decode, encode, music, naive_mono, noise, read_samples
from tests.helpers.wav import FLOAT, PCM, UNKNOWN_SIZE, chunk, extensible, fmt, riff

SUBTYPES = {
    "u8": "PCM_U8",
    "s16le": "PCM_16",
    "s24le": "PCM_24",
    "s32le": "PCM_32",
    "f32le": "FLOAT",
    "f64le": "DOUBLE",
}
BITS = {"u8": 8, "s16le": 16, "s24le": 24, "s32le": 32, "f32le": 32, "f64le": 64}
SAMPLES = noise(2001, 3, 0.9)
PCM16 = (SAMPLES * 32767).astype("<i2").tobytes()
DECODED16 = (SAMPLES * 32767).astype("<i2").astype(np.float32) / 32768
FMT16 = fmt(PCM, 1, 8000, 16)


def wav(content: bytes) -> Source:
    return WavSource(io.BytesIO(content), "pipe")


def rejection(content: bytes) -> str:
    """Return the reason why a WAV is rejected; check that the message is one line with the source's name."""
    with pytest.raises(AudioError) as caught:
        read_samples(wav(content))
    text = str(caught.value)
    assert text.startswith("pipe: ") and "\n" not in text
    return text.removeprefix("pipe: ")


def test_all_encodings_are_tested() -> None:
    """The tables of this file cover all encodings."""
    assert set(RAW_ENCODINGS) == set(SUBTYPES) == set(BITS)


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("encoding", SUBTYPES)
@pytest.mark.parametrize("format", ["WAV", "WAVEX", "RF64"])
def test_wav_equals_libsndfile(format: str, encoding: str, channels: int) -> None:
    """A WAV from a pipe has exactly the samples that libsndfile reads from a file."""
    samples = np.random.default_rng(0).uniform(-1, 1, (7000, channels))
    samples[:3] = [[-1.0] * channels, [1.0] * channels, [0.0] * channels]
    content = encode(samples, 44100, format, SUBTYPES[encoding])
    with wav(content) as source:
        assert (source.rate, source.channels, source.name) == (44100, channels, "pipe")
    decoded = read_samples(wav(content))
    assert np.array_equal(decoded, to_mono(decode(content)))
    np.testing.assert_allclose(decoded, naive_mono(samples), atol=2.0 ** (2 - min(BITS[encoding], 24)))


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("encoding", SUBTYPES)
def test_raw_equals_wav(encoding: str, channels: int) -> None:
    """Raw PCM has the same samples as a WAV with the same data."""
    values = np.random.default_rng(1).bytes(3000 * channels * BITS[encoding] // 8)
    if encoding.startswith("f"):
        values = noise(3000 * channels).astype(f"<f{BITS[encoding] // 8}").tobytes()
    raw = PcmSource(io.BytesIO(values), "raw", encoding, 8000, channels)
    tag = FLOAT if encoding.startswith("f") else PCM
    in_wav = riff(fmt(tag, channels, 8000, BITS[encoding]), chunk(b"data", values))
    decoded = read_samples(raw)
    assert len(decoded) == 3000
    assert np.array_equal(decoded, to_mono(decode(in_wav)))
    assert np.array_equal(decoded, read_samples(wav(in_wav)))


@pytest.mark.parametrize("encoding", SUBTYPES)
def test_extensible_format(encoding: str) -> None:
    """WAVE_FORMAT_EXTENSIBLE has the same samples as the plain format."""
    values = bytes(range(48)) * 10
    tag = FLOAT if encoding.startswith("f") else PCM
    plain = riff(fmt(tag, 1, 8000, BITS[encoding]), chunk(b"data", values))
    wide = riff(extensible(tag, 1, 8000, BITS[encoding]), chunk(b"data", values))
    np.testing.assert_array_equal(read_samples(wav(wide)), read_samples(wav(plain)))


@pytest.mark.parametrize("size", [0, 4, 36, UNKNOWN_SIZE])
def test_interrupted_recording(size: int, caplog: pytest.LogCaptureFixture) -> None:
    """A WAV whose data size is 0 is read to its end, with one warning."""
    content = riff(FMT16, chunk(b"data", PCM16, 0), size=size)
    assert np.array_equal(read_samples(wav(content)), DECODED16)
    assert caplog.messages == ["pipe: the header gives no length, as after an interrupted recording; decoded 0.3 s"]


@pytest.mark.parametrize("size", [0x7FFF0000, 0x7FFFF000, 0x80000000, UNKNOWN_SIZE - 36, UNKNOWN_SIZE])
def test_size_placeholders_are_not_logged(size: int, caplog: pytest.LogCaptureFixture) -> None:
    """The size placeholders of sox and arecord cause no warning."""
    content = riff(FMT16, chunk(b"data", PCM16, size), size=UNKNOWN_SIZE)
    assert np.array_equal(read_samples(wav(content)), DECODED16)
    assert caplog.text == ""


@pytest.mark.parametrize("odd", [b"", b"x", b"xyz", bytes(999), bytes(70001)])
def test_other_chunks_are_skipped(odd: bytes) -> None:
    """Chunks other than fmt and data are skipped, before and after the data."""
    plain = [chunk(b"LIST", odd), FMT16, chunk(b"fact", b"\1\2\3"), chunk(b"LIST", odd), chunk(b"data", PCM16)]
    after = [chunk(b"LIST", b"INFO" + b"\x7f" * 5001), chunk(b"id3 ", b"\x7f" * 333)]
    assert np.array_equal(read_samples(wav(riff(*plain, *after))), DECODED16)


def test_odd_data_is_padded() -> None:
    """The padding byte after an odd number of bytes is no sample."""
    data = bytes(range(101))
    decoded = read_samples(wav(riff(fmt(PCM, 1, 8000, 8), chunk(b"data", data), chunk(b"LIST", b"\xff" * 500))))
    assert np.array_equal(decoded, (np.arange(101, dtype=np.float32) - 128) / 128)


def test_rf64_chunks_after_data() -> None:
    """Chunks after the data of an RF64 are no samples."""
    sizes = struct.pack("<QQQI", 0, len(PCM16), len(SAMPLES), 0)
    content = riff(
        chunk(b"ds64", sizes), FMT16, chunk(b"data", PCM16, UNKNOWN_SIZE), chunk(b"LIST", b"\x7f" * 500), form=b"RF64"
    )
    assert np.array_equal(read_samples(wav(content)), DECODED16)


@pytest.mark.parametrize("sizes", [[1], [3, 1, 4, 1, 5], [11, 997], [4096]])
@pytest.mark.parametrize("encoding", ["u8", "s24le", "f32le"])
def test_short_reads(encoding: str, sizes: list[int]) -> None:
    """Streams that return fewer bytes than requested lose no samples."""
    samples = noise(6000, 5, 0.9).reshape(-1, 2)
    content = encode(samples, 8000, "WAV", SUBTYPES[encoding])
    assert np.array_equal(
        read_samples(WavSource(cast(IO[bytes], ShortReadStream(content, sizes)), "pipe")), to_mono(decode(content))
    )
    values = content[-6000 * BITS[encoding] // 8 :]
    raw = PcmSource(cast(IO[bytes], ShortReadStream(values, sizes)), "raw", encoding, 8000, 2)
    assert np.array_equal(read_samples(raw), to_mono(decode(content)))


@pytest.mark.parametrize("cut", [1, 2, 3, 5])
def test_partial_last_frame_is_dropped(cut: int) -> None:
    """An incomplete frame at the end is dropped."""
    values = noise(200).reshape(-1, 2).astype("<f4").tobytes()
    decoded = read_samples(PcmSource(io.BytesIO(values[:-cut]), "raw", "f32le", 8000, 2))
    assert np.array_equal(decoded, to_mono(noise(200).reshape(-1, 2))[:-1])


def test_early_end_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A stream shorter than its header says is decoded, and a warning is logged."""
    content = riff(FMT16, chunk(b"data", PCM16, len(PCM16) + 16000))
    assert np.array_equal(read_samples(wav(content)), DECODED16)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.messages == ["pipe: the file is truncated; decoded 0.3 of 1.3 s"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no data"),
        (b"RIF", "the WAV header is truncated"),
        (b"RIFF\0\0\0\0WAVE", "no data"),
        (b"ID3\4 certainly no wav", "not a WAV (raw PCM needs --raw ENCODING:RATE:CHANNELS)"),
        (riff(FMT16)[:-3], "the WAV header is truncated"),
        (riff(chunk(b"fmt ", bytes(15))), "damaged WAV: its fmt chunk has 15 bytes"),
        (riff(chunk(b"fmt ", b"", 0xFFFFFFFF)), "damaged WAV: its fmt chunk has 4294967295 bytes"),
        (riff(chunk(b"LIST", b"", 0xFFFFFFFF)), "damaged WAV: no fmt chunk near its start"),
        (riff(FMT16, chunk(b"LIST", b"", 0x7FFFFFFF)), "damaged WAV: no data chunk near its start"),
        (riff(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 2, 8000, 0, 3, 16))), "2 channels of 16 bits in 3 bytes"),
        (riff(fmt(7, 1, 8000, 8), chunk(b"data", b"x")), "WAV encoding 7 with 8 bits is not supported on a pipe"),
        (riff(fmt(PCM, 1, 8000, 12), chunk(b"data", b"x")), "WAV encoding 1 with 12 bits"),
        (riff(fmt(PCM, 0, 8000, 16), chunk(b"data", b"xx")), "0 channels are outside 1 to 1024"),
        (riff(fmt(PCM, 2000, 8000, 16), chunk(b"data", b"xx")), "2000 channels are outside 1 to 1024"),
        (riff(fmt(PCM, 1, 0, 16), chunk(b"data", b"xx")), "the sampling rate 0 Hz is outside 1000 to 1000000 Hz"),
        (riff(fmt(PCM, 1, 4_000_000_000, 16), chunk(b"data", b"xx")), "the sampling rate 4000000000 Hz is outside"),
    ],
)
def test_damaged_header(content: bytes, reason: str) -> None:
    """A damaged or unsupported header is an AudioError with the reason."""
    assert reason in rejection(content)


class Endless(io.RawIOBase):
    """A header, then endless zeros."""

    def __init__(self, header: bytes) -> None:
        self._header, self.n_read = io.BytesIO(header), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        assert self.n_read < 4 << 20, "reads without end"
        data = self._header.read(len(buffer)) or bytes(len(buffer))
        buffer[: len(data)] = data
        self.n_read += len(data)
        return len(data)


@pytest.mark.parametrize("header", [b"RIFF\0\0\0\0WAVE", riff(FMT16)])
def test_endless_header(header: bytes) -> None:
    """A header without end is an AudioError."""
    with pytest.raises(AudioError, match="damaged WAV"):
        WavSource(io.BufferedReader(Endless(header)), "pipe")


def peak_memory(source_bytes: bytes) -> int:
    """Return the peak memory in bytes while a pipe is read; both audio and AudioError are accepted."""
    tracemalloc.start()
    try:
        # Buffered, as standard input is: a buffered reader allocates as much as is requested.
        for _ in WavSource(io.BufferedReader(ShortReadStream(source_bytes, [1 << 16])), "pipe").blocks():
            pass
    except AudioError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize(("channels", "rate", "bits"), [(64, 48000, 16), (1024, 8000, 16), (1023, 1_000_000, 64)])
def test_memory_is_bounded(channels: int, rate: int, bits: int) -> None:
    """Peak memory is small for any header."""
    tag = FLOAT if bits == 64 else PCM
    content = riff(fmt(tag, channels, rate, bits), chunk(b"data", bytes(1 << 20), UNKNOWN_SIZE))
    assert peak_memory(content) < 8 << 20


VALID_WAV = encode(music(0.3, 8000), 8000, "WAV", "PCM_16")


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid WAV with some bytes changed, removed or inserted, most of them in its header."""
    content = bytearray(VALID_WAV)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, 60) | st.integers(0, len(content) - 1))
        new = draw(st.binary(max_size=6) | st.sampled_from([b"\xff" * 4, bytes(4), b"data", b"fmt ", b"\xfe\xff"]))
        content[at : at + draw(st.integers(0, 6))] = new
    return bytes(content)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: b"RIFF0000WAVE" + tail) | mutated())
@example(riff(fmt(PCM, 1024, 1_000_000, 32), chunk(b"data", b"x", UNKNOWN_SIZE)))
def test_fuzz_wav(content: bytes) -> None:
    """Any bytes are audio or one AudioError."""
    try:
        decoded = read_samples(wav(content))
    except AudioError as error:
        assert str(error).startswith("pipe: ") and "\n" not in str(error)
    else:
        assert len(decoded) <= len(content)


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=2000), encoding=st.sampled_from(RAW_ENCODINGS), channels=st.integers(1, 9))
def test_fuzz_raw(content: bytes, encoding: str, channels: int) -> None:
    """Any bytes are raw samples."""
    decoded = read_samples(PcmSource(io.BytesIO(content), "raw", encoding, 1000, channels))
    assert len(decoded) == len(content) * 8 // BITS[encoding] // channels


@pytest.mark.parametrize("encoding", RAW_ENCODINGS)
def test_parse_raw(encoding: str) -> None:
    """Valid formats of raw PCM are parsed, up to the limits."""
    assert parse_raw(f"{encoding}:22050:1") == (encoding, 22050, 1)
    assert parse_raw(f"{encoding}:1000:1024") == (encoding, 1000, 1024)
    assert parse_raw(f"{encoding}:1000000:008") == (encoding, 1000000, 8)
    with open_pipe(io.BytesIO(bytes(64)), "-", f"{encoding}:8000:2") as source:
        assert (source.rate, source.channels, len(read_samples(source))) == (8000, 2, 32 * 8 // BITS[encoding])


INVALID_RAW = ["s16le", "s16le:22050", "s16le:22050:1:1", "s16be:22050:1", "S16LE:22050:1", "s16le:22050:", "::", ""]
INVALID_RAW += ["s16le:22050:0", "s16le:22050:1025", "s16le:0:1", "s16le:999:1", "s16le:1000001:1", "s16le:-8000:1"]
INVALID_RAW += ["s16le:22050.0:1", "s16le:2e4:1", "s16le:²²⁰⁵⁰:1", "s16le:٢٢٠٥٠:1", "s16le:22_050:1", "s16le: 22050:1"]
INVALID_RAW += ["s16le:22050:1 ", "s16le:" + "9" * 5000 + ":1", "s16le:22050:" + "1" * 5000]


@pytest.mark.parametrize("text", INVALID_RAW, ids=range(len(INVALID_RAW)))
def test_parse_raw_rejects(text: str) -> None:
    """Invalid formats of raw PCM are a ParameterError that names the option."""
    with pytest.raises(ParameterError, match="--raw"):
        parse_raw(text)


def float_noise(encoding: str, seed: int) -> bytes:
    """Random bytes as floats: signalling NaN, infinities, denormals and values of any size."""
    special = np.array([np.nan, np.inf, -np.inf, 1e-42, 3e38, -1e300, 1e-310, 0.0])
    with np.errstate(all="ignore"):
        values = special.astype(f"<f{BITS[encoding] // 8}").tobytes()
    signalling = {"f32le": bytes.fromhex("0100a07f"), "f64le": bytes.fromhex("010000000000f47f")}[encoding]
    return np.random.default_rng(seed).bytes(80000) + values + signalling * 8


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("encoding", ["f32le", "f64le"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("seed", range(5))
def test_float_noise(encoding: str, channels: int, seed: int) -> None:
    """Noise in a float format is decoded without a Python warning; its invalid samples are found."""
    data = float_noise(encoding, seed)
    in_wav = riff(fmt(FLOAT, channels, 8000, BITS[encoding]), chunk(b"data", data))
    for source in (PcmSource(io.BytesIO(data), "raw", encoding, 8000, channels), wav(in_wav)):
        problems = [block.invalid_sample() for block in source.blocks()]
        assert problems[0] is not None and "has an invalid value" in problems[0]


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 1.1e6, -3e38])
@pytest.mark.filterwarnings("error")
def test_invalid_float(special: float) -> None:
    """One invalid float among valid ones is found at its position, on a pipe as in a file."""
    values = np.full(9000, 0.25, dtype="<f4")
    values[5000] = special
    content = riff(fmt(FLOAT, 1, 8000, 32), chunk(b"data", values.tobytes()))
    blocks = list(wav(content).blocks())
    problems = [problem for block in blocks if (problem := block.invalid_sample())]
    assert len(problems) == 1 and problems[0].startswith("sample 5000 has an invalid value")
    assert np.array_equal(to_mono(decode(content)), values, equal_nan=True)
