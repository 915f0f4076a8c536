"""The shipped edge model in small: it hears music at any level, and refuses what is none."""

import shutil

import numpy as np
import pytest

from tests.helpers.audio import ArraySource

pytest.importorskip("tensorflow", reason="the tools' made sounds are used")
from genre_edge.audio.files import open_file
from genre_edge.classify.classifier import Classifier
from genre_edge.classify.verdict import Verdict
from tools.training import synthetic_sounds

RATE = 22050
# A gain moves nothing but rounding: of the samples' float32, and of the int8 input where a value lies between two.
GAIN_TOLERANCE = 0.03


@pytest.fixture(scope="module")
def edge() -> Classifier:
    return Classifier("edge")


def heard(edge: Classifier, y: np.ndarray) -> Verdict:
    return edge.classify(ArraySource(y.astype(np.float32), RATE))


@pytest.mark.parametrize("gain_db", [-30.0, -12.3, 6.0, 20.0])
def test_a_song_is_the_same_at_any_level(edge: Classifier, song_samples: np.ndarray, gain_db: float) -> None:
    before = {g.genre: g.probability for g in heard(edge, song_samples).genres}
    after = {g.genre: g.probability for g in heard(edge, song_samples * 10 ** (gain_db / 20)).genres}
    assert max(abs(before[genre] - after[genre]) for genre in before) <= GAIN_TOLERANCE


def test_music_is_music(edge: Classifier, song_samples: np.ndarray) -> None:
    verdict = heard(edge, song_samples)
    assert (verdict.genre, verdict.reason) == ("classical", None)


@pytest.mark.parametrize("kind", ["noises", "tones", "chirps"])
def test_most_of_what_is_no_music_is_refused(edge: Classifier, kind: str) -> None:
    sounds = list(synthetic_sounds.KINDS[kind](np.random.default_rng(123), RATE, True))[:12]
    refused = [heard(edge, 0.3 * y).genre is None for y in sounds]
    assert np.mean(refused) >= 0.75


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_speech_is_refused(edge: Classifier) -> None:
    voices = synthetic_sounds.speech(np.random.default_rng(5), RATE, True)
    reasons = [heard(edge, next(voices)).reason for _ in range(8)]
    assert reasons.count("not_music") >= 6


def test_digital_silence_is_silence(edge: Classifier) -> None:
    assert heard(edge, np.zeros(5 * RATE)).reason == "silence"


def test_the_song_as_a_file_is_the_song_as_samples(edge: Classifier, song: object, song_samples: np.ndarray) -> None:
    assert edge.classify(open_file(str(song))).genres == heard(edge, song_samples).genres
