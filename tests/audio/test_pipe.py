"""Audio from pipes: the same samples as libsndfile reads from a file, and no surprise from any bytes whatever."""

import io
import logging
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genre_edge.audio.block import to_mono
from genre_edge.audio.pipe import RAW_ENCODINGS, PcmSource, WavSource, open_pipe, parse_raw
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError, ParameterError
from tests.helpers.audio import (
    FLOAT,
    PCM,
    UNKNOWN_SIZE,
    ShortReadStream,
    chunk,
    decode,
    encode,
    extensible,
    fmt,
    read_samples,
    music,
    naive_mono,
    noise,
    riff,
)

SUBTYPES = {
    "u8": "PCM_U8",
    "s16le": "PCM_16",
    "s24le": "PCM_24",
    "s32le": "PCM_32",
    "f32le": "FLOAT",
    "f64le": "DOUBLE",
}
BITS = {"u8": 8, "s16le": 16, "s24le": 24, "s32le": 32, "f32le": 32, "f64le": 64}
SOUND = noise(2001, 3, 0.9)
PCM16 = (SOUND * 32767).astype("<i2").tobytes()
HEARD16 = (SOUND * 32767).astype("<i2").astype(np.float32) / 32768
FMT16 = fmt(PCM, 1, 8000, 16)


def wav(content: bytes) -> Source:
    return WavSource(io.BytesIO(content), "pipe")


def refused(content: bytes) -> str:
    """Why a WAV is refused: one line with the source's name."""
    with pytest.raises(AudioError) as caught:
        read_samples(wav(content))
    text = str(caught.value)
    assert text.startswith("pipe: ") and "\n" not in text
    return text.removeprefix("pipe: ")


def test_every_encoding_is_covered() -> None:
    assert set(RAW_ENCODINGS) == set(SUBTYPES) == set(BITS)


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("encoding", SUBTYPES)
@pytest.mark.parametrize("format", ["WAV", "WAVEX", "RF64"])
def test_a_wav_sounds_as_libsndfile_hears_it(format: str, encoding: str, channels: int) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (7000, channels))
    samples[:3] = [[-1.0] * channels, [1.0] * channels, [0.0] * channels]
    content = encode(samples, 44100, format, SUBTYPES[encoding])
    with wav(content) as source:
        assert (source.rate, source.channels, source.name) == (44100, channels, "pipe")
    heard = read_samples(wav(content))
    assert np.array_equal(heard, to_mono(decode(content)))
    np.testing.assert_allclose(heard, naive_mono(samples), atol=2.0 ** (2 - min(BITS[encoding], 24)))


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("encoding", SUBTYPES)
def test_raw_samples_sound_like_the_wav_around_them(encoding: str, channels: int) -> None:
    values = np.random.default_rng(1).bytes(3000 * channels * BITS[encoding] // 8)
    if encoding.startswith("f"):
        values = noise(3000 * channels).astype(f"<f{BITS[encoding] // 8}").tobytes()
    raw = PcmSource(io.BytesIO(values), "raw", encoding, 8000, channels)
    tag = FLOAT if encoding.startswith("f") else PCM
    in_wav = riff(fmt(tag, channels, 8000, BITS[encoding]), chunk(b"data", values))
    heard = read_samples(raw)
    assert len(heard) == 3000
    assert np.array_equal(heard, to_mono(decode(in_wav)))
    assert np.array_equal(heard, read_samples(wav(in_wav)))


@pytest.mark.parametrize("encoding", SUBTYPES)
def test_the_extensible_format(encoding: str) -> None:
    values = bytes(range(48)) * 10
    tag = FLOAT if encoding.startswith("f") else PCM
    plain = riff(fmt(tag, 1, 8000, BITS[encoding]), chunk(b"data", values))
    wide = riff(extensible(tag, 1, 8000, BITS[encoding]), chunk(b"data", values))
    np.testing.assert_array_equal(read_samples(wav(wide)), read_samples(wav(plain)))


@pytest.mark.parametrize("size", [UNKNOWN_SIZE, 0])
def test_a_writer_that_did_not_know_the_length(size: int, caplog: pytest.LogCaptureFixture) -> None:
    content = riff(FMT16, chunk(b"data", PCM16, size), size=size)
    assert np.array_equal(read_samples(wav(content)), HEARD16)
    assert caplog.text == ""


@pytest.mark.parametrize("size", [0x7FFFF000, 0x80000000])
def test_placeholders_of_sox_and_arecord_are_no_reason_for_a_warning(
    size: int, caplog: pytest.LogCaptureFixture
) -> None:
    content = riff(FMT16, chunk(b"data", PCM16, size), size=UNKNOWN_SIZE)
    assert np.array_equal(read_samples(wav(content)), HEARD16)
    assert caplog.text == ""


@pytest.mark.parametrize("odd", [b"", b"x", b"xyz", bytes(999), bytes(70001)])
def test_other_chunks_are_stepped_over_and_never_heard(odd: bytes) -> None:
    plain = [chunk(b"LIST", odd), FMT16, chunk(b"fact", b"\1\2\3"), chunk(b"LIST", odd), chunk(b"data", PCM16)]
    after = [chunk(b"LIST", b"INFO" + b"\x7f" * 5001), chunk(b"id3 ", b"\x7f" * 333)]
    assert np.array_equal(read_samples(wav(riff(*plain, *after))), HEARD16)


def test_an_odd_number_of_bytes_is_padded() -> None:
    data = bytes(range(101))
    heard = read_samples(wav(riff(fmt(PCM, 1, 8000, 8), chunk(b"data", data), chunk(b"LIST", b"\xff" * 500))))
    assert np.array_equal(heard, (np.arange(101, dtype=np.float32) - 128) / 128)


def test_chunks_after_the_data_of_an_rf64_are_not_heard() -> None:
    sizes = struct.pack("<QQQI", 0, len(PCM16), len(SOUND), 0)
    content = riff(
        chunk(b"ds64", sizes), FMT16, chunk(b"data", PCM16, UNKNOWN_SIZE), chunk(b"LIST", b"\x7f" * 500), form=b"RF64"
    )
    assert np.array_equal(read_samples(wav(content)), HEARD16)


@pytest.mark.parametrize("sizes", [[1], [3, 1, 4, 1, 5], [11, 997], [4096]])
@pytest.mark.parametrize("encoding", ["u8", "s24le", "f32le"])
def test_short_reads_lose_nothing(encoding: str, sizes: list[int]) -> None:
    samples = noise(6000, 5, 0.9).reshape(-1, 2)
    content = encode(samples, 8000, "WAV", SUBTYPES[encoding])
    assert np.array_equal(read_samples(WavSource(ShortReadStream(content, sizes), "pipe")), to_mono(decode(content)))
    values = content[-6000 * BITS[encoding] // 8 :]
    raw = PcmSource(ShortReadStream(values, sizes), "raw", encoding, 8000, 2)
    assert np.array_equal(read_samples(raw), to_mono(decode(content)))


@pytest.mark.parametrize("cut", [1, 2, 3, 5])
def test_a_partial_last_frame_is_left_out(cut: int) -> None:
    values = noise(200).reshape(-1, 2).astype("<f4").tobytes()
    heard = read_samples(PcmSource(io.BytesIO(values[:-cut]), "raw", "f32le", 8000, 2))
    assert np.array_equal(heard, to_mono(noise(200).reshape(-1, 2))[:-1])


def test_a_stream_that_ends_early_is_told(caplog: pytest.LogCaptureFixture) -> None:
    content = riff(FMT16, chunk(b"data", PCM16, len(PCM16) + 16000))
    assert np.array_equal(read_samples(wav(content)), HEARD16)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.messages == ["pipe: ends early, 1.0 s before the length in its header"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no data"),
        (b"RIF", "the WAV header ends early"),
        (b"RIFF\0\0\0\0WAVE", "no data"),
        (b"ID3\4 certainly no wav", "not a WAV (raw PCM needs --raw ENCODING:RATE:CHANNELS)"),
        (riff(FMT16)[:-3], "the WAV header ends early"),
        (riff(chunk(b"fmt ", bytes(15))), "damaged WAV: a fmt chunk of 15 bytes"),
        (riff(chunk(b"fmt ", b"", 0xFFFFFFFF)), "damaged WAV: a fmt chunk of 4294967295 bytes"),
        (riff(chunk(b"LIST", b"", 0xFFFFFFFF)), "damaged WAV: no fmt chunk near its start"),
        (riff(FMT16, chunk(b"LIST", b"", 0x7FFFFFFF)), "damaged WAV: no data chunk near its start"),
        (riff(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 2, 8000, 0, 3, 16))), "2 channels of 16 bits in 3 bytes"),
        (riff(fmt(7, 1, 8000, 8), chunk(b"data", b"x")), "WAV encoding 7 with 8 bits is not supported on a pipe"),
        (riff(fmt(PCM, 1, 8000, 12), chunk(b"data", b"x")), "WAV encoding 1 with 12 bits"),
        (riff(fmt(PCM, 0, 8000, 16), chunk(b"data", b"xx")), "0 channels are outside 1 to 1024"),
        (riff(fmt(PCM, 2000, 8000, 16), chunk(b"data", b"xx")), "2000 channels are outside 1 to 1024"),
        (riff(fmt(PCM, 1, 0, 16), chunk(b"data", b"xx")), "a rate of 0 Hz is outside 1000 to 1000000"),
        (riff(fmt(PCM, 1, 4_000_000_000, 16), chunk(b"data", b"xx")), "a rate of 4000000000 Hz is outside"),
    ],
)
def test_a_damaged_header_is_refused_with_its_reason(content: bytes, reason: str) -> None:
    assert reason in refused(content)


class Endless(io.RawIOBase):
    """A header, then zeros for ever."""

    def __init__(self, header: bytes) -> None:
        self._header, self.given = io.BytesIO(header), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        assert self.given < 4 << 20, "reads on for ever"
        data = self._header.read(len(buffer)) or bytes(len(buffer))
        buffer[: len(data)] = data
        self.given += len(data)
        return len(data)


@pytest.mark.parametrize("header", [b"RIFF\0\0\0\0WAVE", riff(FMT16)])
def test_an_endless_header_is_given_up(header: bytes) -> None:
    with pytest.raises(AudioError, match="damaged WAV"):
        WavSource(io.BufferedReader(Endless(header)), "pipe")


def peak_of(source_bytes: bytes) -> int:
    """Bytes that reading a pipe takes at its worst; audio and AudioError are both fine."""
    tracemalloc.start()
    try:
        # Buffered, as standard input is: that reader allocates all that it is asked for.
        for _ in WavSource(io.BufferedReader(ShortReadStream(source_bytes, [1 << 16])), "pipe").blocks():
            pass
    except AudioError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize(("channels", "rate", "bits"), [(64, 48000, 16), (1024, 8000, 16), (1023, 1_000_000, 64)])
def test_memory_is_small_whatever_the_header_says(channels: int, rate: int, bits: int) -> None:
    tag = FLOAT if bits == 64 else PCM
    content = riff(fmt(tag, channels, rate, bits), chunk(b"data", bytes(1 << 20), UNKNOWN_SIZE))
    assert peak_of(content) < 8 << 20


SOUND_WAV = encode(music(0.3, 8000), 8000, "WAV", "PCM_16")


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A sound WAV with some bytes changed, cut out or doubled, most of them in its header."""
    content = bytearray(SOUND_WAV)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, 60) | st.integers(0, len(content) - 1))
        new = draw(st.binary(max_size=6) | st.sampled_from([b"\xff" * 4, bytes(4), b"data", b"fmt ", b"\xfe\xff"]))
        content[at : at + draw(st.integers(0, 6))] = new
    return bytes(content)


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: b"RIFF0000WAVE" + tail) | mutated())
@example(riff(fmt(PCM, 1024, 1_000_000, 32), chunk(b"data", b"x", UNKNOWN_SIZE)))
def test_any_bytes_are_audio_or_an_audio_error(content: bytes) -> None:
    try:
        heard = read_samples(wav(content))
    except AudioError as error:
        assert str(error).startswith("pipe: ") and "\n" not in str(error)
    else:
        assert len(heard) <= len(content)


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=2000), encoding=st.sampled_from(RAW_ENCODINGS), channels=st.integers(1, 9))
def test_any_bytes_are_raw_samples(content: bytes, encoding: str, channels: int) -> None:
    heard = read_samples(PcmSource(io.BytesIO(content), "raw", encoding, 1000, channels))
    assert len(heard) == len(content) * 8 // BITS[encoding] // channels


@pytest.mark.parametrize("encoding", RAW_ENCODINGS)
def test_raw_is_understood(encoding: str) -> None:
    assert parse_raw(f"{encoding}:22050:1") == (encoding, 22050, 1)
    assert parse_raw(f"{encoding}:1000:1024") == (encoding, 1000, 1024)
    assert parse_raw(f"{encoding}:1000000:008") == (encoding, 1000000, 8)
    with open_pipe(io.BytesIO(bytes(64)), "-", f"{encoding}:8000:2") as source:
        assert (source.rate, source.channels, len(read_samples(source))) == (8000, 2, 32 * 8 // BITS[encoding])


NOT_RAW = ["s16le", "s16le:22050", "s16le:22050:1:1", "s16be:22050:1", "S16LE:22050:1", "s16le:22050:", "::", ""]
NOT_RAW += ["s16le:22050:0", "s16le:22050:1025", "s16le:0:1", "s16le:999:1", "s16le:1000001:1", "s16le:-8000:1"]
NOT_RAW += ["s16le:22050.0:1", "s16le:2e4:1", "s16le:²²⁰⁵⁰:1", "s16le:٢٢٠٥٠:1", "s16le:22_050:1", "s16le: 22050:1"]
NOT_RAW += ["s16le:22050:1 ", "s16le:" + "9" * 5000 + ":1", "s16le:22050:" + "1" * 5000]


@pytest.mark.parametrize("text", NOT_RAW, ids=range(len(NOT_RAW)))
def test_raw_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="--raw"):
        parse_raw(text)
