"""The mel spectrogram: librosa's numbers, the same bits for any cut of the samples, and clear refusals."""

import hashlib
import json
import math
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import librosa
import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.errors import ParameterError
from genre_edge.features import melspectrogram, power_to_db
from genre_edge.mel import MelSpectrogram
from genre_edge.mel_config import MelConfig

STEADY = settings(derandomize=True, deadline=None, max_examples=80)
pytestmark = pytest.mark.filterwarnings("ignore:.*mel bands hold no FFT bin", "ignore:Empty filters")


def noise(n: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(n) * 0.3).astype(np.float32)


@st.composite
def configs(draw, n_fft, window, hop_length, sr, n_mels, fmin) -> MelConfig:
    n_fft, sr = draw(n_fft), draw(sr)
    return MelConfig(
        sr=sr,
        n_fft=n_fft,
        hop_length=draw(hop_length),
        win_length=max(1, int(n_fft * draw(window))),
        center=draw(st.booleans()),
        pad_mode=draw(st.sampled_from(["constant", "reflect"])),
        power=draw(st.sampled_from([1, 2])),
        n_mels=draw(n_mels),
        fmin=draw(fmin) * sr,
        fmax=draw(st.sampled_from([None, 0.4])) and 0.4 * sr,
        htk=draw(st.booleans()),
        norm=draw(st.sampled_from(["slaney", None])),
    )


SMALL = configs(
    n_fft=st.integers(2, 200),
    window=st.floats(0, 1),
    hop_length=st.integers(1, 250),
    sr=st.floats(1000, 96000),
    n_mels=st.integers(1, 30),
    fmin=st.floats(0, 0.35),
)
USUAL = configs(
    n_fft=st.sampled_from([256, 400, 1024, 2048, 4096]),
    window=st.sampled_from([1, 0.75, 0.51]),
    hop_length=st.sampled_from([128, 256, 441]),
    sr=st.sampled_from([16000, 22050, 44100, 48000]),
    n_mels=st.sampled_from([32, 64, 128]),
    fmin=st.sampled_from([0, 0.003]),
)


@STEADY
@given(config=USUAL)
def test_agrees_with_librosa(song_samples, config):
    """1e-4 and 5e-4 dB down to 50 dB below the frame's loudest band, 5e-3 down to 80 dB below.

    An FFT in float32 errs relative to the loudest bin of the frame: any band's error stays 90 dB below the loudest.
    Lengths are no whole number of hops, where librosa may take the last mirrored sample from the wrong place.
    """
    parameters, mel_of = config.to_dict(), MelSpectrogram(config)
    for y in (song_samples[:132301], noise(44101)):
        expected = librosa.feature.melspectrogram(y=y, **parameters)
        got = mel_of.mel(y)
        assert (got.shape, got.dtype) == (expected.shape, np.float32)
        error, loudest = np.abs(got - expected), expected.max(axis=0)
        near, audible = ((expected >= loudest * 10 ** (-x * config.power)) & (expected > 1e-10) for x in (2.5, 4))
        assert (error[near] / expected[near]).max() < 1e-4
        assert (error[audible] / expected[audible]).max() < 5e-3
        assert (error <= 1e-4 * expected + 10 ** (-4.5 * config.power) * loudest + 1e-18).all()
        assert np.abs(mel_of.db(y) - librosa.power_to_db(expected, top_db=None))[near].max() < 5e-4
    shape = {name: parameters[name] for name in ("sr", "n_fft", "n_mels", "fmin", "fmax", "htk", "norm")}
    weights = librosa.filters.mel(**shape)
    assert np.abs(mel_of.filterbank() - weights).max() < 1e-6 * weights.max()
    assert np.abs(naive.filterbank(config) - weights).max() < 1e-6 * weights.max()


@st.composite
def signals_of_kinds(draw) -> np.ndarray:
    n, seed = draw(st.integers(0, 900)), draw(st.integers(0, 2**32 - 1))
    scale, rng = draw(st.sampled_from([1e-6, 1.0, 1e6])), np.random.default_rng(seed)
    kinds = {
        "noise": rng.uniform(-1, 1, n),
        "tone": np.sin(2 * np.pi * rng.uniform(0, 0.5) * np.arange(n)),
        "clicks": (rng.random(n) < 0.01) * rng.uniform(-1, 1, n),
        "constant": np.ones(n),
    }
    return (scale * kinds[draw(st.sampled_from(sorted(kinds)))]).astype(np.float32)


@STEADY
@given(config=SMALL, y=signals_of_kinds())
def test_agrees_with_the_definition(config, y):
    """The error is measured by the loudest bin, which even a band that only touches it may feel; squares underflow."""
    expected = naive.melspectrogram(y, config)
    loudest_bin = naive.spectrum(y.astype(np.float64), config).max(axis=0, initial=0)
    got = MelSpectrogram(config).mel(y)
    assert got.shape == expected.shape
    widths = naive.filterbank(config).sum(axis=1)[:, np.newaxis]
    assert (np.abs(got - expected) <= 1e-5 * expected + 2e-6 * (widths + 1e-6) * loudest_bin + 1e-18).all()
    assert np.abs(MelSpectrogram(config).db(y) - naive.power_to_db(got, top_db=None)).max(initial=0) < 1e-4


def streamed(mel_of: MelSpectrogram, y: np.ndarray, sizes: list[int]) -> np.ndarray:
    stream, pieces = mel_of.stream(), np.split(y, np.cumsum(sizes))
    return np.concatenate([*(stream.push(piece) for piece in pieces), stream.flush()], axis=1)


@pytest.mark.parametrize("center, pad_mode", [(False, "constant"), (True, "constant"), (True, "reflect")])
@pytest.mark.parametrize("n_fft, hop_length", [(n_fft, hop) for n_fft in (16, 17) for hop in (5, n_fft, n_fft + 9)])
def test_stream_equals_batch_at_every_length(n_fft, hop_length, center, pad_mode):
    """Up to two frames, and where the history is compacted: after 4 n_fft samples, then every 3 n_fft."""
    config = MelConfig(n_fft=n_fft, hop_length=hop_length, center=center, pad_mode=pad_mode, n_mels=3)
    mel_of, y = MelSpectrogram(config), noise(8 * n_fft)
    edges = [k * n_fft - half + i for k in (4, 7) for half in (0, n_fft // 2) for i in range(-2, 3)]
    for n in [*range(2 * n_fft + 4), *edges]:
        batch = mel_of.db(y[:n])
        assert batch.shape == naive.melspectrogram(y[:n], config).shape
        assert np.array_equal(batch, streamed(mel_of, y[:n], [1] * n))
        assert np.array_equal(batch, streamed(mel_of, y[:n], [n // 3, n // 3]))


@STEADY
@given(config=SMALL, seed=st.integers(0, 999), sizes=st.lists(st.integers(0, 500), max_size=8))
def test_stream_equals_batch_however_cut(config, seed, sizes):
    mel_of, y = MelSpectrogram(config), noise(sum(sizes) + seed % 50, seed)
    assert np.array_equal(mel_of.db(y), streamed(mel_of, y, sizes))


def test_reset_makes_a_stream_new():
    mel_of, y = MelSpectrogram(), noise(9000)
    stream = mel_of.stream(decibel=False)
    stream.push(noise(5000, seed=1))
    stream.flush()
    with pytest.raises(ParameterError, match="flushed"):
        stream.push(y)
    with pytest.raises(ParameterError, match="flushed"):
        stream.flush()
    stream.reset()
    assert np.array_equal(np.hstack([stream.push(y), stream.flush()]), mel_of.mel(y))


NOT_INTEGERS = [True, False, 1.0, "16", math.nan, [1]]
NOT_NUMBERS = [True, "1000", math.nan, math.inf, -math.inf, 1j, [1]]
INVALID = [  # a parameter, what its message must say, and values
    *((name, "must be a (finite )?number", NOT_NUMBERS) for name in ("sr", "fmin", "fmax")),
    *((name, "must be an integer", NOT_INTEGERS) for name in ("n_fft", "hop_length", "win_length", "n_mels")),
    ("sr", "must be at least 1", [0, -22050]),
    ("n_fft", "from 2 to 65536", [1, 0, -2048, 65537]),
    ("hop_length", "from 1 to 2147483647", [0, -1, 2**31]),
    ("win_length", "from 1 to 2048", [0, 2049]),
    ("window", "one of 'hann'", ["hamming", None, True]),
    ("center", "one of True, False", [1, 0, None, "yes"]),
    ("pad_mode", "one of 'constant', 'reflect'", ["edge", None, True]),
    ("power", "one of 1, 2", [0, 3, 1.5, True, "2", None, math.nan]),
    ("n_mels", "from 1 to 65536", [0, 65537]),
    ("fmin", "0 <= fmin < fmax <= sr/2 = 11025", [-1, 11025, 20000]),
    ("fmax", "0 <= fmin < fmax <= sr/2 = 11025", [0, -5, 11026]),
    ("htk", "one of False, True", [1, 0, None, "no"]),
    ("norm", "one of 'slaney', None", ["l1", 1, True, math.inf]),
]


@pytest.mark.parametrize("name, allowed, value", [(*case, value) for *case, values in INVALID for value in values])
def test_an_invalid_parameter_is_named(name, allowed, value):
    with pytest.raises(ParameterError, match=allowed) as refusal:
        MelConfig(**{name: value})
    rule, _, got = str(refusal.value).rpartition("got ")
    assert name in rule and repr(value) in got


def test_an_unknown_parameter_is_named():
    with pytest.raises(ParameterError, match="hops"):
        melspectrogram(noise(10), hops=3)


@pytest.mark.parametrize("bad, shown", [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"), (1e13, r"1e\+13")])
def test_an_unusable_sample_is_named_and_nothing_of_its_piece_is_taken(bad, shown):
    mel_of, y = MelSpectrogram(), noise(9000)
    stream = mel_of.stream()
    head = stream.push(y[:4000])
    spoilt = y[4000:].copy()
    spoilt[[321, 400]] = bad
    with pytest.raises(ParameterError, match=rf"sample 321 is {shown}.*finite, at most 1e\+09"):
        stream.push(spoilt)
    assert np.array_equal(np.hstack([head, stream.push(y[4000:]), stream.flush()]), mel_of.db(y))


def test_samples_must_be_mono_floating_point():
    for y in (np.zeros(99, np.int16), np.zeros(99, complex), np.zeros(99, bool), ["a"], [1, 2], None):
        with pytest.raises(ParameterError, match=f"y must be floating point.*got {np.asarray(y).dtype}"):
            melspectrogram(y)
    for shape in [(), (2, 99), (99, 1), (0, 2)]:
        with pytest.raises(ParameterError, match=re.escape(f"y must be one-dimensional (mono), got shape {shape}")):
            melspectrogram(np.zeros(shape, np.float32))


def test_any_layout_of_the_same_samples_will_do():
    y = noise(6000)
    expected = melspectrogram(y)
    locked, spread = y.copy(), np.stack([y, y], axis=1)[:, 1]
    locked.setflags(write=False)
    for same in (locked, spread, y[::-1].copy()[::-1], y.astype(np.float64), y.astype(">f4"), y.tolist()):
        assert np.array_equal(melspectrogram(same), expected)
    assert np.array_equal(locked, y)


def test_too_few_samples_give_no_frames():
    for n, center in [(0, True), (0, False), (2047, False)]:
        assert melspectrogram(np.zeros(n, np.float32), center=center, n_mels=40).shape == (40, 0)


@pytest.mark.parametrize("ref", [1.0, 0.25, -4.0, 0.0, np.max, np.median])
@pytest.mark.parametrize("amin", [1e-10, 1e-5, 0.5])
@pytest.mark.parametrize("top_db", [80.0, 10.0, 0.0, None])
def test_power_to_db_agrees_with_librosa(ref, amin, top_db):
    power = np.exp(np.random.default_rng(0).uniform(-30, 10, (7, 50))).astype(np.float32)
    got, expected = (f(power, ref=ref, amin=amin, top_db=top_db) for f in (power_to_db, librosa.power_to_db))
    assert got.dtype == np.float32
    assert np.abs(got - expected).max() < 2e-5
    assert np.abs(got - naive.power_to_db(power, ref(power) if callable(ref) else ref, amin, top_db)).max() < 2e-5


def test_power_to_db_of_nothing_and_of_nonsense():
    assert power_to_db(np.zeros((4, 0))).shape == (4, 0)
    for name, value in [("amin", 0), ("amin", -1), ("amin", True), ("top_db", -1), ("top_db", "80"), ("ref", math.nan)]:
        with pytest.raises(ParameterError, match=rf"{name} .*{value}"):
            power_to_db(np.ones(3), **{name: value})
    for value in (math.nan, math.inf):
        with pytest.raises(ParameterError, match="S must be finite"):
            power_to_db([1.0, value])


def test_a_band_without_bins_is_reported():
    config = MelConfig(n_fft=256, n_mels=128)
    empty = np.flatnonzero(naive.filterbank(config).max(axis=1) == 0)
    with pytest.warns(UserWarning, match=f"{len(empty)} of 128 mel bands hold no FFT bin"):
        mel = MelSpectrogram(config).mel(noise(1000))
    assert np.array_equal(np.flatnonzero(mel.max(axis=1) == 0), empty)


def digest() -> str:
    parts = [MelSpectrogram(MelConfig(n_fft=n_fft)).db(noise(30000)).tobytes() for n_fft in (1000, 2048)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_two_processes_give_the_same_bytes():
    command = [sys.executable, "-c", "import test_mel; print(test_mel.digest())"]
    other = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent, check=True)
    assert other.stdout.strip() == digest()


def test_streams_in_many_threads_do_not_meet():
    """Creating, which plans an FFT, and pushing, which lets other threads run, all at the same time."""
    sizes = [256, 400, 1000, 1024] * 8

    def work(n_fft: int) -> np.ndarray:
        mel_of = MelSpectrogram(MelConfig(n_fft=n_fft, n_mels=20))
        return streamed(mel_of, noise(20000, n_fft), [3000] * 5)

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(work, sizes))
    assert all(np.array_equal(got, work(n_fft)) for n_fft, got in zip(sizes, together, strict=True))


def test_a_stream_shared_by_threads_refuses_or_is_right():
    """Each piece is the same and a whole number of hops, so after the first every accepted push gives the same."""
    mel_of, piece = MelSpectrogram(MelConfig(center=False)), noise(512 * 40)
    stream = mel_of.stream()
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(stream.push, piece) for _ in range(100)]
    assert {str(call.exception()) for call in calls} <= {"None", "this stream is being used by another thread"}
    results = [call.result() for call in calls if call.exception() is None]
    expected = mel_of.db(np.tile(piece, 2))
    results.sort(key=lambda frames: frames.shape[1])
    assert np.array_equal(results[0], expected[:, :37])
    assert all(np.array_equal(frames, expected[:, 37:]) for frames in results[1:])


def test_a_config_is_a_value():
    config = MelConfig(n_fft=1024, norm=None)
    assert len({config, MelConfig(n_fft=1024, norm=None), MelConfig()}) == 2
    with pytest.raises(AttributeError, match="n_fft"):
        config.n_fft = 512
    assert MelConfig(**json.loads(json.dumps(config.to_dict()))) == config
