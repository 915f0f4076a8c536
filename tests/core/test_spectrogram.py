"""`MelSpectrogram` and `MelConfig`: numbers and errors."""

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
from genre_edge.mel.spectrogram import ACCURATE_RANGE_DB, MelSpectrogram
from tests.helpers import naive
from tests.helpers.mel import DERANDOMIZED, LANES, SMALL, USUAL, noise

pytestmark = pytest.mark.filterwarnings("ignore:.*mel bands hold no FFT bin", "ignore:Empty filters")


@pytest.mark.slow
@DERANDOMIZED
@given(config=USUAL, lanes=LANES)
def test_spectrogram_agrees_with_librosa(song_samples, config, lanes):
    """Errors are below 1e-4 and 5e-4 dB in the accurate range, and below 5e-3 down to 80 dB below the loudest band.

    The error of a float32 FFT is relative to the frame's loudest bin: each band's error stays 90 dB below the loudest.
    The lengths are not multiples of the hop, since librosa reflects a wrong last sample for some multiples.
    """
    parameters, spectrogram = config.to_dict(), MelSpectrogram(config, lanes=lanes)
    for y in (song_samples[:132301], noise(44101)):
        expected = librosa.feature.melspectrogram(y=y, **parameters)
        actual = spectrogram.mel(y)
        assert (actual.shape, actual.dtype) == (expected.shape, np.float32)
        error, loudest = np.abs(actual - expected), expected.max(axis=0)
        near, audible = (
            (expected >= loudest * 10 ** (-x * config.power)) & (expected > 1e-10) for x in (ACCURATE_RANGE_DB / 20, 4)
        )
        assert (error[near] / expected[near]).max() < 1e-4
        assert (error[audible] / expected[audible]).max() < 5e-3
        assert (error <= 1e-4 * expected + 10 ** (-4.5 * config.power) * loudest + 1e-18).all()
        assert np.abs(spectrogram.db(y) - librosa.power_to_db(expected, top_db=None))[near].max() < 5e-4
    shape = {name: parameters[name] for name in ("sr", "n_fft", "n_mels", "fmin", "fmax", "htk", "norm")}
    weights = librosa.filters.mel(**shape)
    assert np.abs(spectrogram.filterbank() - weights).max() < 1e-6 * weights.max()
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


@DERANDOMIZED
@given(config=SMALL, lanes=LANES, y=signals_of_kinds())
def test_spectrogram_agrees_with_naive_twin(config, lanes, y):
    """The tolerance is relative to the frame's loudest bin, which affects neighbouring bands; squares may underflow."""
    expected = naive.melspectrogram(y, config)
    loudest_bin = naive.spectrum(y.astype(np.float64), config).max(axis=0, initial=0)
    spectrogram = MelSpectrogram(config, lanes=lanes)
    actual = spectrogram.mel(y)
    assert actual.shape == expected.shape
    widths = naive.filterbank(config).sum(axis=1)[:, np.newaxis]
    assert (np.abs(actual - expected) <= 1e-5 * expected + 2e-6 * (widths + 1e-6) * loudest_bin + 1e-18).all()
    assert np.abs(spectrogram.db(y) - naive.power_to_db(actual, top_db=None)).max(initial=0) < 1e-4


NOT_INTEGERS = [True, False, 1.0, "16", math.nan, [1]]
NOT_NUMBERS = [True, "1000", math.nan, math.inf, -math.inf, 1j, [1]]
INVALID = [  # parameter, pattern of the message, values
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
def test_config_invalid_parameter(name, allowed, value):
    """The error names the parameter, the allowed values and the actual value."""
    with pytest.raises(ParameterError, match=allowed) as error:
        MelConfig(**{name: value})
    rule, _, got = str(error.value).rpartition("got ")
    assert name in rule and repr(value) in got


def test_melspectrogram_unknown_parameter():
    """An unknown parameter is a ParameterError that names it."""
    with pytest.raises(ParameterError, match="hops"):
        melspectrogram(noise(10), hops=3)


def test_melspectrogram_invalid_samples():
    """Samples must be one-dimensional floating point."""
    for y in (np.zeros(99, np.int16), np.zeros(99, complex), np.zeros(99, bool), ["a"], [1, 2], None):
        with pytest.raises(ParameterError, match=f"y must be floating point.*got {np.asarray(y).dtype}"):
            melspectrogram(y)
    for shape in [(), (2, 99), (99, 1), (0, 2)]:
        with pytest.raises(ParameterError, match=re.escape(f"y must be one-dimensional (mono), got shape {shape}")):
            melspectrogram(np.zeros(shape, np.float32))


def test_melspectrogram_any_memory_layout():
    """Memory layout, byte order and container of the samples do not matter."""
    y = noise(6000)
    expected = melspectrogram(y)
    locked, spread = y.copy(), np.stack([y, y], axis=1)[:, 1]
    locked.setflags(write=False)
    for same in (locked, spread, y[::-1].copy()[::-1], y.astype(np.float64), y.astype(">f4"), y.tolist()):
        assert np.array_equal(melspectrogram(same), expected)
    assert np.array_equal(locked, y)


def test_melspectrogram_too_few_samples():
    """A signal too short for one frame gives zero frames."""
    for n, center in [(0, True), (0, False), (2047, False)]:
        assert melspectrogram(np.zeros(n, np.float32), center=center, n_mels=40).shape == (40, 0)


def test_spectrogram_warns_of_empty_bands():
    """The warning counts exactly the bands whose filter holds no FFT bin."""
    config = MelConfig(n_fft=256, n_mels=128)
    empty = np.flatnonzero(naive.filterbank(config).max(axis=1) == 0)
    with pytest.warns(UserWarning, match=f"{len(empty)} of 128 mel bands hold no FFT bin"):
        mel = MelSpectrogram(config).mel(noise(1000))
    assert np.array_equal(np.flatnonzero(mel.max(axis=1) == 0), empty)


def test_config_is_immutable_value():
    """Configurations compare and hash by value, cannot be changed, and survive a round trip through JSON."""
    config = MelConfig(n_fft=1024, norm=None)
    assert len({config, MelConfig(n_fft=1024, norm=None), MelConfig()}) == 2
    with pytest.raises(AttributeError, match="n_fft"):
        config.n_fft = 512
    assert MelConfig(**json.loads(json.dumps(config.to_dict()))) == config
