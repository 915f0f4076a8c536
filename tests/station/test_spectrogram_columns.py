"""SpectrogramColumns: quantisation, numbering after lost samples, and no effect on classification."""

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.audio.block import Block
from genre_edge.classify.classifier import Classifier
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.station.spectrogram_columns import SpectrogramColumns, full_scale_db
from tests.helpers.audio import ArraySource, music, tone
from tests.helpers.bundles import RATE, tiny


def decode(data: dict) -> np.ndarray:
    """Return the columns of an event, `(k, n_mels)`."""
    return np.frombuffer(base64.b64decode(data["columns"]), np.uint8).reshape(-1, data["n_mels"])


@pytest.mark.parametrize(
    "config", [MelConfig(), MelConfig(sr=8000, n_fft=256, hop_length=128, n_mels=16), MelConfig(power=1.0, norm=None)]
)
def test_full_scale_db(config: MelConfig) -> None:
    """No full-scale sine exceeds 0 dB of the image by more than 0.5 dB."""
    mel = MelSpectrogram(config)
    rng = np.random.default_rng(0)
    sines = [tone(hz, 0.5, config.sr, 1.0) for hz in rng.uniform(50, config.sr / 2 - 50, 50)]
    loudest = max(mel.db(y).max() for y in sines)
    assert loudest <= full_scale_db(mel) + 0.5  # two bins of one band add up


def test_columns_quantise_frames() -> None:
    """Columns are the frames, rounded to 8 bits, without a gap between events."""
    mel = tiny().mel
    samples = music(3, RATE)
    columns, frames = SpectrogramColumns(mel), []
    stream = mel.stream()
    events = []
    for start in range(0, len(samples), 700):
        block = Block(samples[start : start + 700], RATE, start)
        frames.append(stream.push(block.samples))
        events += list(columns.push(block, frames[-1]))
    decoded = np.concatenate([decode(event) for event in events])
    db = np.concatenate(frames, axis=1).T[: len(decoded)] - full_scale_db(mel)
    np.testing.assert_array_less(np.abs(decoded / 255 - np.clip(1 + db / 80, 0, 1)), 0.51 / 255)
    assert len(decoded) * 128 > len(samples) - 0.6 * RATE and decoded.max() > 150
    counts = [len(decode(event)) for event in events]
    assert [event["first"] for event in events] == list(np.cumsum([0, *counts])[:-1])
    assert all(event["frame_s"] == 128 / RATE for event in events)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 40), st.sampled_from([8000, 44100])), max_size=30))
def test_first_after_loss(blocks: list[tuple[int, int, int]]) -> None:
    """Column numbers follow the source's time over lost samples and changes of rate, and never decrease."""
    columns, end_s, total, expected = SpectrogramColumns(tiny().mel), 0.0, 0, 0
    next_first = 0
    for dropped, count, rate in blocks:
        position = round(end_s * rate) + dropped
        samples = np.zeros(round(count * 128 * rate / RATE), np.float32)
        expected += count
        for event in columns.push(Block(samples, rate, position, dropped), np.zeros((16, count), np.float32)):
            assert event["first"] >= next_first
            next_first = event["first"] + len(decode(event))
            total += len(decode(event))
        end_s = (position + len(samples)) / rate
    assert expected - total < 63 / 2 + 1  # columns pending for the next event
    assert next_first <= end_s * RATE / 128 + 2 * len(blocks) + 1


def test_columns_do_not_change_verdicts(song_samples: np.ndarray) -> None:
    """Verdicts are bit-identical with and without spectrogram columns."""
    samples = song_samples[: 12 * 22050]
    classifier = Classifier()
    expected = [verdict.to_dict() for verdict in classifier.stream(ArraySource(samples, 22050), 3.0)]
    columns = SpectrogramColumns(classifier.mel)
    actual = classifier.stream(
        ArraySource(samples, 22050, [5000]), 3.0, on_frames=lambda block, frames: list(columns.push(block, frames))
    )
    for ours, theirs in zip((verdict.to_dict() for verdict in actual), expected, strict=True):
        assert ours | {"lag_ms": 0} == theirs | {"lag_ms": 0}
