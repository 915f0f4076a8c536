"""FLAC: a wrong length, tags and damage cost nothing that can be decoded."""

import logging
from pathlib import Path

import numpy as np
import pytest

from genre_edge.audio import files, part_decoder
from genre_edge.audio.containers import flac
from genre_edge.audio.containers.flac_frames import StreamInfo
from genre_edge.audio.files import open_file
from tests.helpers.audio import encode, music, read_samples
from tests.helpers.flac import constant_frame, frame_header, stream_header

RATE, SECONDS = 22050, 8


@pytest.fixture(scope="module")
def content() -> bytes:
    return encode(music(SECONDS, RATE), RATE, "FLAC", "PCM_16")


@pytest.fixture(autouse=True)
def no_ffmpeg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All of this works without ffmpeg."""
    monkeypatch.setenv("PATH", str(tmp_path))


def decode(path: Path, content: bytes) -> np.ndarray:
    path.write_bytes(content)
    return read_samples(open_file(path))


def with_total(content: bytes, n_samples: int) -> bytes:
    """Return the file with another number of samples in its header (36 bits of STREAMINFO)."""
    changed = bytearray(content)
    changed[21] = changed[21] & 0xF0 | n_samples >> 32
    changed[22:26] = (n_samples & 0xFFFFFFFF).to_bytes(4, "big")
    return bytes(changed)


def decode_links(path: Path, content: bytes) -> list[np.ndarray]:
    """Return the samples of a file, joined as long as the rate is the same."""
    path.write_bytes(content)
    links: list[list[np.ndarray]] = []
    rate = 0
    with open_file(path) as source:
        for block in source.blocks():
            if block.rate != rate:
                links.append([])
            rate = block.rate
            links[-1].append(block.samples.copy())
    return [np.concatenate(link) for link in links]


def flip(content: bytes, at: int, bits: int = 1) -> bytes:
    changed = bytearray(content)
    changed[at] ^= bits
    return bytes(changed)


@pytest.mark.parametrize("n_samples", [0, 1, 4096, RATE, SECONDS * RATE])
def test_stale_total(tmp_path: Path, content: bytes, n_samples: int, caplog: pytest.LogCaptureFixture) -> None:
    """A header that declares fewer samples, or none, does not end the file."""
    expected = decode(tmp_path / "whole.flac", content)
    assert np.array_equal(decode(tmp_path / "x.flac", with_total(content, n_samples)), expected)
    assert len(expected) == SECONDS * RATE and not caplog.records


def test_total_too_large(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A header that declares more samples than there are causes a warning with both lengths."""
    assert len(decode(tmp_path / "x.flac", with_total(content, 10 * RATE))) == SECONDS * RATE
    assert [record.message for record in caplog.records] == [
        f"{tmp_path}/x.flac: the file is truncated; decoded 8.0 of 10.0 s"
    ]


@pytest.mark.parametrize("before", [b"", b"ID3\x04\0\0\0\0\x00\x10" + bytes(16)])
@pytest.mark.parametrize("after", [b"TAG" + bytes(125), b"APETAGEX\xd0\x07\0\0\x20" + bytes(19)])
def test_tags(tmp_path: Path, content: bytes, before: bytes, after: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Tags before and after the audio are neither audio nor a fault."""
    assert len(decode(tmp_path / "x.flac", before + content + after)) == SECONDS * RATE
    assert not caplog.records


@pytest.mark.parametrize("share", [0.1, 0.35, 0.5, 0.8, 0.99])
def test_truncated(tmp_path: Path, content: bytes, share: float, caplog: pytest.LogCaptureFixture) -> None:
    """A cut file is decoded up to its last whole frame, with one warning."""
    whole = decode(tmp_path / "whole.flac", content)
    samples = decode(tmp_path / "x.flac", content[: int(share * len(content))])
    assert len(samples) % 4096 == 0 and len(samples) > 0.5 * share * len(whole) - 4096
    assert np.array_equal(samples, whole[: len(samples)])
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.message.endswith(f"x.flac: the file is truncated; decoded {len(samples) / RATE:.1f} of 8.0 s")


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.9])
@pytest.mark.parametrize("n_places", [1, 3])
def test_damaged_frames(
    tmp_path: Path, content: bytes, share: float, n_places: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Damaged frames are lost, and only they: all others keep their samples and positions."""
    whole = decode(tmp_path / "whole.flac", content)
    changed = bytearray(content)
    for place in range(n_places):
        changed[int(share / (place + 1) * len(content))] ^= 0x20
    path = tmp_path / "x.flac"
    path.write_bytes(changed)
    with open_file(path) as source:
        blocks = list(source.blocks())
    for block in blocks:
        stop = block.position + len(block.samples)
        assert np.array_equal(block.samples, whole[block.position : stop])
    n_decoded = sum(len(block.samples) for block in blocks)
    assert len(whole) - 2 * n_places * 4096 <= n_decoded < len(whole)
    (record,) = caplog.records
    assert "x.flac: the file is damaged; decoded" in record.message


def test_damage_far_from_start(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of the search for the next frame counts from the damage, not from the start of the file."""
    monkeypatch.setattr("genre_edge.audio.containers.flac._MAX_SEARCH_BYTES", len(content) // 4)
    changed = bytearray(content)
    changed[len(content) * 6 // 10] ^= 0x20
    (tmp_path / "x.flac").write_bytes(changed)
    with open_file(tmp_path / "x.flac") as source:
        n_decoded = sum(len(block.samples) for block in source.blocks())
    assert n_decoded >= SECONDS * RATE - 2 * 4096


JUNK = [bytes(5), bytes(2000), bytes(1_100_000), b"TAG" + bytes(125) + bytes(3), b"some text\n" * 200, b"\xff" * 40]


@pytest.mark.parametrize("n_samples", [0, SECONDS * RATE])
@pytest.mark.parametrize("junk", JUNK, ids=["zeros", "2 kB", "1 MB", "tag and zeros", "text", "ones"])
def test_junk_behind_audio(
    tmp_path: Path, content: bytes, junk: bytes, n_samples: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Bytes of any kind behind a complete file are no fault, and cost no sample."""
    expected = decode(tmp_path / "whole.flac", content)
    assert np.array_equal(decode(tmp_path / "x.flac", with_total(content, n_samples) + junk), expected)
    assert not caplog.records


@pytest.mark.parametrize("n_samples", [0, 8 * RATE])
def test_silent_end(tmp_path: Path, n_samples: int, caplog: pytest.LogCaptureFixture) -> None:
    """The last frame may be shorter than the longest frame header."""
    silent = encode(np.concatenate([music(5, RATE), np.zeros(3 * RATE, np.float32)]), RATE, "FLAC", "PCM_16")
    assert len(decode(tmp_path / "x.flac", with_total(silent, n_samples))) == 8 * RATE and not caplog.records


@pytest.mark.parametrize("between", [b"", b"TAG" + bytes(125) + b"ID3\x04\0\0\0\0\x00\x10" + bytes(16), bytes(100)])
def test_joined(tmp_path: Path, content: bytes, between: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """All of the files that are joined end to end are decoded, whatever their rates and channels."""
    stereo = encode(np.stack([music(5, 44100, 1), music(5, 44100, 2)], axis=1), 44100, "FLAC", "PCM_24")
    expected = [decode(tmp_path / "one.flac", part) for part in (content, stereo, content)]
    links = decode_links(tmp_path / "x.flac", between.join([content, stereo, content]))
    assert [len(link) for link in links] == [8 * RATE, 5 * 44100, 8 * RATE]
    assert all(np.array_equal(*pair) for pair in zip(links, expected, strict=True)) and not caplog.records
    alike = decode_links(tmp_path / "x.flac", between.join([content, with_total(content, 0), content]))
    assert np.array_equal(np.concatenate(alike), np.tile(expected[0], 3)) and not caplog.records


@pytest.mark.parametrize("rate", [RATE, 16000])
@pytest.mark.parametrize("at", [0, 3, 7])
def test_joined_with_damaged_header(
    tmp_path: Path, content: bytes, at: int, rate: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A part whose header is damaged is decoded from its frames, which state their parameters."""
    other = encode(music(5, rate, 3), rate, "FLAC", "PCM_16")
    links = decode_links(tmp_path / "x.flac", content + flip(other, at) + content)
    n_samples = [8 * RATE, 5 * rate, 8 * RATE]
    assert [len(link) for link in links] == (n_samples if rate != RATE else [sum(n_samples)])
    assert [record.message for record in caplog.records] == [f"{tmp_path}/x.flac: the file is damaged; decoded 21.0 s"]


@pytest.mark.parametrize("rate", [RATE, 16000])
def test_joined_with_lost_header(tmp_path: Path, content: bytes, rate: int, caplog: pytest.LogCaptureFixture) -> None:
    """A part without its header and first frame is decoded from the next frame on."""
    other = encode(music(5, rate, 3), rate, "FLAC", "PCM_16")
    first_frame = other.index(b"\xff\xf8")
    links = decode_links(tmp_path / "x.flac", content + bytes(first_frame + 40) + other[first_frame + 40 :] + content)
    n_samples = [8 * RATE, 5 * rate - 4096, 8 * RATE]
    assert [len(link) for link in links] == (n_samples if rate != RATE else [sum(n_samples)])
    assert "x.flac: the file is damaged; decoded" in caplog.text


@pytest.mark.parametrize("n_bad", [0, 1, 2])
def test_joined_and_damaged(tmp_path: Path, content: bytes, n_bad: int, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged frame of one part costs itself, and nothing of the other parts."""
    parts = [encode(music(seconds, RATE, 3), RATE, "FLAC", "PCM_16") for seconds in (3, 8, 5)]
    parts[n_bad] = flip(parts[n_bad], len(parts[n_bad]) // 2)
    path = tmp_path / "x.flac"
    path.write_bytes(b"".join(parts))
    with open_file(path) as source:
        blocks = list(source.blocks())
    n_decoded = sum(len(block.samples) for block in blocks)
    assert 16 * RATE - 2 * 4096 <= n_decoded == 16 * RATE - sum(block.dropped for block in blocks) < 16 * RATE
    assert f"x.flac: the file is damaged; decoded {n_decoded / RATE:.1f} of 16.0 s" in caplog.text


@pytest.mark.parametrize("is_cut", [True, False])
def test_cut_part(tmp_path: Path, content: bytes, is_cut: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Only a file whose own end is missing is truncated."""
    parts = [content[: len(content) // 2], content]
    n_decoded = len(decode(tmp_path / "x.flac", b"".join(parts[::-1] if is_cut else parts)))
    assert 11 * RATE < n_decoded < 12.5 * RATE
    assert (
        f"the file is {'truncated' if is_cut else 'damaged'}; decoded {n_decoded / RATE:.1f} of 16.0 s" in caplog.text
    )


@pytest.mark.parametrize("within", ["last frame", "last bytes", "all"])
def test_damaged_end(tmp_path: Path, content: bytes, within: str, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged end is not called truncated."""
    last = content.rindex(b"\xff\xf8\x76")  # the only frame whose block size is stated in 16 bits
    changed = {
        "last frame": flip(content, last + 1, 0x40),
        "last bytes": content[:-6000] + bytes(6000),
        "all": content[: len(content) // 2] + bytes(len(content) // 2),
    }[within]
    samples = decode(tmp_path / "x.flac", changed)
    (record,) = caplog.records
    assert 0 < len(samples) < SECONDS * RATE and "x.flac: the file is damaged; decoded" in record.message


FALSE_HEADERS = [
    frame_header(20, block_size=4096, rate_code=6),
    frame_header(10_000, block_size=4096, rate_code=6),
    frame_header(30, block_size=4096, rate_code=6, sync=0xF9),
    frame_header(30, block_size=4096, rate_code=5),
]


@pytest.mark.parametrize("header", FALSE_HEADERS, ids=["later frame", "behind the end", "other blocking", "other rate"])
@pytest.mark.parametrize("n_samples", [0, SECONDS * RATE])
@pytest.mark.parametrize("share", [0.3, 0.98])
def test_false_frame_header(
    tmp_path: Path, content: bytes, share: float, n_samples: int, header: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Bytes that look like the header of a later frame cost the frame in which they lie, and no other."""
    at = int(share * len(content))
    changed = with_total(content, n_samples)[:at] + header + content[at + len(header) :]
    n_decoded = len(decode(tmp_path / "x.flac", changed))
    assert SECONDS * RATE - 2 * 4096 <= n_decoded < SECONDS * RATE
    (record,) = caplog.records
    assert "the file is damaged" in record.message


def test_small_blocks(tmp_path: Path) -> None:
    """Of frames that are shorter than a read, too, only the damaged ones are lost."""
    frames = [constant_frame(number, number) for number in range(1000)]
    for number in range(100, 1000, 100):
        frames[number] = flip(frames[number], -1)
    assert len(decode(tmp_path / "x.flac", stream_header(16_000) + b"".join(frames))) == 16 * (1000 - 9)


@pytest.mark.parametrize("n_samples", [0, 320_000])
def test_many_damaged_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_samples: int) -> None:
    """The number of decoders for one damaged file is limited."""
    n_opened = 0
    view = part_decoder.PartView

    def counted(*arguments: object) -> object:
        nonlocal n_opened
        n_opened += 1
        return view(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(part_decoder, "PartView", counted)
    monkeypatch.setattr(files, "MAX_RESUMES", 50)
    bad = flip(constant_frame(0, 5), -1)
    frames = [constant_frame(0, 5), *(bad[:4] + constant_frame(n, 5)[4:-1] + b"\0" for n in range(1, 20_000))]
    decode(tmp_path / "x.flac", stream_header(n_samples) + b"".join(frames))
    assert 10 < n_opened <= 52


def test_marker_within_audio(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Samples that read like the header of a stream are samples."""
    noise = np.random.default_rng(0).integers(-30000, 30000, 5 * RATE).astype("<i2")
    marker = np.frombuffer(stream_header(320_000), ">i2")
    noise[40_000 : 40_000 + len(marker)] = marker
    content = encode(noise.astype(np.float32) / 32768, RATE, "FLAC", "PCM_16")
    assert stream_header(320_000) in content  # noise is not compressed
    assert len(decode(tmp_path / "x.flac", content)) == 5 * RATE and not caplog.records


def test_declared_frame_size_too_large() -> None:
    """A frame size that no frame can have is not searched."""
    content = bytearray(stream_header()[8:])
    for declared, expected in ((0, 128), (50, 50), (0xFFFFFF, 128)):
        content[7:10] = declared.to_bytes(3, "big")
        assert StreamInfo(bytes(content)).max_frame_bytes == expected  # 16 samples, 16 bits, mono


def test_many_false_streams(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of places where a stream without a header is searched is limited."""
    n_tried = 0
    parsed = flac.find_streams

    def counted(*arguments: object) -> object:
        nonlocal n_tried
        for found in parsed(*arguments):  # type: ignore[arg-type]
            n_tried += 1
            yield found

    monkeypatch.setattr(flac, "find_streams", counted)
    false = [frame_header(5, block_size=16 + size, rate_code=6) for size in range(300)]
    assert len(decode(tmp_path / "x.flac", content + b"fLaX" + b"".join(false))) == SECONDS * RATE
    assert 0 < n_tried <= 101
