"""Ogg: all links of a chained file are decoded, and a missing end is reported."""

from pathlib import Path

import numpy as np
import pytest

from genre_edge.audio.files import open_file
from tests.helpers.audio import encode, music, read_samples

Case = tuple[str, int, int]  # subtype, rate, channels
CASES: list[Case] = [("VORBIS", 22050, 1), ("VORBIS", 44100, 2), ("OPUS", 48000, 1), ("OPUS", 48000, 2)]


def ogg(case: Case, seconds: float, seed: int = 0) -> bytes:
    subtype, rate, channels = case
    samples = np.stack([music(seconds, rate, seed + channel) for channel in range(channels)], axis=1)
    return encode(samples, rate, "OGG", subtype)


def decode(path: Path, content: bytes) -> tuple[float, set[int]]:
    """Return the decoded seconds and the rates of a file."""
    path.write_bytes(content)
    with open_file(path) as source:
        blocks = list(source.blocks())
    position = 0
    for before, block in zip([None, *blocks], blocks, strict=False):
        if before is not None and before.rate != block.rate:
            position = round(position * block.rate / before.rate)
        assert block.position == position
        position += len(block.samples)
    return sum(len(block.samples) / block.rate for block in blocks), {block.rate for block in blocks}


@pytest.mark.parametrize("second", CASES)
@pytest.mark.parametrize("first", CASES)
def test_chained_links(tmp_path: Path, first: Case, second: Case, caplog: pytest.LogCaptureFixture) -> None:
    """All links are decoded without a warning; codec, rate and channels may change between them."""
    content = ogg(first, 2, 0) + ogg(second, 3, 5) + ogg(first, 1, 9)
    seconds, rates = decode(tmp_path / "radio.ogg", content)
    assert seconds == pytest.approx(6, abs=0.02) and rates == {first[1], second[1]}
    assert not caplog.records


def test_links_decode_like_files(tmp_path: Path) -> None:
    """The samples of a link are those of the file that was appended."""
    contents = [ogg(CASES[0], 2, seed) for seed in (0, 7)]
    (tmp_path / "both.ogg").write_bytes(b"".join(contents))
    expected = []
    for content in contents:
        (tmp_path / "one.ogg").write_bytes(content)
        expected.append(read_samples(open_file(tmp_path / "one.ogg")))
    assert np.array_equal(read_samples(open_file(tmp_path / "both.ogg")), np.concatenate(expected))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("share", [0.4, 0.7, 0.95])
def test_truncated_file(tmp_path: Path, case: Case, share: float, caplog: pytest.LogCaptureFixture) -> None:
    """A cut file is decoded up to its end, with one warning."""
    content = ogg(case, 10)
    seconds, _ = decode(tmp_path / "x.ogg", content[: int(share * len(content))])
    assert 0.5 * share * 10 < seconds < 10
    (record,) = caplog.records
    assert f"decoded {seconds:.1f} " in record.message and str(tmp_path / "x.ogg") in record.message


def test_damaged_page(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A page with a wrong checksum is skipped; the warning says how much is missing."""
    content = bytearray(ogg(CASES[0], 10))
    content[len(content) // 2] ^= 0x10
    seconds, _ = decode(tmp_path / "x.ogg", bytes(content))
    assert 7 < seconds <= 10.01
    assert seconds > 9.7 or f"decoded {seconds:.1f} of 10.0 s" in caplog.text


@pytest.mark.parametrize("at", [0, 300])
def test_junk_between_links(tmp_path: Path, at: int, caplog: pytest.LogCaptureFixture) -> None:
    """Bytes that are no pages do not end the file."""
    junk = bytes(range(256)) * 5
    seconds, _ = decode(tmp_path / "x.ogg", ogg(CASES[0], 2) + junk[: at * 4] + ogg(CASES[0], 2, 3))
    assert seconds == pytest.approx(4, abs=0.02)


def test_damaged_first_page_of_link(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A link that is lost with its damaged first page is not lost silently."""
    first = ogg(CASES[0], 2)
    content = bytearray(first + ogg(CASES[0], 3, 5) + ogg(CASES[0], 1, 9))
    content[len(first) + 35] ^= 1
    decode(tmp_path / "x.ogg", bytes(content))
    (record,) = caplog.records
    assert "x.ogg: the file has damaged pages; decoded" in record.message or "is damaged; decoded" in record.message


@pytest.mark.parametrize("has_ffmpeg", [True, False])
@pytest.mark.parametrize("n_link", [0, 1])
def test_link_with_damaged_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_link: int, has_ffmpeg: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A link that cannot be decoded costs itself: those behind it are decoded, and a warning says what is missing."""
    if not has_ffmpeg:
        monkeypatch.setenv("PATH", str(tmp_path))
    links = [ogg(CASES[0], 2, seed) for seed in range(4)]
    damaged = bytearray(links[n_link])
    damaged[damaged.index(b"\x05vorbis") + 30] ^= 0x10  # the codebooks
    links[n_link] = bytes(damaged)
    seconds, _ = decode(tmp_path / "x.ogg", b"".join(links))
    assert seconds >= 5.9
    (record,) = caplog.records
    assert f"damaged; decoded {seconds:.1f} of 8.0 s" in record.message


def test_many_opus_links(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The samples that Opus decoders drop at the start of each link do not add up to a loss."""
    seconds, rates = decode(tmp_path / "x.opus", ogg(CASES[2], 1) * 60)
    assert seconds == pytest.approx(60, abs=0.1) and rates == {48000} and not caplog.records
