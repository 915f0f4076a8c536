"""The functions with librosa's names agree with librosa."""

import math

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_edge.errors import ParameterError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.features import mfcc, power_to_db
from genre_edge.mel.spectrogram import MelSpectrogram
from tests.helpers import naive
from tests.helpers.mel import DERANDOMIZED, noise, supported_lanes


@pytest.mark.slow
@pytest.mark.parametrize("ref", [1.0, 0.25, -4.0, 0.0, np.max, np.median])
@pytest.mark.parametrize("amin", [1e-10, 1e-5, 0.5])
@pytest.mark.parametrize("top_db", [80.0, 10.0, 0.0, None])
def test_power_to_db_agrees_with_librosa(ref, amin, top_db):
    """Decibels agree with librosa and with the definition to 5e-5 dB, for all parameters."""
    power = np.exp(np.random.default_rng(0).uniform(-30, 10, (7, 50))).astype(np.float32)
    got, expected = (f(power, ref=ref, amin=amin, top_db=top_db) for f in (power_to_db, librosa.power_to_db))
    assert got.dtype == np.float32
    # A few steps of float32 at 140 dB: numpy's logarithm differs by processor.
    exact = naive.power_to_db(power, ref(power) if callable(ref) else ref, amin, top_db)
    for other in (expected, exact):
        assert np.abs(got - other).max() < 5e-5


def test_power_to_db_edge_cases():
    """Empty spectrograms are accepted; invalid parameters and values are errors that name them."""
    assert power_to_db(np.zeros((4, 0))).shape == (4, 0)
    for name, value in [("amin", 0), ("amin", -1), ("amin", True), ("top_db", -1), ("top_db", "80"), ("ref", math.nan)]:
        with pytest.raises(ParameterError, match=rf"{name} .*{value}"):
            power_to_db(np.ones(3), **{name: value})
    for value in (math.nan, math.inf):
        with pytest.raises(ParameterError, match="S must be finite"):
            power_to_db([1.0, value])


@pytest.mark.slow
@DERANDOMIZED
@given(
    n_mfcc=st.integers(1, 40),
    lifter=st.sampled_from([0, 22, 5.5]),
    n_mels=st.sampled_from([40, 64, 128]),
    top_db=st.sampled_from([80.0, 20.0, None]),
    lanes=st.sampled_from(supported_lanes()),
)
def test_mfcc_agrees_with_librosa(song_samples, n_mfcc, lifter, n_mels, top_db, lanes):
    """Where dB agree to 5e-4, coefficients agree to 5e-4 times the root of the number of bands, times the lifter."""
    y, parameters = song_samples[:60001], {"n_fft": 1024, "hop_length": 512, "n_mels": n_mels}
    mel = librosa.feature.melspectrogram(y=y, **parameters)
    expected = librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=top_db), n_mfcc=n_mfcc, lifter=lifter)
    got = MelSpectrogram(MelConfig(**parameters), lanes=lanes).mfcc(y, n_mfcc, lifter, top_db)
    assert (got.shape, got.dtype) == (expected.shape, np.float32)
    assert np.abs(got - expected).max() < 5e-4 * np.sqrt(n_mels) * (1 + lifter / 2)


@pytest.mark.slow
def test_mfcc_defaults_agree_with_librosa(song_samples):
    """`mfcc` of samples agrees with librosa, for default and other parameters."""
    y = song_samples[:60001]
    for parameters in ({}, {"n_mfcc": 13, "lifter": 22, "fmin": 60.0, "htk": True, "mel_norm": None}):
        expected = librosa.feature.mfcc(y=y, **parameters)
        assert np.abs(mfcc(y, **parameters) - expected).max() < 5e-3 * (1 + parameters.get("lifter", 0) / 2)


MFCC_CASES = [(128, 20, 0.0), (40, 40, 22.0), (7, 3, 1.0), (1, 1, 0.0)]


@pytest.mark.parametrize("n_mels, n_mfcc, lifter", MFCC_CASES)
def test_mfcc_agrees_with_naive_twin(n_mels, n_mfcc, lifter):
    """MFCCs of a spectrogram agree with sums of cosines."""
    S = noise(n_mels * 11).reshape(n_mels, 11) * 100
    expected = naive.mfcc(S, n_mfcc, lifter)
    assert np.abs(mfcc(S=S, n_mfcc=n_mfcc, lifter=lifter) - expected).max() < 1e-3 * (1 + lifter)


@pytest.mark.slow
@pytest.mark.parametrize("n_mels, n_mfcc, lifter", MFCC_CASES)
def test_naive_mfcc_agrees_with_librosa(n_mels, n_mfcc, lifter):
    """The naive twin itself agrees with librosa."""
    S = noise(n_mels * 11).reshape(n_mels, 11) * 100
    expected = librosa.feature.mfcc(S=S, n_mfcc=n_mfcc, lifter=lifter)
    assert np.abs(naive.mfcc(S, n_mfcc, lifter) - expected).max() < 1e-3 * (1 + lifter)


def test_mfcc_stream_equals_batch():
    """A stream of MFCCs has the bits of the whole signal's, and of its dB frames."""
    spectrogram, y = MelSpectrogram(), noise(30000)
    stream = spectrogram.stream(n_mfcc=13, lifter=22)
    pieces = [stream.push(piece) for piece in np.split(y, [1, 700, 9000, 29999])]
    got = np.concatenate([*pieces, stream.flush()], axis=1)
    assert np.array_equal(got, spectrogram.mfcc(y, 13, 22, top_db=None))
    assert np.array_equal(got, spectrogram.mfcc_of_db(spectrogram.db(y), 13, 22))
    assert got.shape == (13, 59)


def test_mfcc_invalid_arguments():
    """Each invalid argument is a ParameterError with the reason."""
    y = noise(5000)
    for arguments, reason in (
        ({"y": y, "n_mfcc": 0}, "n_mfcc must be an integer from 1 to 128"),
        ({"y": y, "n_mfcc": 129}, "n_mfcc must be"),
        ({"y": y, "lifter": -1}, "lifter must not be negative"),
        ({"y": y, "top_db": -1}, "top_db must not be negative"),
        ({"y": y, "dct_type": 3}, "dct_type must be one of 2"),
        ({"y": y, "norm": None}, "norm must be one of 'ortho'"),
        ({"y": y, "colour": 3}, "unknown parameter colour"),
        ({}, "either y or S"),
        ({"y": y, "S": y}, "either y or S"),
        ({"S": y}, "S must be"),
        ({"S": np.full((40, 3), np.nan)}, "S must be finite"),
    ):
        with pytest.raises(ParameterError, match=reason):
            mfcc(**arguments)
    with pytest.raises(ParameterError, match="exclude each other"):
        MelSpectrogram().stream(decibel=False, n_mfcc=3)
    assert mfcc(np.zeros(0)).shape == (20, 0)
