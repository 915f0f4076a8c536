"""Excerpts of files: the samples are those of the whole file; files that need more than seeking are refused."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from genre_edge.audio.excerpts import ExcerptFile
from genre_edge.audio.files import open_file
from genre_edge.errors import AudioError
from tests.helpers.audio import music, read_samples

RATE = 22050
# libmpg123 starts behind a seek without the bits that earlier frames have saved up: the first frames differ
FORMATS = {"wav": 0.0, "flac": 0.0, "aiff": 0.0, "ogg": 1e-4, "mp3": 0.02}


@pytest.mark.parametrize("suffix", FORMATS)
def test_excerpts_are_parts_of_the_file(suffix: str, tmp_path: Path) -> None:
    """Each block has the samples of its place, and says how many are dropped before it."""
    path = tmp_path / f"a.{suffix}"
    y = music(20, RATE)
    soundfile.write(path, np.stack([y, 0.5 * y], axis=1), RATE)
    whole = read_samples(open_file(path))
    with ExcerptFile.open(path) as file:  # type: ignore[union-attr]
        assert file.length_s == pytest.approx(len(whole) / RATE, abs=0.01) and (file.rate, file.channels) == (RATE, 2)
        blocks = list(file.source([0.0, 7.5, 12.0], 1.5).blocks())
    assert [block.position for block in blocks] == [0, round(7.5 * RATE), 12 * RATE]
    assert [block.dropped for block in blocks] == [0, 6 * RATE, 3 * RATE]
    for block in blocks:
        assert len(block.samples) == round(1.5 * RATE)
        difference = np.abs(block.samples - whole[block.position : block.position + len(block.samples)])
        assert np.median(difference) <= FORMATS[suffix] / 10 and np.mean(difference) <= FORMATS[suffix]


def test_excerpt_at_the_end(tmp_path: Path) -> None:
    """An excerpt beyond the end is shorter, or not there."""
    soundfile.write(tmp_path / "a.wav", music(2, RATE), RATE)
    with ExcerptFile.open(tmp_path / "a.wav") as file:  # type: ignore[union-attr]
        blocks = list(file.source([1.5, 3.0], 1.0).blocks())
    assert [len(block.samples) for block in blocks] == [RATE // 2]


def test_refused_files(tmp_path: Path) -> None:
    """Truncated and joined files are not excerpted, nor are those that libsndfile cannot decode."""
    soundfile.write(tmp_path / "a.wav", music(4, RATE), RATE)
    content = (tmp_path / "a.wav").read_bytes()
    for name, data in {"cut": content[:-40000], "text": b"no audio" * 100}.items():
        (tmp_path / f"{name}.wav").write_bytes(data)
        assert ExcerptFile.open(tmp_path / f"{name}.wav") is None
    soundfile.write(tmp_path / "a.ogg", music(4, RATE), RATE)
    (tmp_path / "joined.ogg").write_bytes(2 * (tmp_path / "a.ogg").read_bytes())
    assert ExcerptFile.open(tmp_path / "joined.ogg") is None
    with pytest.raises(AudioError, match=r"none\.wav: No such file"):
        ExcerptFile.open(tmp_path / "none.wav")


@pytest.mark.parametrize("damage", ["zeros", "noise", "cut"])
@pytest.mark.parametrize("channels", [1, 2])
def test_damaged_flac_is_refused(damage: str, channels: int, tmp_path: Path) -> None:
    """A FLAC with damage anywhere between its frames is decoded as a whole, which gives the warning."""
    path = tmp_path / "a.flac"
    soundfile.write(path, np.stack([music(20, RATE)] * channels, axis=1), RATE)
    content = path.read_bytes()
    with ExcerptFile.open(path) as file:  # type: ignore[union-attr]
        assert file.length_s == 20.0
    start, end = len(content) // 2, len(content) * 6 // 10
    noise = np.random.default_rng(0).bytes(end - start)
    path.write_bytes(content[:start] + {"zeros": bytes(end - start), "noise": noise, "cut": b""}[damage] + content[end:])
    assert ExcerptFile.open(path) is None
