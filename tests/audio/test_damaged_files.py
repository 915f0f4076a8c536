"""Truncated and damaged audio files: decoded as far as possible with a warning, or one AudioError."""

import errno
import logging
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genre_edge.audio.files import open_file
from genre_edge.errors import AudioError
from tests.helpers.audio import decode, encode, music, naive_mono, noise, read_samples


def decode_truncated(path: Path, content: bytes, share: float) -> "np.ndarray | None":
    """Decode the first part of a file; return None for an error, checked to be one line."""
    path.write_bytes(content[: int(len(content) * share)])
    try:
        return read_samples(open_file(path))
    except AudioError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
        return None


@pytest.mark.parametrize(
    ("name", "format", "subtype"),
    [("x.wav", "WAV", "PCM_16"), ("x.flac", "FLAC", "PCM_16"), ("x.mp3", "MP3", None), ("x.aiff", "AIFF", "PCM_16")],
)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_truncated_file_is_decoded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, format: str, subtype: str | None, share: float
) -> None:
    """A truncated file is decoded up to its end, and a warning is logged."""
    content = encode(music(10, 22050), 22050, format, subtype)
    whole = naive_mono(decode(content))
    decoded = decode_truncated(tmp_path / name, content, share)
    assert decoded is not None
    n_valid = len(decoded) - (2304 if format == "MP3" else 0)  # the last two frames may be damaged
    assert 0.9 * share * len(whole) < n_valid < len(whole)
    np.testing.assert_allclose(decoded[:n_valid], whole[:n_valid], atol=1e-6)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "the file is truncated" in caplog.text and str(tmp_path / name) in caplog.text


@pytest.mark.parametrize("format", ["WAV", "FLAC", "MP3", "OGG", "AIFF"])
def test_damaged_file_never_crashes(tmp_path: Path, format: str) -> None:
    """A file that is cut or changed anywhere is audio or one AudioError."""
    rng = np.random.default_rng(0)
    content = encode(music(0.5, 22050), 22050, format)
    for n in [*range(0, 120, 3), *rng.integers(120, len(content), 20)]:
        decode_truncated(tmp_path / "cut", content, max(n, 1) / len(content))
    for _ in range(100):
        changed = bytearray(content)
        for at in rng.integers(0, min(len(content), 400), 4):
            changed[at] = rng.integers(256)
        decode_truncated(tmp_path / "changed", bytes(changed), 1)


def test_vbr_mp3_without_index(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A VBR mp3 without a Xing frame is decoded whole, or a warning is logged."""
    samples = np.concatenate([0.001 * music(4, 22050), noise(4 * 22050, 0, 0.5)])
    path = tmp_path / "x.mp3"
    with soundfile.SoundFile(path, "w", 22050, 1, format="MP3", bitrate_mode="VARIABLE") as file:
        file.write(samples)
    content = path.read_bytes()
    assert b"Xing" in content[:100]
    path.write_bytes(content[content.index(content[:2], 4) :])  # as old encoders, which wrote no Xing frame
    decoded = read_samples(open_file(path))
    assert len(decoded) > len(samples) - 3000 or str(path) in caplog.text


def test_damaged_file_without_audio(tmp_path: Path, caplog: pytest.LogCaptureFixture, song: Path) -> None:
    """A file whose audio is lost gives one error, and no warning besides."""
    content = song.read_bytes()
    second_page = content.index(b"OggS", 4)
    path = tmp_path / "x.ogg"
    path.write_bytes(content[: content.index(b"OggS", second_page + 4) + 20])  # the headers, and a part of the audio's
    with pytest.raises(AudioError):
        read_samples(open_file(path))
    assert not caplog.records


@pytest.mark.parametrize("format", ["WAV", "FLAC", "MP3", "OGG"])
def test_read_error_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    """A disk that fails while a file is scanned is one AudioError with the system's reason."""
    path = tmp_path / "x"
    path.write_bytes(encode(music(1, 22050), 22050, format))

    def fail(*arguments: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(AudioError) as caught:
        open_file(path)
    assert str(caught.value) == f"{path}: Input/output error"
