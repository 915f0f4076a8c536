"""`Classifier`: files, segments, reasons and memory. test_classifier_stream.py tests verdicts over time."""

import math
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.audio.block import Block
from genre_edge.audio.source import Source
from genre_edge.classify.classifier import Classifier
from genre_edge.classify.verdict import Segment, Verdict
from genre_edge.errors import AudioError, ParameterError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model.prediction import Model
from tests.helpers.audio import ArraySource, BlockSource, Samples, encode, music, tone
from tests.helpers.bundles import HOP_S, PATCH_S, RATE, TINY, tiny, variant
from tests.helpers.naive import patches as naive_patches


def only_verdict(source: Source, segments: bool = True, classifier: Classifier | None = None) -> Verdict:
    """Return the single verdict for a whole source."""
    (verdict,) = (classifier or tiny()).stream(source, math.inf, segments)
    return replace(verdict, lag_ms=None)


def classify(samples: Samples, rate: int = RATE) -> Verdict:
    return only_verdict(ArraySource(samples, rate))


# -- patches ---------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    rate=st.sampled_from([8000, 22050, 44100]),
    tenths=st.integers(1, 40),
    sizes=st.lists(st.integers(1, 20_000), min_size=1, max_size=4),
)
def test_classifier_any_block_sizes(rate: int, tenths: int, sizes: list[int]) -> None:
    """The verdict does not depend on the sizes of the blocks."""
    samples = music(tenths / 10, rate)
    sizes[-1] = max(sizes[-1], 50)
    assert only_verdict(ArraySource(samples, rate, sizes)) == only_verdict(ArraySource(samples, rate, (len(samples),)))


@pytest.mark.parametrize("mel", [MelConfig(sr=8000, n_fft=256, hop_length=h, n_mels=16) for h in (100, 128, 213, 256)])
def test_classifier_any_block_sizes_long_hop(tmp_path: Path, mel: MelConfig) -> None:
    """The same for hops longer than half the window, as in GTZAN's mel archive."""
    classifier = Classifier(variant(tmp_path / "b", mel=mel))
    samples = music(3, RATE)
    whole = only_verdict(ArraySource(samples, RATE, (len(samples),)), classifier=classifier)
    for sizes in ((1, 100), (64,), (997,)):
        assert only_verdict(ArraySource(samples, RATE, sizes), classifier=classifier) == whole


@pytest.mark.parametrize("rate", [8000, 44100])
def test_classify_file_equals_stream(tmp_path: Path, rate: int) -> None:
    """The verdict for a file equals that for a stream of its samples."""
    samples = music(3, rate)
    path = tmp_path / "song.wav"
    path.write_bytes(encode(samples, rate, subtype="FLOAT"))
    from_file = tiny().classify(path, segments=True)
    from_stream = only_verdict(ArraySource(samples, rate, (1000,), name=str(path)))
    assert (from_file.decoded_s, from_file.expected_s) == (3.0, 3.0)
    assert replace(from_file, expected_s=None) == from_stream
    assert from_file.lag_ms is None and from_file.source == str(path)
    assert tiny().classify(str(path)) == replace(from_file, segments=[])


def test_classify_closes_source() -> None:
    """`classify` closes its source; `stream` leaves that to the caller."""
    source = ArraySource(music(2, RATE), RATE)
    tiny().classify(source)
    assert source.closed
    source = ArraySource(music(2, RATE), RATE)
    assert len(list(tiny().stream(source))) == 1 and not source.closed


def test_classify_frames_equals_samples() -> None:
    """Precomputed frames and samples give the same result."""
    samples = music(3, RATE)
    answer = tiny().classify_frames(MelSpectrogram(tiny().bundle.mel).db(samples))
    verdict = classify(samples)
    assert (answer.genre, answer.genres, answer.confidence) == (verdict.genre, verdict.genres, verdict.confidence)


def test_classifier_mean_over_patches() -> None:
    """The probabilities are the mean over all patches."""
    samples = music(2, RATE)
    model = Model(TINY)
    patches = naive_patches(MelSpectrogram(model.bundle.mel).db(samples), 8, 4)
    mean = np.mean([model.probabilities(patch) for _, patch in patches], axis=0)
    verdict = classify(samples)
    by_label = {g.genre: g.probability for g in verdict.genres}
    assert len(verdict.segments) == len(patches)
    assert by_label == {label: round(float(p), 4) for label, p in zip(model.bundle.labels, mean, strict=True)}
    assert [g.probability for g in verdict.genres] == sorted(by_label.values(), reverse=True)
    assert verdict.confidence == verdict.genres[0].probability


@pytest.mark.parametrize(("hz", "label"), [(150, "low"), (1000, "middle"), (3000, "high")])
@pytest.mark.parametrize("rate", [8000, 22050, 96_000])
@pytest.mark.parametrize("gain", [1e-2, 1.0, 1e6])
def test_classifier_any_rate_and_gain(hz: int, label: str, rate: int, gain: float) -> None:
    """The tiny model distinguishes pitches at any sampling rate and gain."""
    samples = (tone(hz, 2, rate) + 0.01 * music(2, rate)) * np.float32(gain)
    verdict = classify(samples, rate)
    assert (verdict.genre, verdict.reason) == (label, None)
    assert (verdict.input.rate, verdict.input.channels, verdict.input.resampled_to) == (rate, 1, 8000)
    assert verdict.model.sha256 == tiny().bundle.sha256


# -- segments --------------------------------------------------------------------------------------------------------


def check_cover(parts: list[Segment], start_s: float, end_s: float, overlap_s: float) -> None:
    """Check that the parts are in order, from start to end, and that neighbours overlap by at most `overlap_s`."""
    assert parts[0].start_s == pytest.approx(start_s, abs=1e-3)
    assert end_s - HOP_S / 2 - 0.002 <= parts[-1].end_s <= end_s + 0.001
    for part in parts:
        assert part.start_s < part.end_s
    for before, after in pairwise(parts):
        assert before.start_s < after.start_s and before.end_s < after.end_s
        assert -0.0011 <= before.end_s - after.start_s <= overlap_s + 0.0011


@pytest.mark.parametrize("n", [8000, 8001, 8191, 8192, 8193, 12345, 20_000])
def test_segments_cover_file(n: int) -> None:
    """Segments cover the file from start to end, in order."""
    verdict = classify(music(n / RATE, RATE))
    assert (verdict.start_s, verdict.end_s) == (0.0, round(n / RATE, 3))
    check_cover(verdict.segments, 0.0, n / RATE, PATCH_S - HOP_S)


def test_segments_not_requested() -> None:
    """Without the argument `segments`, verdicts list no segments."""
    assert only_verdict(ArraySource(music(2, RATE), RATE), segments=False).segments == []


# -- reasons ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.0, 1e-6])
def test_reason_silence(level: float) -> None:
    """Audio below the silence limit has no genre and no probabilities."""
    verdict = classify(music(3, RATE) * np.float32(level))
    assert (verdict.genre, verdict.confidence, verdict.reason, verdict.genres) == (None, None, "silence", [])
    assert (verdict.start_s, verdict.end_s) == (0.0, 3.0)
    assert {segment.reason for segment in verdict.segments} == {"silence"}


@pytest.mark.parametrize("n", [1, 100, 800])
def test_reason_too_short(n: int) -> None:
    """Audio without a whole patch has no genre, but its times."""
    verdict = classify(tone(440, n / RATE, RATE))
    assert (verdict.genre, verdict.confidence, verdict.reason, verdict.genres) == (None, None, "too_short", [])
    assert (verdict.start_s, verdict.end_s, verdict.segments) == (0.0, round(n / RATE, 3), [])


def test_reason_low_confidence() -> None:
    """A confidence below the threshold gives no genre; the probabilities stay."""
    samples = music(3, RATE)
    accepted = only_verdict(ArraySource(samples, RATE), classifier=Classifier(TINY, threshold=0.0))
    assert accepted.genre == accepted.genres[0].genre and accepted.reason is None and accepted.confidence is not None
    rejected = only_verdict(ArraySource(samples, RATE), classifier=Classifier(TINY, threshold=1.0))
    assert (rejected.genre, rejected.reason) == (None, "low_confidence")
    assert (rejected.confidence, rejected.genres) == (accepted.confidence, accepted.genres)
    assert {segment.reason for segment in rejected.segments} == {"low_confidence"}


def test_reason_not_music(tmp_path: Path) -> None:
    """The tiny network's output for high tones serves as the output for "not music"."""
    labels = tiny().bundle.labels[:2]
    classifier = Classifier(variant(tmp_path / "b", labels=labels, not_music=0.5, threshold=0.0))
    high = only_verdict(ArraySource(tone(3000, 3, RATE), RATE), classifier=classifier)
    assert (high.genre, high.reason) == (None, "not_music")
    assert {segment.reason for segment in high.segments} <= {"not_music"}
    low = only_verdict(ArraySource(tone(200, 3, RATE), RATE), classifier=classifier)
    assert (low.genre, low.reason) == ("low", None)
    for verdict in (high, low):  # probabilities given that it is music
        assert {item.genre for item in verdict.genres} == set(labels)
        assert sum(item.probability for item in verdict.genres) == pytest.approx(1, abs=2e-4)
        assert verdict.confidence == verdict.genres[0].probability


def test_reason_not_music_at_limit(tmp_path: Path) -> None:
    """A probability equal to the limit means not music."""
    frames = MelSpectrogram(tiny().bundle.mel).db(tone(3000, 1, RATE))[:, :8]
    labels = tiny().bundle.labels[:2]
    p = float(Model(variant(tmp_path / "any", labels=labels, not_music=0.5)).probabilities(frames)[-1])
    for limit, reason in ((p, "not_music"), (min(1.0, math.nextafter(p, 2)), None)):
        bundle = variant(tmp_path / str(limit), labels=labels, not_music=limit, threshold=0.0)
        assert Classifier(bundle).classify_frames(frames).reason == reason


def test_threshold_at_confidence() -> None:
    """A confidence equal to the threshold is enough."""
    frames = MelSpectrogram(tiny().bundle.mel).db(music(1, RATE))[:, :8]
    p = float(Model(TINY).probabilities(frames).max())
    assert Classifier(TINY, threshold=p).classify_frames(frames).reason is None
    assert Classifier(TINY, threshold=math.nextafter(p, 1)).classify_frames(frames).reason == "low_confidence"


def test_threshold_of_bundle(tmp_path: Path) -> None:
    """Without a threshold argument, the bundle's threshold applies."""
    classifier = Classifier(variant(tmp_path / "b", threshold=1.0))
    assert only_verdict(ArraySource(music(2, RATE), RATE), classifier=classifier).reason == "low_confidence"


@pytest.mark.parametrize("silent_first", [True, False])
def test_classifier_half_silent_file(silent_first: bool) -> None:
    """Silent patches do not count: a half silent file gets the genre of its other half."""
    audible, silence = tone(3000, 2.048, RATE), np.zeros(round(2.048 * RATE), dtype=np.float32)
    verdict = classify(np.concatenate([silence, audible] if silent_first else [audible, silence]))
    assert verdict.genre == "high" and verdict.reason is None
    reasons = [segment.reason for segment in verdict.segments]
    assert 0.4 < reasons.count("silence") / len(reasons) < 0.6
    assert verdict.confidence == pytest.approx(classify(audible).confidence, abs=0.05)


def test_classifier_source_without_blocks() -> None:
    """A source without blocks raises AudioError."""
    with pytest.raises(AudioError) as caught:
        only_verdict(BlockSource([], RATE, name="nothing"))
    assert str(caught.value) == "nothing: holds no audio"


@pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan])
def test_threshold_out_of_range(threshold: float) -> None:
    """A threshold that is not a probability raises an error."""
    with pytest.raises(ValueError, match="threshold"):
        Classifier(TINY, threshold=threshold)


# -- memory ----------------------------------------------------------------------------------------------------------


class LongSource(Source):
    """Minutes of music, generated one second at a time."""

    def __init__(self, minutes: int) -> None:
        self.name, self.rate, self.channels, self._seconds = "long", 11025, 1, 60 * minutes

    def blocks(self) -> Iterator[Block]:
        second = music(1, self.rate)
        for i in range(self._seconds):
            yield Block(second, self.rate, i * self.rate)


def peak_memory(classifier: Classifier, minutes: int) -> int:
    tracemalloc.start()
    try:
        verdict = only_verdict(LongSource(minutes), segments=False, classifier=classifier)
        assert verdict.end_s == 60 * minutes
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_classifier_constant_memory(tmp_path: Path) -> None:
    """Peak memory does not depend on the length of the source."""
    coarse = MelConfig(sr=8000, n_fft=2048, hop_length=1024, n_mels=16)  # fewer patches: tracing is slow
    classifier = Classifier(variant(tmp_path / "b", mel=coarse))
    peak_memory(classifier, 1)  # caches
    assert peak_memory(classifier, 40) < 1.05 * peak_memory(classifier, 10) < 2 << 20


@pytest.mark.parametrize("shape", [(15, 40), (16,), (16, 40, 1)])
def test_classify_frames_of_other_shape(shape: tuple[int, ...]) -> None:
    """Frames of another front end raise an error."""
    with pytest.raises(ParameterError, match=r"\(16, n\), got shape"):
        tiny().classify_frames(np.zeros(shape, dtype=np.float32))
    with pytest.raises(ParameterError, match="finite"):
        tiny().classify_frames(np.full((16, 40), np.nan, dtype=np.float32))


@pytest.mark.parametrize(
    "frames", [None, "frames", [[1.0], [1.0, 2.0]], np.zeros((16, 40), complex), [[None] * 40] * 16]
)
def test_classify_frames_wrong_kind(frames: Any) -> None:
    """Anything that is no array of numbers is an error that names `frames`; another layout is accepted."""
    with pytest.raises(ParameterError, match=r"^frames "):
        tiny().classify_frames(frames)
    valid = np.random.default_rng(0).normal(-40, 10, (16, 40)).astype(np.float32)
    shifted = np.frombuffer(b"-" + valid.tobytes(), np.float32, offset=1).reshape(16, 40)
    assert tiny().classify_frames(shifted) == tiny().classify_frames(valid)


@pytest.mark.parametrize("interval_s", [0, -5, math.nan])
def test_stream_interval_not_positive(interval_s: float) -> None:
    """An interval of zero or less is a ParameterError."""
    with pytest.raises(ParameterError, match="interval_s must be positive"):
        next(tiny().stream(ArraySource(music(1, RATE), RATE), interval_s))
