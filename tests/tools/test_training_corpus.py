"""tools/training/corpus.py with a teacher whose output is the mean of its input."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from genre_edge.mel.spectrogram import MelSpectrogram
from tools.training import corpus, teacher
from tools.training.data import ARCHIVE_MEL


def mean_of(patches: np.ndarray) -> np.ndarray:
    assert patches.shape[1:] == (teacher.PATCH_FRAMES, teacher.MEL.n_mels)
    return patches.mean(axis=(1, 2))[:, None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "music" / "deep").mkdir(parents=True)
    for name, seconds in (("long.wav", 9), ("deep/short.flac", 2), ("brief.wav", 0.5)):
        soundfile.write(tmp_path / "music" / name, 0.2 * rng.standard_normal((int(seconds * 22050), 2)), 22050)
    (tmp_path / "music" / "damaged.ogg").write_text("not audio")
    return tmp_path / "music"


def test_readable_audio(folder: Path) -> None:
    """Only readable files of the minimum duration are returned."""
    assert [path.name for path in corpus.readable_audio([folder], 1.0)] == ["short.flac", "long.wav"]
    assert [path.name for path in corpus.readable_audio([folder], 5.0)] == ["long.wav"]
    with pytest.raises(SystemExit, match="no audio of 60 s or more"):
        corpus.readable_audio([folder], 60.0)


def test_load_oversampled_frames(folder: Path) -> None:
    """Every fourth stored frame is a frame of the front end."""
    y, frames = corpus.load(folder / "long.wav", ARCHIVE_MEL)
    exact = MelSpectrogram(ARCHIVE_MEL).db(np.ascontiguousarray(y))
    np.testing.assert_allclose(frames[:, :: corpus.OVERSAMPLING], exact, atol=0.05)  # half precision


def test_load_short_file(folder: Path) -> None:
    """A file that is too short for a patch is repeated."""
    y, frames = corpus.load(folder / "deep" / "short.flac", ARCHIVE_MEL)
    assert len(y) == 4 * 22050 and np.array_equal(y[: 2 * 22050], y[2 * 22050 :])
    assert frames.shape == (128, 1 + len(y) // (ARCHIVE_MEL.hop_length // corpus.OVERSAMPLING))


def test_load_songs_uses_cache(folder: Path, tmp_path: Path) -> None:
    """The second load is equal and does not call the teacher."""
    paths = corpus.readable_audio([folder], 1.0)
    songs = corpus.load_songs(paths, ARCHIVE_MEL, mean_of, tmp_path / "cache")

    def never(patches: np.ndarray) -> np.ndarray:
        raise AssertionError("the teacher was called although its targets are cached")

    again = corpus.load_songs(paths, ARCHIVE_MEL, never, tmp_path / "cache")
    for song, same in zip(songs, again, strict=True):
        assert song.name == same.name and np.array_equal(song.frames, same.frames)
        assert np.array_equal(song.targets, same.targets)
        assert len(song.starts) == len(song.targets) <= corpus.MAX_PATCHES


def test_load_songs_damaged_file(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that fails while it is read is reported and skipped."""
    real = corpus.load

    def load(path: Path, mel: object) -> tuple[np.ndarray, np.ndarray]:
        if path.name == "long.wav":
            raise soundfile.LibsndfileError(1)
        return real(path, ARCHIVE_MEL)

    monkeypatch.setattr(corpus, "load", load)
    (song,) = corpus.load_songs(corpus.readable_audio([folder], 1.0), ARCHIVE_MEL, mean_of, tmp_path / "cache")
    assert song.name == "short"
    assert capsys.readouterr().err.splitlines()[0].startswith(f"skipped: {folder / 'long.wav'}: ")


def test_song_starts(folder: Path, tmp_path: Path) -> None:
    """Starts are the oversampled frames where the teacher's patches begin, up to the end of the file."""
    (song,) = corpus.load_songs([folder / "long.wav"], ARCHIVE_MEL, mean_of, tmp_path / "cache")
    frame_s = ARCHIVE_MEL.hop_length / corpus.OVERSAMPLING / ARCHIVE_MEL.sr
    patch_s = teacher.PATCH_FRAMES * teacher.MEL.hop_length / teacher.MEL.sr
    assert song.starts[0] == 0
    assert song.starts[-1] * frame_s + patch_s == pytest.approx(9, abs=0.1)
