"""The shipped edge model: it names genres of music at any level, and rejects audio that is not music."""

import shutil

import numpy as np
import pytest

from genre_edge.audio.files import open_file
from genre_edge.classify.classifier import Classifier
from genre_edge.classify.verdict import Verdict
from tests.helpers.audio import ArraySource
from tools.training.sounds import synthetic_sounds

RATE = 22050
# A gain changes only the rounding of the samples and of the int8 input.
GAIN_TOLERANCE = 0.03


@pytest.fixture(scope="module")
def edge() -> Classifier:
    return Classifier("edge")


def classify(edge: Classifier, y: np.ndarray) -> Verdict:
    return edge.classify(ArraySource(y.astype(np.float32), RATE))


@pytest.mark.parametrize("gain_db", [-30.0, -12.3, 6.0, 20.0])
def test_edge_any_gain(edge: Classifier, song_samples: np.ndarray, gain_db: float) -> None:
    """A song's probabilities do not depend on its level."""
    before = {g.genre: g.probability for g in classify(edge, song_samples).genres}
    after = {g.genre: g.probability for g in classify(edge, song_samples * 10 ** (gain_db / 20)).genres}
    assert max(abs(before[genre] - after[genre]) for genre in before) <= GAIN_TOLERANCE


def test_edge_song_is_music(edge: Classifier, song_samples: np.ndarray) -> None:
    """The shipped song is classified."""
    verdict = classify(edge, song_samples)
    assert (verdict.genre, verdict.reason) == ("classical", None)


@pytest.mark.parametrize("kind", ["noises", "tones", "chirps"])
def test_edge_rejects_noises(edge: Classifier, kind: str) -> None:
    """Most noises, tones and chirps get no genre."""
    sounds = list(synthetic_sounds.KINDS[kind](np.random.default_rng(123), RATE, True))[:12]
    rejected = [classify(edge, 0.3 * y).genre is None for y in sounds]
    assert np.mean(rejected) >= 0.75


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_edge_rejects_speech(edge: Classifier) -> None:
    """Most synthetic speech is `not_music`."""
    voices = synthetic_sounds.speech(np.random.default_rng(5), RATE, True)
    reasons = [classify(edge, next(voices)).reason for _ in range(8)]
    assert reasons.count("not_music") >= 6


def test_edge_silence(edge: Classifier) -> None:
    """Zeros are `silence`."""
    assert classify(edge, np.zeros(5 * RATE)).reason == "silence"


def test_edge_file_equals_samples(edge: Classifier, song: object, song_samples: np.ndarray) -> None:
    """A file has the probabilities of its samples."""
    assert edge.classify(open_file(str(song))).genres == classify(edge, song_samples).genres
