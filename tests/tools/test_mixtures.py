"""tools/mixtures.py: the demo song beside talk and noise keeps its genre or has none."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model.prediction import Model
from tests.helpers.training import run_main
from tools import mixtures

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")
OWN = "classical"


@pytest.fixture(scope="module")
def model() -> Model:
    return Model("edge")


def outcomes(model: Model, song: Path, sound: mixtures.Samples, share: int) -> set[tuple[str | None, str | None]]:
    """Return (genre by the earlier rule, genre) of the mixtures of one share of music."""
    mel, music = MelSpectrogram(model.bundle.mel), mixtures.load(song)[: 20 * mixtures.RATE]
    parts = [
        mixtures.patch_results(model, mel, samples)
        for kind, _, samples in mixtures.mixtures(music, sound, share)
        if kind == "part" or share >= 30  # `whole` is long otherwise
    ]
    return {(mixtures.genre_of_mean(model.bundle, part), mixtures.genre(model.bundle, part)) for part in parts}


def check(model: Model, song: Path, sound: mixtures.Samples) -> None:
    """Check that no share has a third genre; with exactly half of the music, a song may have its genre or none."""
    for share in mixtures.SHARES:
        found = outcomes(model, song, sound, share)
        genres = {genre for _, genre in found}
        assert genres <= ({OWN, None} if 0 < share <= 50 else {OWN} if share else {None}), share


@needs_espeak
@pytest.mark.parametrize(("voice", "speed"), [("en", 175), ("en+f3", 150)])
def test_mixtures_talk(model: Model, song: Path, voice: str, speed: int) -> None:
    """Talk in any share: the song's genre, or none."""
    check(model, song, mixtures.talk(voice, speed))


@pytest.mark.parametrize(("colour", "level_db"), [("white", -70), ("pink", -50), ("pink", -90)])
def test_mixtures_noise(model: Model, song: Path, colour: str, level_db: float) -> None:
    """Noise in any share: the song's genre, or none."""
    check(model, song, mixtures.noise(colour, level_db, 60 * mixtures.RATE))


def test_noise_level() -> None:
    """The level is the RMS below full scale; pink noise has equal power in each octave."""
    for colour in ("white", "pink"):
        y = mixtures.noise(colour, -50, 1 << 16)
        assert 20 * np.log10(np.sqrt(np.mean(y.astype(float) ** 2))) == pytest.approx(-50, abs=0.01)
    power = np.abs(np.fft.rfft(y)) ** 2
    octaves = [power[1 << k : 2 << k].sum() for k in range(8, 15)]
    assert max(octaves) < 1.5 * min(octaves)


def test_mixtures_table(tmp_path: Path, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page gets a table with a row for each share and each sound."""
    page = tmp_path / "page.md"
    page.write_text("head\n<!-- mixtures:begin -->\nold\n<!-- mixtures:end -->\nfoot\n")
    monkeypatch.setattr(mixtures, "SONG_S", 4.0)
    monkeypatch.setattr(mixtures, "SHARES", (0, 50, 100))
    monkeypatch.setattr(mixtures, "other_sounds", lambda: {"hiss": mixtures.noise("white", -60, 22050)})
    done = run_main(mixtures, str(song), "--write", str(page))
    assert done.code == 0, done.stderr
    text = page.read_text()
    assert text.startswith("head\n") and text.endswith("foot\n") and "old" not in text
    assert "| whole, 0 % music | 2 | 0 | 2 | 0 | 0 | 0 | 2 | 0 | 0 |" in text
    assert "| whole, 100 % music | 2 | 2 | 0 | 0 | 0 | 2 | 0 | 0 | 0 |" in text
    assert sum(line.startswith(("| whole, hiss |", "| part, hiss |")) for line in text.splitlines()) == 2
