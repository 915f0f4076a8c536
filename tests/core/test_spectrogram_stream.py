"""`MelStream`: the same bits for any chunk sizes, in any thread or process; memory."""

import hashlib
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_edge.errors import ParameterError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import MelSpectrogram
from tests.conftest import ROOT
from tests.helpers import naive
from tests.helpers.mel import DERANDOMIZED, LANES, SMALL, USUAL, noise, streamed, supported_lanes

pytestmark = pytest.mark.filterwarnings("ignore:.*mel bands hold no FFT bin", "ignore:Empty filters")


@pytest.mark.parametrize("center, pad_mode", [(False, "constant"), (True, "constant"), (True, "reflect")])
@pytest.mark.parametrize("n_fft, hop_length", [(n_fft, hop) for n_fft in (16, 17) for hop in (5, n_fft, n_fft + 9)])
def test_stream_equals_batch_at_every_length(n_fft, hop_length, center, pad_mode):
    """Up to two frames, and where the history is compacted: after 4 n_fft samples, then every 3 n_fft."""
    config = MelConfig(n_fft=n_fft, hop_length=hop_length, center=center, pad_mode=pad_mode, n_mels=3)
    spectrogram, y = MelSpectrogram(config), noise(8 * n_fft)
    edges = [k * n_fft - half + i for k in (4, 7) for half in (0, n_fft // 2) for i in range(-2, 3)]
    for n in [*range(2 * n_fft + 4), *edges]:
        batch = spectrogram.db(y[:n])
        assert batch.shape == naive.melspectrogram(y[:n], config).shape
        assert np.array_equal(batch, streamed(spectrogram, y[:n], [1] * n))
        assert np.array_equal(batch, streamed(spectrogram, y[:n], [n // 3, n // 3]))


@DERANDOMIZED
@given(
    config=st.one_of(SMALL, USUAL),
    lanes=LANES,
    seed=st.integers(0, 999),
    sizes=st.lists(st.integers(0, 9000), max_size=8),
)
def test_stream_equals_batch_any_chunk_sizes(config, lanes, seed, sizes):
    """A stream gives the bits of the whole signal, for any chunk sizes."""
    y, spectrogram = noise(sum(sizes), seed), MelSpectrogram(config, lanes=lanes)
    assert np.array_equal(streamed(spectrogram, y, sizes), spectrogram.db(y))


def test_streams_share_tables_in_threads():
    """Streams of one spectrogram give the same frames in eight threads at once."""
    spectrogram, y = MelSpectrogram(), noise(40000)
    expected = spectrogram.db(y)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda size: streamed(spectrogram, y, [size] * (40000 // size)), range(1000, 17000, 500)))
    assert all(np.array_equal(frames, expected) for frames in got)


def test_push_into_out():
    """`push` writes the frames into `out`."""
    spectrogram, y = MelSpectrogram(MelConfig(center=False)), noise(2048 + 512 * 9)
    expected, stream = spectrogram.db(y), spectrogram.stream()
    for out in (np.empty((128, 10), np.float32, order="F"), np.empty((128, 13), np.float32, order="F")):
        stream.reset()
        got = stream.push(y, out)
        assert np.shares_memory(got, out)
        assert np.array_equal(got, expected)
    stream.reset()
    one = np.empty((128, 1), np.float32)  # an array of one frame is in Fortran order too
    hops = [stream.push(chunk, one)[:, :1].copy() for chunk in np.split(y, range(2048, len(y), 512))]
    assert np.array_equal(np.concatenate(hops, axis=1), expected)
    for y64 in (y.astype(np.float64), y[::-1][::-1], list(y)):
        stream.reset()
        assert np.array_equal(stream.push(y64, out)[:, :10], expected)


@pytest.mark.parametrize(
    "out",
    [
        np.empty((128, 9), np.float32, order="F"),
        np.empty((127, 10), np.float32, order="F"),
        np.empty((128, 10), np.float32),
        np.empty((128, 10), np.float64, order="F"),
        np.empty(1280, np.float32),
        np.frombuffer(bytes(5120), np.float32).reshape((128, 10), order="F"),
        "frames",
    ],
    ids=["too few frames", "too few bands", "C order", "float64", "one-dimensional", "read-only", "not an array"],
)
def test_push_invalid_out(out):
    """An unsuitable `out` raises an error and leaves the stream unchanged."""
    spectrogram, y = MelSpectrogram(MelConfig(center=False)), noise(2048 + 512 * 9)
    stream = spectrogram.stream()
    with pytest.raises(ParameterError, match="out must"):
        stream.push(y, out)
    assert np.array_equal(stream.push(y), spectrogram.db(y))


def test_stream_accuracy_of_lanes_and_measure():
    """SIMD width and FFTW planning change results by less than 2e-4 dB."""
    y = noise(20000)
    for n_fft in (2048, 1001):
        config = MelConfig(n_fft=n_fft)
        expected = MelSpectrogram(config).db(y)
        for spectrogram in [MelSpectrogram(config, lanes=lanes) for lanes in supported_lanes()] + [
            MelSpectrogram(config, measure=True)
        ]:
            assert np.abs(spectrogram.db(y) - expected).max() < 2e-4
    assert MelSpectrogram(lanes=1).lanes == 1
    with pytest.raises(ParameterError, match="lanes must be one of None, 1, 4, 8, got 2"):
        MelSpectrogram(lanes=2)


def test_nbytes():
    """`nbytes` includes the tables and the buffers, and stays below 64 kB."""
    spectrogram = MelSpectrogram()
    assert 8 * 2048 < spectrogram.nbytes < 64_000
    assert 16 * 2048 < spectrogram.stream().nbytes < 64_000


def test_stream_reset():
    """A flushed stream rejects samples until `reset`, and then gives the frames of a new stream."""
    spectrogram, y = MelSpectrogram(), noise(9000)
    stream = spectrogram.stream(decibel=False)
    stream.push(noise(5000, seed=1))
    stream.flush()
    with pytest.raises(ParameterError, match="flushed"):
        stream.push(y)
    with pytest.raises(ParameterError, match="flushed"):
        stream.flush()
    stream.reset()
    assert np.array_equal(np.hstack([stream.push(y), stream.flush()]), spectrogram.mel(y))


@pytest.mark.parametrize("bad, shown", [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"), (1e13, r"1e\+13")])
def test_push_invalid_sample(bad, shown):
    """The error has the index of the invalid sample, and the stream is unchanged."""
    spectrogram, y = MelSpectrogram(), noise(9000)
    stream = spectrogram.stream()
    head = stream.push(y[:4000])
    invalid = y[4000:].copy()
    invalid[[321, 400]] = bad
    with pytest.raises(ParameterError, match=rf"sample 321 is {shown}.*finite, at most 1e\+09"):
        stream.push(invalid)
    assert np.array_equal(np.hstack([head, stream.push(y[4000:]), stream.flush()]), spectrogram.db(y))


def digest() -> str:
    """Return a hash of spectrograms by the core's FFT in each SIMD width, and by FFTW."""
    kinds = [(2048, lanes) for lanes in supported_lanes()] + [(400, None), (1001, None)]
    parts = [MelSpectrogram(MelConfig(n_fft=n_fft), lanes=lanes).db(noise(30000)).tobytes() for n_fft, lanes in kinds]
    return hashlib.sha256(b"".join(parts)).hexdigest()


@pytest.mark.slow
def test_stream_bits_in_two_processes():
    """Another process computes the same bits."""
    command = [sys.executable, "-c", f"from {__name__} import digest; print(digest())"]
    other = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert other.stdout.strip() == digest()


def test_streams_in_many_threads():
    """Threads create streams, which plans FFTs, and push samples, which releases the GIL, at the same time."""
    sizes = [256, 400, 1001, 1024] * 8

    def work(n_fft: int) -> np.ndarray:
        spectrogram = MelSpectrogram(MelConfig(n_fft=n_fft, n_mels=20))
        return streamed(spectrogram, noise(20000, n_fft), [3000] * 5)

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(work, sizes))
    assert all(np.array_equal(got, work(n_fft)) for n_fft, got in zip(sizes, together, strict=True))


def test_stream_shared_by_threads():
    """A concurrent push raises an error or is correct.

    All chunks are equal and a whole number of hops, so that each push after the first gives the same frames.
    """
    spectrogram, chunk = MelSpectrogram(MelConfig(center=False)), noise(512 * 40)
    stream = spectrogram.stream()
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(stream.push, chunk) for _ in range(100)]
    assert {str(call.exception()) for call in calls} <= {"None", "this stream is being used by another thread"}
    results = [call.result() for call in calls if call.exception() is None]
    expected = spectrogram.db(np.tile(chunk, 2))
    results.sort(key=lambda frames: frames.shape[1])
    assert np.array_equal(results[0], expected[:, :37])
    assert all(np.array_equal(frames, expected[:, 37:]) for frames in results[1:])
