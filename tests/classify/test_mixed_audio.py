"""The shipped model on the demo song: opposite phase, quiet beginnings, noise before it, streams, JSON."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from genre_edge import Classifier
from tests.conftest import TIMEOUT_S
from tests.helpers.audio import ArraySource
from tools.mixtures import noise

RATE = 22050
OWN = "classical"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier("edge")


@pytest.fixture(scope="module")
def samples(song: Path) -> NDArray[np.float32]:
    return soundfile.read(song, dtype="float32")[0][: 20 * RATE]


@pytest.mark.parametrize("suffix", ["wav", "ogg"])
@pytest.mark.parametrize("gain", [1.0, 0.9, 0.7])
@pytest.mark.parametrize("inverted_from_s", [0, 8])
def test_opposite_phase_keeps_genre(
    classifier: Classifier,
    samples: NDArray[np.float32],
    tmp_path: Path,
    suffix: str,
    gain: float,
    inverted_from_s: int,
) -> None:
    """A song whose right channel is inverted, from the start or later, has the song's genre, not its residue's."""
    right = gain * np.where(np.arange(len(samples)) < inverted_from_s * RATE, samples, -samples)
    path = tmp_path / f"song.{suffix}"
    soundfile.write(path, np.stack([samples, right], axis=1), RATE)
    verdict = classifier.classify(path)
    assert (verdict.genre, verdict.silence_share) == (OWN, 0.0)


def test_one_channel_alive_keeps_genre(classifier: Classifier, samples: NDArray[np.float32], tmp_path: Path) -> None:
    """A dead channel changes nothing."""
    for name, channels in (("left", (samples, 0 * samples)), ("right", (0 * samples, samples))):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, np.stack(channels, axis=1), RATE)
        assert classifier.classify(path).genre == OWN


@pytest.mark.parametrize("name", ["hiss", "silence", "quiet"])
def test_long_quiet_beginning(classifier: Classifier, samples: NDArray[np.float32], name: str) -> None:
    """A beginning three times as long as the song, of hiss, silence or the song 50 dB down: the song's genre."""
    n = 3 * len(samples)
    beginning = {
        "hiss": noise("pink", -75, n),
        "silence": np.zeros(n, dtype=np.float32),
        "quiet": np.tile(samples, 3) * np.float32(10 ** (-50 / 20)),
    }[name]
    verdict = classifier.classify(ArraySource(np.concatenate([beginning, samples]), RATE))
    assert verdict.genre == OWN
    assert verdict.music_share == pytest.approx(0.25, abs=0.04)
    silence_share = 0.0 if name == "hiss" else 0.75
    assert verdict.silence_share == pytest.approx(silence_share, abs=0.04)


def test_quiet_song_is_unchanged(classifier: Classifier, samples: NDArray[np.float32]) -> None:
    """A song 40 dB down has the same patches as the song, and all of them count."""
    loud, quiet = (classifier.classify(ArraySource(samples * np.float32(gain), RATE)) for gain in (1, 0.01))
    assert (quiet.genre, quiet.music_share) == (loud.genre, 1.0)
    assert quiet.confidence == pytest.approx(loud.confidence, abs=0.05)


@pytest.mark.parametrize("window_s", [None, 0.0, 10.0])
def test_stream_of_noise_and_song(classifier: Classifier, samples: NDArray[np.float32], window_s: float | None) -> None:
    """Verdicts of a stream: none in the noise, the song's genre or none at the borders, and the genre in the song."""
    hiss = noise("pink", -45, 15 * RATE)
    source = ArraySource(np.concatenate([hiss, samples, hiss]), RATE)
    verdicts = list(classifier.stream(source, 1.5, window_s=window_s))
    assert {verdict.genre for verdict in verdicts if verdict.end_s < 15} == {None}
    inside = [verdict for verdict in verdicts if verdict.start_s > 18 and verdict.end_s < 35]
    assert inside and {verdict.genre for verdict in inside} == {OWN}
    if window_s == 10.0:
        assert {verdict.genre for verdict in verdicts} == {OWN, None}


def test_cli_json_has_shares(samples: NDArray[np.float32], tmp_path: Path) -> None:
    """JSON has the three shares, with the sum 1; the table shows the share of music."""
    path = tmp_path / "mixture.wav"
    soundfile.write(path, np.concatenate([noise("white", -40, len(samples)), samples]), RATE)
    command = [sys.executable, "-m", "genre_edge", "classify", str(path), "--format"]
    done = [
        subprocess.run([*command, name], capture_output=True, text=True, timeout=TIMEOUT_S)
        for name in ("jsonl", "table")
    ]
    verdict = json.loads(done[0].stdout)
    assert verdict["genre"] == OWN and verdict["music_share"] == pytest.approx(0.5, abs=0.05)
    assert verdict["not_music_share"] == pytest.approx(0.5, abs=0.05)
    assert f"{verdict['music_share']:.0%} music" in done[1].stdout
