"""Classification by excerpts: where they lie, when they suffice, and when the whole file is classified."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from genre_edge import Classifier
from genre_edge.audio.excerpts import ExcerptFile
from genre_edge.classify.excerpts import FIRST_EXCERPTS, ExcerptClassifier, excerpt_starts
from genre_edge.classify.patches import PatchResult
from genre_edge.errors import ParameterError
from tests.helpers.audio import music

RATE = 22050


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier("nano")


@given(st.floats(31, 1e4), st.floats(1, 5), st.data())
def test_starts_are_spread(length_s: float, excerpt_s: float, data: st.DataObject) -> None:
    """Excerpts do not overlap, lie within the file, and leave no large gap, however many are taken."""
    n = data.draw(st.integers(1, int(length_s / excerpt_s)))
    starts = np.sort(excerpt_starts(length_s, excerpt_s, n))
    assert len(starts) == n and starts[0] >= 0 and starts[-1] <= length_s - excerpt_s + 1e-6
    assert (np.diff(starts) >= excerpt_s - 1e-6).all()
    gaps = np.diff([0, *starts, length_s])
    assert gaps.max() <= 2.7 * length_s / n + 2 * excerpt_s


def test_long_file(classifier: Classifier, song_samples: np.ndarray, tmp_path: Path) -> None:
    """A file that sounds the same everywhere is settled after the first excerpts, with the verdict of all of it."""
    soundfile.write(tmp_path / "a.flac", np.tile(song_samples[: 10 * RATE], 24), RATE)
    whole = classifier.classify(tmp_path / "a.flac")
    part = classifier.classify(tmp_path / "a.flac", segments=True, coverage=0.25)
    assert (part.genre, part.reason, part.end_s) == (whole.genre, whole.reason, 240.0)
    assert part.confidence == pytest.approx(whole.confidence, abs=0.1)
    assert part.decoded_s == FIRST_EXCERPTS * classifier.bundle.patch_s and part.expected_s == 240.0
    assert len(part.segments) == FIRST_EXCERPTS
    starts = [segment.start_s for segment in part.segments]
    assert starts == sorted(starts) and starts[-1] > 150


def test_low_coverage(classifier: Classifier, tmp_path: Path) -> None:
    """The first excerpts are always classified, so a low limit does not mean the whole file."""
    soundfile.write(tmp_path / "a.flac", np.tile(music(10, RATE), 10), RATE)
    part = classifier.classify(tmp_path / "a.flac", coverage=0.05)
    assert part.decoded_s == FIRST_EXCERPTS * classifier.bundle.patch_s


def test_changing_file_takes_more(classifier: Classifier, song_samples: np.ndarray, tmp_path: Path) -> None:
    """A file that is music in its first half and noise in the other gets more excerpts, as the coverage allows."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(10 * RATE)
    y = np.concatenate([np.tile(song_samples[: 10 * RATE], 12), np.tile(noise, 12)])
    soundfile.write(tmp_path / "a.wav", y, RATE)
    part = classifier.classify(tmp_path / "a.wav", coverage=0.25)
    assert FIRST_EXCERPTS * classifier.bundle.patch_s < part.decoded_s <= 0.25 * 240  # type: ignore[operator]


@pytest.mark.parametrize("begin", [0.06, 0.45, 0.83])
@pytest.mark.parametrize("kind", ["silence", "noise"])
def test_short_music_is_found(
    classifier: Classifier, song_samples: np.ndarray, begin: float, kind: str, tmp_path: Path
) -> None:
    """Music in less than a fifth of a file that is otherwise silence or noise has the verdict of the whole file."""
    y = np.zeros(300 * RATE, np.float32)
    if kind == "noise":
        y[:] = 0.1 * np.random.default_rng(0).standard_normal(len(y))
    start, piece = round(begin * len(y)), np.tile(song_samples, 3)[: 50 * RATE]
    y[start : start + len(piece)] = piece
    soundfile.write(tmp_path / "a.wav", y, RATE)
    whole, part = classifier.classify(tmp_path / "a.wav"), classifier.classify(tmp_path / "a.wav", coverage=0.9)
    assert whole.genre is not None
    assert (part.genre, part.reason) == (whole.genre, None)


@pytest.mark.parametrize("kind", ["silence", "noise"])
def test_file_without_music_is_settled(classifier: Classifier, kind: str, tmp_path: Path) -> None:
    """No passage of half a minute of a file without music is left out, and not all of it is classified."""
    y = np.zeros(600 * RATE, np.float32)
    if kind == "noise":
        y[:] = 0.1 * np.random.default_rng(0).standard_normal(len(y))
    soundfile.write(tmp_path / "a.wav", y, RATE)
    part = classifier.classify(tmp_path / "a.wav", segments=True, coverage=0.9)
    assert part.reason == {"silence": "silence", "noise": "not_music"}[kind]
    edges = [(0.0, 0.0), *((segment.start_s, segment.end_s) for segment in part.segments), (600.0, 600.0)]
    assert max(after[0] - before[1] for before, after in itertools.pairwise(edges)) <= 30.0
    assert part.decoded_s is not None and part.decoded_s < 300


class LongFile(ExcerptFile):
    """Stands for a file of four minutes that is not read."""

    def __init__(self) -> None:
        self.length_s = 240.0


@pytest.mark.parametrize(
    ("confidences", "is_settled"),
    [
        ([0.9], True),
        ([0.12], True),  # clearly too low for a genre
        ([0.30, 0.36], False),  # around the threshold
        ([0.9, 0.0], False),  # "blues" and "rock" by turns
    ],
)
def test_settled_verdict(
    classifier: Classifier, confidences: list[float], is_settled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first excerpts suffice only if the best genre and the naming of it would hardly change."""
    assert 0.31 < classifier.bundle.threshold < 0.36
    layout, n = classifier.bundle.layout, len(classifier.labels)

    def result(start_s: float) -> PatchResult:
        confidence = confidences[round(start_s / 5) % len(confidences)]
        probabilities = np.zeros(layout.n_probabilities)
        probabilities[layout.labels] = (1 - confidence) / (n - 1)
        probabilities[0] = confidence
        if confidence == 0:
            probabilities[layout.labels] = 0.1 / (n - 1)
            probabilities[n - 1] = 0.9
        return PatchResult(start_s, start_s + 5, probabilities)

    monkeypatch.setattr(ExcerptClassifier, "_classify", lambda self, file, starts: [*map(result, starts)])
    excerpts = ExcerptClassifier(classifier._model, classifier.mel, classifier._vocabulary, 0.99)
    results = excerpts.results(LongFile())
    assert results is not None
    assert (len(results) == FIRST_EXCERPTS) == is_settled


def test_long_file_takes_few_votes(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mix of ten hours that is never settled is not voted on after each of its thousands of excerpts."""
    file, n_votes = LongFile(), 0
    file.length_s = 36_000.0
    silence = PatchResult(0.0, 5.0, None)
    monkeypatch.setattr(ExcerptClassifier, "_classify", lambda self, file, starts: [silence for _ in starts])

    def is_settled(self: ExcerptClassifier, results: list[PatchResult], length_s: float) -> bool:
        nonlocal n_votes
        n_votes += 1
        return False

    monkeypatch.setattr(ExcerptClassifier, "_is_settled", is_settled)
    excerpts = ExcerptClassifier(classifier._model, classifier.mel, classifier._vocabulary, 0.9)
    results = excerpts.results(file)
    assert results is not None and len(results) == int(36_000 * 0.9 / classifier.bundle.patch_s)
    assert n_votes < 150


def test_short_and_damaged_files_are_classified_whole(
    classifier: Classifier, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Their verdicts are those without excerpts, with the same warning."""
    soundfile.write(tmp_path / "short.wav", music(30, RATE), RATE)
    soundfile.write(tmp_path / "long.wav", music(200, RATE), RATE)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "long.wav").read_bytes()[:-1_000_000])
    for name in ("short", "cut"):
        path = tmp_path / f"{name}.wav"
        assert classifier.classify(path, coverage=0.25) == classifier.classify(path)
    assert caplog.text.count("cut.wav: the file is truncated") == 2


@pytest.mark.parametrize("coverage", [0.0, 1.1, -1.0, float("nan")])
def test_coverage_out_of_range(classifier: Classifier, coverage: float, song: Path) -> None:
    with pytest.raises(ParameterError, match="coverage must be above 0 and at most 1"):
        classifier.classify(song, coverage=coverage)
