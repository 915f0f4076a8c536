"""`FrontEnd` and its resampler: frames for any block sizes, and errors for invalid samples."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.audio.block import Block
from genre_edge.audio.resample import Resampler
from genre_edge.audio.source import Source
from genre_edge.classify.frontend import FrontEnd
from genre_edge.errors import AudioError
from genre_edge.mel._logmel import MAX_SAMPLE
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames, MelSpectrogram
from tests.helpers.audio import ArraySource, BlockSource, Samples, music, noise, tone

RATE = 22050
RATES = (1000, 8000, 16000, 22050, 44100, 44101, 48000, 96000, 768_000)
MEL = MelSpectrogram(MelConfig(sr=RATE, n_fft=1024, hop_length=300, n_mels=40))


def resampled(samples: Samples, rate: int, sizes: list[int]) -> Samples:
    """Return the resampled audio, pushed in chunks of these sizes, cyclically."""
    resampler, position, pieces = Resampler(rate, RATE), 0, []
    while position < len(samples):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(resampler.push(samples[position : position + size]))
        position += size
    return np.concatenate([*pieces, resampler.flush()])


def frames_of(source: Source) -> Frames:
    return np.concatenate([chunk.frames for chunk in FrontEnd(source, MEL).chunks()], axis=1)


def all_frames(samples: Samples, rate: int, sizes: tuple[int, ...]) -> Frames:
    return frames_of(ArraySource(samples, rate, sizes))


@settings(max_examples=60, deadline=None)
@given(
    rate=st.sampled_from(RATES),
    n=st.integers(1, 30_000),
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=5),
    seed=st.integers(0, 99),
)
def test_resampler_any_chunk_sizes(rate: int, n: int, sizes: list[int], seed: int) -> None:
    """Resampled audio does not depend on the sizes of the chunks."""
    samples = noise(n, seed)
    sizes[-1] = max(sizes[-1], n // 500 + 1)  # not thousands of calls
    assert np.array_equal(resampled(samples, rate, sizes), resampled(samples, rate, [n]))


@pytest.mark.parametrize("rate", RATES)
def test_frontend_any_block_sizes(rate: int) -> None:
    """Frames do not depend on the sizes of the blocks."""
    samples = music(1.3, rate)
    whole = all_frames(samples, rate, (len(samples),))
    for sizes in [(1, 2, 3, 5000), (rate // 10,), (777,), (1 << 16,)]:
        assert np.array_equal(all_frames(samples, rate, sizes), whole)


@pytest.mark.parametrize("rate", RATES)
def test_resampler_keeps_duration(rate: int) -> None:
    """The resampled audio has the duration of the source, within one sample."""
    n = int(1.5 * rate) + 1
    assert len(resampled(noise(n), rate, [4096])) == pytest.approx(n * RATE / rate, abs=1)
    assert all_frames(noise(n), rate, (4096,)).shape == (40, 1 + round(n * RATE / rate) // 300)


def test_resampler_same_rate() -> None:
    """At the model's rate, samples pass unchanged."""
    samples = noise(5000)
    assert np.array_equal(resampled(samples, RATE, [999]), samples)
    assert np.array_equal(all_frames(samples, RATE, (999,)), MEL.db(samples))


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 96000, 768_000])
@pytest.mark.parametrize("hz", [110.0, 1000.0, 3500.0])
def test_resampler_tone(rate: int, hz: float) -> None:
    """A tone keeps its pitch, level and time."""
    y = resampled(tone(hz, 1.0, rate), rate, [5000])
    inner = slice(1000, -1000)
    np.testing.assert_allclose(y[inner], tone(hz, 1.0, RATE)[inner], atol=1e-3)


@pytest.mark.parametrize("rate", [44100, 48000, 96000, 768_000])
@pytest.mark.parametrize("hz", [12_500.0, 15_000.0, 20_000.0])
def test_resampler_stop_band(rate: int, hz: float) -> None:
    """Frequencies above the new Nyquist frequency are removed."""
    y = resampled(tone(hz, 1.0, rate), rate, [5000])[1000:-1000]
    assert np.abs(y).max() < 0.3 * 1e-4  # aliases are 80 dB down


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e13, -1e13])
@pytest.mark.parametrize("rate", [RATE, 48000])
@pytest.mark.parametrize("at", [0, 1, 4095, 4096, 5000])
def test_frontend_invalid_sample(bad: float, rate: int, at: int) -> None:
    """The error names the first invalid sample."""
    samples = noise(10_000)
    samples[at] = bad
    samples[at + 1 :: 3] = math.nan  # later ones are not reported
    source = ArraySource(samples, rate, (4096,), name="my song.wav")
    with pytest.raises(AudioError) as caught:
        frames_of(source)
    assert str(caught.value) == f"my song.wav: sample {at} has an invalid value ({bad:g})"


def test_frontend_invalid_sample_after_gap() -> None:
    """The error's sample index includes dropped samples."""
    bad = np.array([0, 0, *100 * [math.nan]], dtype=np.float32)
    source = BlockSource([Block(noise(500), RATE, 0), Block(bad, RATE, 90_000, dropped=89_500)], RATE, name="live")
    with pytest.raises(AudioError, match=r"live: sample 90002 has an invalid value \(nan\)"):
        frames_of(source)


@pytest.mark.parametrize("rate", [RATE, 44100, 8000])
def test_frontend_loudest_samples(rate: int) -> None:
    """The loudest valid samples give finite frames, or an error that names the sample."""
    # A resampled square wave overshoots, beyond the limit of the mel core.
    samples = np.where(np.arange(20_000) // 50 % 2, MAX_SAMPLE, -MAX_SAMPLE).astype(np.float32)
    try:
        frames = all_frames(samples, rate, (4096,))
    except AudioError as error:
        assert "array: sample " in str(error)
    else:
        assert np.isfinite(frames).all() and frames.max() > 100


def test_frontend_rate_change() -> None:
    """A change of rate starts a new stretch: its frames equal those of its samples alone."""
    samples = music(1.0, 48000)
    blocks = [Block(noise(7777, 5, 1.0), 44100, 0), Block(samples, 48000, 0)]
    chunks = list(FrontEnd(BlockSource(blocks, 44100), MEL).chunks())
    (change,) = (i for i, chunk in enumerate(chunks[:-1]) if chunk.discontinuity)
    second = np.concatenate([chunk.frames for chunk in chunks[change + 1 :]], axis=1)
    assert np.array_equal(second, all_frames(samples, 48000, (len(samples),)))


@pytest.mark.parametrize("n", [1, 2, 100])
@pytest.mark.parametrize("rate", [1000, RATE, 1_000_000])
def test_frontend_few_samples(n: int, rate: int) -> None:
    """A few samples at any rate give finite frames."""
    frames = all_frames(noise(n), rate, (1,))
    assert frames.shape[0] == 40 and np.isfinite(frames).all()
    assert frames.shape[1] == pytest.approx(1 + n * RATE / rate // 300, abs=1)
