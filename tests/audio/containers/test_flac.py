"""FLAC: a wrong length, tags and damage cost nothing that can be decoded."""

import logging
from pathlib import Path

import numpy as np
import pytest

from genre_edge.audio.files import open_file
from tests.helpers.audio import encode, music, read_samples

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
