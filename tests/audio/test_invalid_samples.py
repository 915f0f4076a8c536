"""InvalidSampleReplacer: a few invalid samples become silence; many are an error."""

import math

import numpy as np
import pytest

from genre_edge.audio.block import Block
from genre_edge.audio.invalid_samples import InvalidSampleReplacer
from genre_edge.errors import AudioError
from tests.helpers.audio import noise

RATE = 8000


def process(samples: np.ndarray, block_size: int) -> np.ndarray:
    """Return the samples after the replacement, from blocks of a size."""
    replacer = InvalidSampleReplacer("take.wav")
    parts = [
        replacer.process(Block(samples[at : at + block_size], RATE, at)).samples
        for at in range(0, len(samples), block_size)
    ]
    replacer.finish()
    return np.concatenate(parts)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30])
@pytest.mark.parametrize("block_size", [1, 997, 20_000])
def test_replacer_single_sample(value: float, block_size: int, caplog: pytest.LogCaptureFixture) -> None:
    """One invalid sample becomes zero, all others stay, and one warning names it."""
    samples = noise(20_000)
    expected = samples.copy()
    samples[12_345], expected[12_345] = value, 0
    assert np.array_equal(process(samples, block_size), expected)
    text = f"take.wav: sample 12345 has an invalid value ({value:g}); such samples (1 so far) become silence"
    assert [record.message for record in caplog.records] == [text]


def test_replacer_valid_samples(caplog: pytest.LogCaptureFixture) -> None:
    """Valid samples are the same objects, without a copy."""
    block = Block(noise(1000), RATE, 0)
    assert InvalidSampleReplacer("x").process(block) is block and not caplog.records


@pytest.mark.parametrize("n_invalid", [2001, 5000, 20_000])
@pytest.mark.parametrize("block_size", [100, 20_000])
def test_replacer_many_samples(n_invalid: int, block_size: int, caplog: pytest.LogCaptureFixture) -> None:
    """More than 10 % of invalid samples is an error with the first of them, whatever the block size; no warning."""
    samples = noise(20_000)
    samples[20_000 - n_invalid :] = math.nan
    with pytest.raises(AudioError, match=rf"^take\.wav: sample {20_000 - n_invalid} has an invalid value \(nan\)$"):
        process(samples, block_size)
    assert not caplog.records


def test_replacer_endless_stream(caplog: pytest.LogCaptureFixture) -> None:
    """Endless noise without valid samples ends after a second of it; a single sample is reported after a minute."""
    replacer = InvalidSampleReplacer("x")
    bad = np.full(RATE // 2, math.nan, dtype=np.float32)
    replacer.process(Block(bad, RATE, 0))
    replacer.process(Block(bad, RATE, RATE // 2))
    with pytest.raises(AudioError):
        replacer.process(Block(bad, RATE, RATE))
    replacer = InvalidSampleReplacer("x")
    for second in range(100):
        samples = noise(RATE)
        if second == 30:
            samples[0] = math.nan
        replacer.process(Block(samples, RATE, second * RATE))
        assert len(caplog.records) == (second >= 90)
