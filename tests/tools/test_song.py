"""tools.make_song: the shipped song is reproducible and small."""

from pathlib import Path

import numpy as np
import pytest

from tools import make_song

pytestmark = pytest.mark.slow


def test_synthesise_matches_shipped_song(song: Path, song_samples: np.ndarray) -> None:
    """The synthesised samples are close to the decoded demo/song.ogg."""
    samples = make_song.synthesise()
    assert samples.dtype == np.float32 and np.abs(samples).max() <= 0.9
    assert len(samples) == len(song_samples)
    assert np.corrcoef(samples, song_samples)[0, 1] > 0.99  # Vorbis is lossy, and sines differ by a bit between CPUs
    assert song.stat().st_size < 300_000


def test_main_writes_song_atomically(tmp_path: Path, song_samples: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program leaves one file, without temporary ones."""
    monkeypatch.setattr("sys.argv", ["make_song.py", "-o", str(tmp_path / "song.ogg")])
    monkeypatch.setattr(make_song, "synthesise", lambda: song_samples)
    make_song.main()
    assert [path.name for path in tmp_path.iterdir()] == ["song.ogg"]
