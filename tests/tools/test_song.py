"""The shipped song is what its program makes, and small."""

from pathlib import Path

import numpy as np

from tools import make_song


def test_the_file_is_what_the_program_makes(song: Path, song_samples: np.ndarray) -> None:
    made = make_song.synthesise()
    assert made.dtype == np.float32 and np.abs(made).max() <= 0.9
    assert len(made) == len(song_samples)
    assert np.corrcoef(made, song_samples)[0, 1] > 0.99  # Vorbis is lossy, and sines differ by a bit between CPUs
    assert song.stat().st_size < 300_000


def test_it_is_made_whole_or_not_at_all(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["make_song.py", "-o", str(tmp_path / "song.ogg")])
    make_song.main()
    assert [path.name for path in tmp_path.iterdir()] == ["song.ogg"]
