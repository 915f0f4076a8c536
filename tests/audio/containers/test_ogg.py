"""Ogg: all links of a chained file are decoded, and a missing end is reported."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from genre_edge.audio import files
from genre_edge.audio.containers import ogg as ogg_files
from genre_edge.audio.containers import ogg_link
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


def page_starts(content: bytes) -> list[int]:
    return [match.start() for match in re.finditer(b"OggS", content)]


def overwrite(content: bytes, start: int, end: int) -> bytes:
    return content[:start] + bytes(end - start) + content[end:]


FIELDS = {"capture": 1, "version": 4, "flags": 5, "granule": 9, "serial": 15, "checksum": 23, "size": 27, "codec": 36}


@pytest.mark.parametrize("at", FIELDS.values(), ids=FIELDS)
@pytest.mark.parametrize("n_link", [0, 1, 2])
@pytest.mark.parametrize("case", [CASES[0], CASES[2]])
def test_damaged_first_page_of_link(
    tmp_path: Path, case: Case, n_link: int, at: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong byte in the first page of a link costs no sample, wherever it is; a warning names the damage."""
    links = [ogg(case, 1, 0), ogg(case, 2, 5), ogg(case, 1, 9)]
    (tmp_path / "whole.ogg").write_bytes(b"".join(links))
    links[n_link] = flip(links[n_link], at)
    (tmp_path / "x.ogg").write_bytes(b"".join(links))
    whole, samples = (read_samples(open_file(tmp_path / name)) for name in ("whole.ogg", "x.ogg"))
    assert np.array_equal(samples, whole)
    (record,) = caplog.records
    assert record.message == f"{tmp_path}/x.ogg: the file has damaged pages; decoded 4.0 s"


def flip(content: bytes, at: int, bits: int = 0x11) -> bytes:
    return content[:at] + bytes([content[at] ^ bits]) + content[at + 1 :]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_wrong_byte_in_page(tmp_path: Path, case: Case, share: float, caplog: pytest.LogCaptureFixture) -> None:
    """One wrong byte of a page is corrected, so that no sample is lost."""
    content = ogg(case, 4)
    (tmp_path / "whole.ogg").write_bytes(content)
    (tmp_path / "x.ogg").write_bytes(flip(content, int(share * len(content))))
    whole, samples = (read_samples(open_file(tmp_path / name)) for name in ("whole.ogg", "x.ogg"))
    assert np.array_equal(samples, whole)
    assert [record.message for record in caplog.records] == [
        f"{tmp_path}/x.ogg: the file has damaged pages; decoded 4.0 s"
    ]


@pytest.mark.parametrize("case", [CASES[0], CASES[2]])
@pytest.mark.parametrize("n_link", [0, 1, 2])
def test_lost_first_page_of_link(tmp_path: Path, case: Case, n_link: int, caplog: pytest.LogCaptureFixture) -> None:
    """A link without its first page is decoded with that of another link, which has the same parameters."""
    links = [ogg(case, 1, 0), ogg(case, 2, 5), ogg(case, 1, 9)]
    (tmp_path / "whole.ogg").write_bytes(b"".join(links))
    links[n_link] = overwrite(links[n_link], 0, page_starts(links[n_link])[1])
    (tmp_path / "x.ogg").write_bytes(b"".join(links))
    whole, samples = (read_samples(open_file(tmp_path / name)) for name in ("whole.ogg", "x.ogg"))
    assert np.array_equal(samples, whole)
    problem = "has damaged pages" if n_link else "begins within a stream"
    assert f"x.ogg: the file {problem}; decoded 4.0 s" in caplog.text


@pytest.mark.parametrize("has_ffmpeg", [True, False])
@pytest.mark.parametrize("n_lost", [1, 2])
def test_lost_headers_of_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_lost: int, has_ffmpeg: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A link of Vorbis without headers is lost, the others are not; the warning says how much is missing."""
    if not has_ffmpeg:
        monkeypatch.setenv("PATH", str(tmp_path))
    other = ogg(CASES[1], 3, 5)
    second = overwrite(other, 0, page_starts(other)[n_lost])
    seconds, rates = decode(tmp_path / "x.ogg", ogg(CASES[0], 2) + second + ogg(CASES[0], 4, 9))
    assert seconds == pytest.approx(6, abs=0.02) and rates == {22050}
    (record,) = caplog.records
    assert "x.ogg: the file is damaged; decoded 6.0 of " in record.message and "ffmpeg" not in record.message


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("n_links", [1, 2])
@pytest.mark.parametrize("is_within_page", [True, False])
def test_begins_within_link(
    tmp_path: Path, case: Case, n_links: int, is_within_page: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that begins within a link is decoded from the next link on, or at once if it is Opus; with a warning."""
    first = ogg(case, 6)
    start = page_starts(first)[-3] + (500 if is_within_page else 0)
    links = [ogg(case, 2, 5), ogg(case, 3, 9)][:n_links]
    seconds, _ = decode(tmp_path / "x.ogg", first[start:] + b"".join(links))
    expected = 2 if n_links == 1 else 5
    if case[0] == "OPUS":
        assert expected + 0.4 < seconds < expected + 4
    else:
        assert seconds == pytest.approx(expected, abs=0.02)
    (record,) = caplog.records
    assert f"decoded {seconds:.1f} " in record.message
    assert "x.ogg: the file begins within a stream" in record.message or "is damaged; decoded" in record.message


@pytest.mark.parametrize("before", [b"", b"ID3\x04\0\0\0\0\x00\x10" + bytes(16)])
@pytest.mark.parametrize("after", [b"", b"TAG" + bytes(125)])
def test_tags(tmp_path: Path, before: bytes, after: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Tags around the pages are no fault."""
    seconds, _ = decode(tmp_path / "x.ogg", before + ogg(CASES[0], 2) + after)
    assert seconds == pytest.approx(2, abs=0.02) and not caplog.records


def test_page_that_looks_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged page whose size is beyond the end of the file does not end it."""
    first = ogg(CASES[0], 2)
    content = bytearray(first + ogg(CASES[0], 1, 5) + ogg(CASES[0], 1, 9))
    at = page_starts(first)[2]
    content[at + 27 : at + 27 + content[at + 26]] = b"\xff" * content[at + 26]
    content[at + 26] = 255
    seconds, _ = decode(tmp_path / "x.ogg", bytes(content))
    assert 2 <= seconds < 4.01
    assert "damaged" in caplog.text


@pytest.mark.parametrize("n_links", [1, 3])
def test_no_second_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_links: int, caplog: pytest.LogCaptureFixture
) -> None:
    """No other decoder is started for damaged pages, which none can decode."""

    def fail(*arguments: object) -> None:
        raise AssertionError("ffmpeg is started")

    monkeypatch.setattr(files, "FfmpegFile", fail)
    content = ogg(CASES[0], 6)
    at = page_starts(content)[4] + 1000
    links = [overwrite(content, at, at + 200), *[ogg(CASES[0], 2, 9)] * (n_links - 1)]
    seconds, _ = decode(tmp_path / "x.ogg", b"".join(links))
    assert 4 < seconds - 2 * (n_links - 1) < 5.7
    assert f"the file is damaged; decoded {seconds:.1f} of {6 + 2 * (n_links - 1)}.0 s" in caplog.text


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_link_that_needs_ffmpeg(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A link in a codec that libsndfile does not support is decoded by ffmpeg, and costs no other link."""
    encode_flac = ["ffmpeg", "-v", "error", "-i", "pipe:", "-c:a", "flac", "-f", "ogg", "pipe:"]
    wav = encode(music(3, 44100), 44100, "WAV", "PCM_16")
    foreign = subprocess.run(encode_flac, input=wav, capture_output=True, check=True).stdout
    first, last = ogg(CASES[0], 2), ogg(CASES[2], 4)
    assert decode(tmp_path / "x.ogg", first + foreign + last) == (pytest.approx(9, abs=0.05), {22050, 44100, 48000})
    assert not caplog.records


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
    at = damaged.index(b"\x05vorbis") + 30  # the codebooks
    damaged[at : at + 40] = bytes(40)
    links[n_link] = bytes(damaged)
    seconds, _ = decode(tmp_path / "x.ogg", b"".join(links))
    assert seconds == pytest.approx(6, abs=0.05)
    (record,) = caplog.records
    assert f"damaged; decoded {seconds:.1f} of 8.0 s" in record.message


def test_many_opus_links(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The samples that Opus decoders drop at the start of each link do not add up to a loss."""
    seconds, rates = decode(tmp_path / "x.opus", ogg(CASES[2], 1) * 60)
    assert seconds == pytest.approx(60, abs=0.1) and rates == {48000} and not caplog.records


def test_more_links_than_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A file of very many links, which was made to cost time and memory, is decoded up to a limit."""
    monkeypatch.setattr(ogg_files, "_MAX_LINKS", 3)
    seconds, _ = decode(tmp_path / "x.ogg", ogg(CASES[0], 1) * 3)
    assert seconds == pytest.approx(3, abs=0.02) and not caplog.records
    decode(tmp_path / "x.ogg", ogg(CASES[0], 1) * 6)
    assert "x.ogg: the file has more than 3 parts; the rest is not decoded; decoded 3." in caplog.text


def test_many_links_without_first_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The headers of a link are read once, however many links have lost theirs, and copied up to a limit."""
    n_read = 0
    read = ogg_link._read

    def counted(descriptor: int, page: ogg_link.Page) -> bytes:
        nonlocal n_read
        n_read += 1
        return read(descriptor, page)

    monkeypatch.setattr(ogg_link, "_read", counted)
    whole, other = ogg(CASES[0], 1), ogg(CASES[0], 1, 5)
    headless = overwrite(other, 0, page_starts(other)[1])
    content = (whole + headless) * 20
    seconds, _ = decode(tmp_path / "x.ogg", content)
    assert seconds == pytest.approx(40, abs=0.1) and 40 <= n_read <= 200
    monkeypatch.setattr(ogg_link, "_MAX_RECOVERED_BYTES", 300)  # five first pages
    seconds, _ = decode(tmp_path / "x.ogg", content)
    assert seconds == pytest.approx(25, abs=0.1)
