"""`normalise` and `probabilities` against naive twins."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames
from genre_edge.model.layout import OutputLayout
from genre_edge.model.preprocessing import NORMALISATIONS, normalise, pre_emphasis_gain, probabilities
from tests.helpers import naive
from tests.helpers.bundles import random_patch

TO_MAXIMUM = [kind for kind in NORMALISATIONS if kind != "pre_emphasis"]  # kinds that refer to the patch's maximum


def mel(n_mels: int) -> MelConfig:
    return MelConfig(n_mels=n_mels)


@pytest.mark.parametrize("kind", NORMALISATIONS)
@pytest.mark.parametrize("top_db", [20.0, 80.0])
@pytest.mark.parametrize("seed", range(3))
def test_normalise_equals_naive_twin(kind: str, top_db: float, seed: int) -> None:
    """The result equals the naive twin's, and the patch is unchanged."""
    patch = random_patch(seed)
    before = patch.copy()
    config = mel(len(patch))
    x = normalise(patch, kind, top_db, config)
    np.testing.assert_allclose(x, naive.normalise(patch, kind, top_db, config), atol=2e-6)
    assert x.dtype == np.float32 and np.array_equal(patch, before)


@pytest.mark.parametrize("top_db", [20.0, 80.0])
def test_normalise_inactive_bands(top_db: float) -> None:
    """With active_bands, bands without signal do not compress the others."""
    patch = random_patch(4, spread=3)
    whole = normalise(patch[:9], "active_bands", top_db, mel(9))
    patch[9:] = -200
    x = normalise(patch, "active_bands", top_db, mel(16))
    assert np.array_equal(x[:9], whole) and len(np.unique(x[9:])) == 1 and x[9, 0] < whole.min()
    np.testing.assert_allclose(x, naive.normalise(patch, "active_bands", top_db, mel(16)), atol=1e-5)
    assert normalise(patch, "standard", top_db, mel(16))[:9].std() < 0.8 * whole.std()


@pytest.mark.parametrize("logits", [[0.0, 1.0, -2.0], [30.0, -40.0, 50.0], [5.0, 5.0, -90.0]])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_probabilities_equal_naive_twin(logits: list[float], temperature: float) -> None:
    """Softmax with temperature, with and without an output for "not music"."""
    odds = [math.exp(value / temperature) for value in logits]
    p = probabilities(np.array(logits), OutputLayout(3), temperature)
    np.testing.assert_allclose(p, [v / sum(odds) for v in odds])
    genres = sum(odds[:2])
    expected = [odds[0] / genres, odds[1] / genres, 1 / (1 + math.exp(-logits[2]))]  # no temperature for the last
    p = probabilities(np.array(logits), OutputLayout(2, has_not_music=True), temperature)
    np.testing.assert_allclose(p, expected)


LOGITS = st.lists(st.integers(-200, 200).map(lambda n: n / 10), min_size=8, max_size=8)


@settings(max_examples=100, deadline=None)
@given(LOGITS, st.sampled_from([0.5, 1.0, 3.0]))
def test_probabilities_styles_and_sounds(logits: list[float], temperature: float) -> None:
    """Styles are independent, a parent has at least its child's probability; sounds determine "not music"."""
    layout = OutputLayout(2, 3, 3, has_not_music=True, style_links=((0, 2), (2, 1)))  # style 1 > style 2 > style 0
    p = probabilities(np.array(logits), layout, temperature)
    assert layout.n_logits == 8 and len(p) == layout.n_probabilities == 9
    assert p[layout.labels] == pytest.approx(naive_softmax(logits[:2], temperature))
    own = [1 / (1 + math.exp(-x)) for x in logits[2:5]]  # without temperature
    assert p[layout.styles] == pytest.approx([own[0], max(own), max(own[0], own[2])])
    assert p[layout.sounds] == pytest.approx(naive_softmax(logits[5:], 1.0))
    assert layout.not_music == 8 and p[8] == pytest.approx(1 - p[5])
    many = probabilities(np.array([[logits, logits[::-1]]]), layout, temperature)
    assert many.shape == (1, 2, 9) and np.array_equal(many[0, 0], p)


def test_probabilities_styles_without_sounds() -> None:
    """Without sounds, the last logit is the log odds that the audio is not music."""
    layout = OutputLayout(2, 1, 0, has_not_music=True)
    p = probabilities(np.array([1.0, 1.0, -3.0, 2.0]), layout, 1.0)
    np.testing.assert_allclose(p, [0.5, 0.5, 1 / (1 + math.exp(3)), 1 / (1 + math.exp(-2))])
    assert layout.n_logits == layout.n_probabilities == 4 and layout.not_music == 3
    assert OutputLayout(2, 1).not_music is None


def naive_softmax(logits: list[float], temperature: float) -> list[float]:
    odds = [math.exp((value - max(logits)) / temperature) for value in logits]
    return [value / sum(odds) for value in odds]


@pytest.mark.parametrize("kind", NORMALISATIONS)
@settings(max_examples=100, deadline=None)
@given(patch=arrays(np.float32, (4, 6), elements=st.integers(-100, 60).map(float)), gain=st.integers(-60, 60))
def test_normalise_any_gain(kind: str, patch: Frames, gain: int) -> None:
    """The result does not depend on the gain."""
    x = normalise(patch, kind, 80.0, mel(4))
    assert np.isfinite(x).all()
    if kind == "minmax":
        assert x.min() == 0 and x.max() in (0, 1)
    assert np.array_equal(normalise(patch + np.float32(gain), kind, 80.0, mel(4)), x)


@pytest.mark.parametrize("kind", TO_MAXIMUM)
@pytest.mark.parametrize("level", [-100.0, -0.1, 0.0, 37.7])
def test_normalise_constant_patch(kind: str, level: float) -> None:
    """A constant patch becomes zeros."""
    assert not normalise(np.full((16, 8), level, dtype=np.float32), kind, 80.0, mel(16)).any()


def test_normalise_any_memory_order() -> None:
    """The memory order of a patch does not change the result."""
    patch = np.random.default_rng(0).normal(-40, 10, (128, 64)).astype(np.float32)
    for kind in NORMALISATIONS:
        in_fortran_order = np.asfortranarray(patch)
        x = normalise(patch, kind, 80.0, mel(128))
        assert np.array_equal(x, normalise(in_fortran_order, kind, 80.0, mel(128)))


def test_pre_emphasis_whitens_brown_noise() -> None:
    """The gain is that of the filter: it makes up for noise that loses 6 dB per octave, but not below 150 Hz."""
    config = MelConfig(sr=32000, n_fft=1024, n_mels=64, htk=True)
    filterbank = naive.filterbank(config)
    frequency = np.arange(filterbank.shape[1]) * np.pi / 512
    brown = filterbank @ (1 / np.maximum(2 - 2 * np.cos(frequency), 1e-3)) / filterbank.sum(axis=1)
    level_db = 10 * np.log10(brown[8:] * pre_emphasis_gain(config)[8:, 0])
    assert np.ptp(level_db) < 1.5 < 25 < np.ptp(10 * np.log10(brown[8:]))


def test_pre_emphasis_keeps_level_of_loud_bands() -> None:
    """A band limit changes the values of the other bands by a constant: the gain."""
    patch = random_patch(2, spread=3)
    whole = normalise(patch, "pre_emphasis", 80.0, mel(16))
    patch[12:] = -200
    difference = normalise(patch, "pre_emphasis", 80.0, mel(16))[:12] - whole[:12]
    assert np.ptp(difference) < 1e-3
