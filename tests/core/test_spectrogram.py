"""Mel spectrograms: the numbers, and what is refused."""

import json
import math
import re

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_edge.errors import ParameterError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.features import melspectrogram
from genre_edge.mel.spectrogram import MelSpectrogram
from tests.helpers import naive
from tests.helpers.mel import LANES, SMALL, STEADY, USUAL, noise

pytestmark = pytest.mark.filterwarnings("ignore:.*mel bands hold no FFT bin", "ignore:Empty filters")


@STEADY
@given(config=USUAL, lanes=LANES)
def test_agrees_with_librosa(song_samples, config, lanes):
    """1e-4 and 5e-4 dB down to 50 dB below the frame's loudest band, 5e-3 down to 80 dB below.

    An FFT in float32 errs relative to the loudest bin of the frame: any band's error stays 90 dB below the loudest.
    Lengths are no whole number of hops, where librosa may take the last mirrored sample from the wrong place.
    """
    parameters, mel_of = config.to_dict(), MelSpectrogram(config, lanes=lanes)
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
@given(config=SMALL, lanes=LANES, y=signals_of_kinds())
def test_agrees_with_the_definition(config, lanes, y):
    """The error is measured by the loudest bin, which even a band that only touches it may feel; squares underflow."""
    expected = naive.melspectrogram(y, config)
    loudest_bin = naive.spectrum(y.astype(np.float64), config).max(axis=0, initial=0)
    mel_of = MelSpectrogram(config, lanes=lanes)
    got = mel_of.mel(y)
    assert got.shape == expected.shape
    widths = naive.filterbank(config).sum(axis=1)[:, np.newaxis]
    assert (np.abs(got - expected) <= 1e-5 * expected + 2e-6 * (widths + 1e-6) * loudest_bin + 1e-18).all()
    assert np.abs(mel_of.db(y) - naive.power_to_db(got, top_db=None)).max(initial=0) < 1e-4


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


def test_a_band_without_bins_is_reported():
    config = MelConfig(n_fft=256, n_mels=128)
    empty = np.flatnonzero(naive.filterbank(config).max(axis=1) == 0)
    with pytest.warns(UserWarning, match=f"{len(empty)} of 128 mel bands hold no FFT bin"):
        mel = MelSpectrogram(config).mel(noise(1000))
    assert np.array_equal(np.flatnonzero(mel.max(axis=1) == 0), empty)


def test_a_config_is_a_value():
    config = MelConfig(n_fft=1024, norm=None)
    assert len({config, MelConfig(n_fft=1024, norm=None), MelConfig()}) == 2
    with pytest.raises(AttributeError, match="n_fft"):
        config.n_fft = 512
    assert MelConfig(**json.loads(json.dumps(config.to_dict()))) == config
