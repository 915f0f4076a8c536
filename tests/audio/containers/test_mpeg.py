"""MPEG audio: all frames of a file are decoded, whatever its index says and wherever its frames start."""

import itertools
import logging
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genre_edge.audio.containers import mpeg
from genre_edge.audio.containers.tags import after_id3v2
from genre_edge.audio.files import open_file
from tests.helpers.audio import encode, music, noise, read_samples

RATE = 22050
TOLERANCE = 0.1 * RATE  # samples: the encoder's delay and padding


def mp3(seconds: float, rate: int = RATE, channels: int = 1, bitrate_mode: str = "CONSTANT") -> bytes:
    """Return an mp3 with an index: quiet music, then noise, which a variable bit rate encodes in larger frames."""
    n = round(seconds * rate / 2)
    mono = np.concatenate([0.001 * music(seconds / 2, rate), noise(n, 0, 0.5)])
    path = Path("x.mp3")
    with soundfile.SoundFile(path, "w", rate, channels, format="MP3", bitrate_mode=bitrate_mode) as file:
        file.write(np.stack(channels * [mono], axis=1))
    return path.read_bytes()


def without_index(content: bytes) -> bytes:
    """Remove the first frame, which holds the index."""
    return content[content.index(content[:2], 4) :]


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def decoded(content: bytes, name: str = "song.mp3") -> np.ndarray:
    Path(name).write_bytes(content)
    return read_samples(open_file(name))


ID3V2 = b"ID3\x04\0\0\0\0\x02\x10" + b"TIT2" + bytes(268)
ID3V1 = b"TAG" + b"title".ljust(125)
APE = b"APETAGEX" + (2000).to_bytes(4, "little") + (32).to_bytes(4, "little") + bytes(16)


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("has_index", [True, False])
@pytest.mark.parametrize(("before", "after"), [(b"", b""), (ID3V2, b""), (b"", ID3V1), (ID3V2, APE + ID3V1)])
def test_complete_file_has_no_warning(
    mode: str, has_index: bool, before: bytes, after: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A complete file is decoded whole without a warning, with or without an index and tags."""
    content = mp3(8, bitrate_mode=mode)
    samples = decoded(before + (content if has_index else without_index(content)) + after)
    assert len(samples) == pytest.approx(8 * RATE, abs=TOLERANCE)
    assert not caplog.records


def test_index_synthesis_keeps_samples() -> None:
    """A file whose index is missing decodes to the same samples as with libsndfile's own decoder of all its frames."""
    content = mp3(8, bitrate_mode="VARIABLE")
    samples, whole = decoded(without_index(content)), decoded(content)
    lag = len(samples) - len(whole)  # the index says how many samples the encoder added
    best = min(range(max(lag, 0) + 1), key=lambda at: float(np.abs(samples[at : at + 4000] - whole[:4000]).sum()))
    n = min(len(samples) - best, len(whole)) - 3000
    np.testing.assert_allclose(samples[best : best + n], whole[:n], atol=1e-4)


def test_stale_index(caplog: pytest.LogCaptureFixture) -> None:
    """An index with too few frames does not end the file."""
    content = bytearray(mp3(8))
    at = next(content.index(tag) for tag in (b"Xing", b"Info") if tag in content[:200])
    content[at + 8 : at + 12] = (20).to_bytes(4, "big")
    assert len(decoded(bytes(content))) == pytest.approx(8 * RATE, abs=TOLERANCE)
    assert not caplog.records


def test_truncated_file_with_index(caplog: pytest.LogCaptureFixture) -> None:
    """The warning has the length that was decoded and the length in the index."""
    content = mp3(8)
    samples = decoded(content[: len(content) // 2])
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    text = f"song.mp3: the file is truncated; decoded {len(samples) / RATE:.1f} of 8."
    assert record.message.startswith(text) and record.message.endswith(" s")


@pytest.mark.parametrize("n_cut", [1, 100, 207])
@pytest.mark.parametrize("before", [b"", ID3V2])
def test_clip_from_middle_of_frame(n_cut: int, before: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A clip that starts and ends within a frame, as cut out of a stream, is audio without a warning."""
    content = without_index(mp3(8))
    clip = content[len(content) // 4 :]
    clip = clip[clip.index(b"\xff\xf3") :]
    expected = len(decoded(clip))
    assert expected > 3 * RATE
    assert len(decoded(before + clip[n_cut:-n_cut])) == pytest.approx(
        expected, abs=5 * 576
    )  # the bits of the first frames are lost
    assert not caplog.records


@pytest.mark.parametrize("indexed", list(itertools.product([True, False], repeat=2)))
@pytest.mark.parametrize(("rate", "channels"), [(RATE, 1), (RATE, 2), (44100, 2)])
def test_joined_files(indexed: tuple[bool, bool], rate: int, channels: int, caplog: pytest.LogCaptureFixture) -> None:
    """Files joined end to end are all decoded; rate and channels may change, and tags may lie between them."""
    files = mp3(6), mp3(5, rate, channels)
    contents = [file if has_index else without_index(file) for file, has_index in zip(files, indexed, strict=True)]
    Path("joined.mp3").write_bytes(contents[0] + ID3V1 + ID3V2 + contents[1])
    with open_file("joined.mp3") as source:
        blocks = list(source.blocks())
    seconds = sum(len(block.samples) / block.rate for block in blocks)
    assert seconds == pytest.approx(11, abs=0.3) and not caplog.records
    assert {block.rate for block in blocks} == {RATE, rate}


def test_layer_2(caplog: pytest.LogCaptureFixture) -> None:
    """Frames of other layers are counted as well; libsndfile decodes them."""
    # header of layer II, version 1, 192 kbit/s, 44.1 kHz, mono: 626 or 627 bytes
    frames = b"".join(bytes([0xFF, 0xFD, 0xA0 | padding << 1, 0xC0]) + bytes(622 + padding) for padding in 50 * [0, 1])
    assert len(decoded(frames, "tone.mp2")) == pytest.approx(100 * 1152, abs=2304)
    assert not caplog.records


def test_text_with_sync_bits_is_no_audio() -> None:
    """A file with a few accidental headers is not taken for MPEG audio."""
    rng = np.random.default_rng(0)
    content = bytearray(rng.integers(0, 256, 100_000, dtype=np.uint8))
    frame = without_index(mp3(2))[:2000]
    content[5000:7000] = frame
    Path("x.bin").write_bytes(content)
    with pytest.raises(Exception, match=r"x\.bin: not an audio file that can be read"):
        open_file("x.bin")


def test_damaged_frame(caplog: pytest.LogCaptureFixture) -> None:
    """A few damaged bytes cost a fraction of a second."""
    content = bytearray(mp3(8))
    content[len(content) // 2 : len(content) // 2 + 300] = bytes(300)
    assert len(decoded(bytes(content))) == pytest.approx(8 * RATE, abs=0.3 * RATE)


@pytest.mark.parametrize("n_joined", [1, 2])
def test_damaged_stretch(n_joined: int, caplog: pytest.LogCaptureFixture) -> None:
    """A longer damaged stretch between frames is reported."""
    content = bytearray(without_index(mp3(8)))
    content[len(content) // 2 : len(content) // 2 + 8000] = bytes(8000)
    decoded(bytes(content) * n_joined)
    (record,) = caplog.records
    assert "song.mp3: the file has damaged frames; decoded " in record.message


def test_large_tags_between_files(caplog: pytest.LogCaptureFixture) -> None:
    """Tags with a picture between joined files are no damage, nor is a cut frame before them."""
    picture = b"ID3\x04\0\0\0\x02\0\0" + bytes(1 << 15)
    for end in (b"", b"\x55" * 300, ID3V1, APE):
        assert len(decoded(without_index(mp3(2)) + end + picture + without_index(mp3(2)))) > 3.8 * RATE
    assert not caplog.records


def test_wav_is_not_scanned(caplog: pytest.LogCaptureFixture) -> None:
    """PCM data of another container is never taken for frames."""
    assert len(decoded(encode(noise(RATE), RATE), "x.mp3")) == RATE


def test_index_counts_its_own_frame(caplog: pytest.LogCaptureFixture) -> None:
    """Some encoders count the frame of the index: such a file is complete."""
    content = bytearray(mp3(8))
    at = next(content.index(tag) for tag in (b"Xing", b"Info") if tag in content[:200])
    content[at + 8 : at + 12] = (int.from_bytes(content[at + 8 : at + 12], "big") + 1).to_bytes(4, "big")
    assert len(decoded(bytes(content))) == pytest.approx(8 * RATE, abs=TOLERANCE)
    assert not caplog.records


@pytest.mark.parametrize("rate", [8000, RATE, 44100])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_many_joined_files(rate: int, mode: str, caplog: pytest.LogCaptureFixture) -> None:
    """Of many files joined end to end, the length is exact: nothing is missing, and nothing is decoded twice."""
    content = mp3(1, rate, bitrate_mode=mode)
    assert len(decoded(20 * content)) == 20 * rate
    assert not caplog.records


def with_lame_tag(content: bytes, n_frames: int, delay: int, padding: int, name: bytes = b"L") -> bytes:
    """Change the index: the number of frames by `n_frames`; the encoder's delay, padding and first letter."""
    changed = bytearray(content)
    at = next(content.index(tag) for tag in (b"Xing", b"Info") if tag in content[:200])
    changed[at + 8 : at + 12] = (int.from_bytes(content[at + 8 : at + 12], "big") + n_frames).to_bytes(4, "big")
    changed[at + 120 : at + 121] = name
    changed[at + 141 : at + 144] = (delay << 12 | padding).to_bytes(3, "big")
    return bytes(changed)


@pytest.mark.parametrize("n_frames", [0, 1, -3])
@pytest.mark.parametrize(
    ("delay", "padding", "name"),
    [(576, 1000, b"L"), (0, 0, b"L"), (1105, 100, b"L"), (4095, 4095, b"L"), (576, 1000, b"\0")],
)
def test_length_with_delay_and_padding(n_frames: int, delay: int, padding: int, name: bytes) -> None:
    """The length of a file with any delay, padding and number of frames in its index is what libsndfile decodes."""
    content = with_lame_tag(mp3(3), n_frames, delay, padding, name)
    samples = decoded(content)
    with Path("song.mp3").open("rb") as file:
        layout = mpeg.scan(file.fileno(), len(content))
    assert layout is not None and layout.available_s == len(samples) / RATE


def test_many_clips_without_index(caplog: pytest.LogCaptureFixture) -> None:
    """Clips without an index, with other bytes between them, have no missing audio."""
    clip = without_index(mp3(2, 8000))[1000:-1000] + bytes(2000)
    assert len(decoded(30 * clip)) == 30 * len(decoded(clip)) and not caplog.records


def test_vbri_index(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A variable bit rate with a VBRI index, which libmpg123 does not read, is decoded whole without ffmpeg."""
    monkeypatch.setenv("PATH", "")
    content = mp3(8, bitrate_mode="VARIABLE")
    audio = without_index(content)
    n_frames = int.from_bytes(content[content.index(b"Xing") + 8 :][:4], "big")
    index = bytearray(content[: len(content) - len(audio)])
    index[4:] = bytes(len(index) - 4)
    index[36:54] = b"VBRI\0\1\0\0\0\0" + len(content).to_bytes(4, "big") + n_frames.to_bytes(4, "big")
    assert len(decoded(bytes(index) + audio)) == pytest.approx(8 * RATE, abs=TOLERANCE)
    assert not caplog.records


@pytest.mark.parametrize("rest", [b"\xff", b"\xff\xe0", b"\xff\xfb\x00", b"\xff\xfd\xf0\xff"])
def test_false_synchronisation_is_skipped(rest: bytes) -> None:
    """Bytes that no frame header holds are skipped at once, however many of them look like synchronisation bits."""
    content = without_index(mp3(2))
    Path("x.mp3").write_bytes(content + 1_000_000 * rest)
    with Path("x.mp3").open("rb") as file:
        frames = mpeg._Frames(file.fileno(), 0, os.fstat(file.fileno()).st_size)
        assert sum(header.length for _, _, header, _ in frames) == pytest.approx(len(content), abs=1000)
    assert frames.n_rejected < 20


@pytest.mark.parametrize("rest", [b"\xff", b"\0", b"junk"])
def test_other_bytes_after_audio(rest: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other bytes after the last frame cost no audio; ffmpeg, which needs memory for them, is not started."""
    monkeypatch.setenv("PATH", "")
    content = mp3(4)
    Path("song.mp3").write_bytes(content)
    with Path("song.mp3").open("rb") as file:
        offsets = [offset for offset, *_ in mpeg._Frames(file.fileno(), 0, len(content))]
    cut = content[: offsets[len(offsets) // 2]]
    whole = decoded(cut)
    assert len(whole) > RATE
    assert np.array_equal(decoded(cut + 1_000_000 // len(rest) * rest), whole)


def test_many_false_frames(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A file with too many headers that no frame follows is decoded up to there, with a warning that says so."""
    monkeypatch.setattr(mpeg, "_MAX_REJECTED", 100)
    content = without_index(mp3(4))
    whole = decoded(content)
    assert len(decoded(content + 1000 * b"\xff\xfb\x90\0" + bytes(2000) + content)) == pytest.approx(
        len(whole), abs=3000
    )
    (record,) = caplog.records
    assert record.message.startswith("song.mp3: the file has more than 100 false frames; the rest is not decoded; ")


def test_many_parts(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Of a file with too many parts, the first ones are decoded, and a warning says so."""
    monkeypatch.setattr(mpeg, "_MAX_RUNS", 5)
    content = mp3(1)
    assert len(decoded(5 * content)) == 5 * RATE and not caplog.records
    assert len(decoded(6 * content)) == 5 * RATE
    (record,) = caplog.records
    assert record.message == "song.mp3: the file has more than 5 parts; the rest is not decoded; decoded 5.0 s"


def test_many_leading_tags() -> None:
    """The search for the audio ends after many tags, so that a file of tags costs no time."""
    Path("x.mp3").write_bytes(100_000 * b"ID3\4\0\0\0\0\0\0")
    with Path("x.mp3").open("rb") as file:
        assert after_id3v2(file.fileno(), 0) == 10_000
