"""tools/training/corpus.py with a teacher that says the mean of what it hears."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
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
    (tmp_path / "music" / "damaged.ogg").write_text("no sound")
    return tmp_path / "music"


def test_readable_audio_takes_what_can_be_read_and_lasts(folder: Path) -> None:
    assert [path.name for path in corpus.readable_audio([folder], 1.0)] == ["short.flac", "long.wav"]
    assert [path.name for path in corpus.readable_audio([folder], 5.0)] == ["long.wav"]
    with pytest.raises(SystemExit, match="no audio of 60 s or more"):
        corpus.readable_audio([folder], 60.0)


def test_every_fourth_frame_is_the_front_ends(folder: Path) -> None:
    y, frames = corpus.load(folder / "long.wav", ARCHIVE_MEL)
    exact = MelSpectrogram(ARCHIVE_MEL).db(np.ascontiguousarray(y))
    np.testing.assert_allclose(frames[:, :: corpus.FINE], exact, atol=0.05)  # half precision


def test_a_short_song_is_repeated_to_fill_a_patch(folder: Path) -> None:
    y, frames = corpus.load(folder / "deep" / "short.flac", ARCHIVE_MEL)
    assert len(y) == 4 * 22050 and np.array_equal(y[: 2 * 22050], y[2 * 22050 :])
    assert frames.shape == (128, 1 + len(y) // (ARCHIVE_MEL.hop_length // corpus.FINE))


def test_songs_are_heard_once(folder: Path, tmp_path: Path) -> None:
    paths = corpus.readable_audio([folder], 1.0)
    heard = corpus.songs(paths, ARCHIVE_MEL, mean_of, tmp_path / "cache")

    def never(patches: np.ndarray) -> np.ndarray:
        raise AssertionError("it was heard before")

    again = corpus.songs(paths, ARCHIVE_MEL, never, tmp_path / "cache")
    for song, same in zip(heard, again, strict=True):
        assert song.name == same.name and np.array_equal(song.frames, same.frames)
        assert np.array_equal(song.targets, same.targets)
        assert len(song.starts) == len(song.targets) <= corpus.MOST_PATCHES


def test_a_file_that_breaks_off_is_named_and_skipped(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = corpus.load

    def load(path: Path, mel: object) -> tuple[np.ndarray, np.ndarray]:
        if path.name == "long.wav":
            raise soundfile.LibsndfileError(1)
        return real(path, ARCHIVE_MEL)

    monkeypatch.setattr(corpus, "load", load)
    (song,) = corpus.songs(corpus.readable_audio([folder], 1.0), ARCHIVE_MEL, mean_of, tmp_path / "cache")
    assert song.name == "short"
    assert capsys.readouterr().err.splitlines()[0].startswith(f"skipped: {folder / 'long.wav'}: ")


def test_a_start_names_the_frame_where_the_teachers_patch_begins(folder: Path, tmp_path: Path) -> None:
    (song,) = corpus.songs([folder / "long.wav"], ARCHIVE_MEL, mean_of, tmp_path / "cache")
    frame_s = ARCHIVE_MEL.hop_length / corpus.FINE / ARCHIVE_MEL.sr
    patch_s = teacher.PATCH_FRAMES * teacher.MEL.hop_length / teacher.MEL.sr
    assert song.starts[0] == 0
    assert song.starts[-1] * frame_s + patch_s == pytest.approx(9, abs=0.1)
