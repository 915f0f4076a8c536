"""`normalise` and `probabilities` against naive twins."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genre_edge.mel.spectrogram import Frames
from genre_edge.model.layout import OutputLayout
from genre_edge.model.preprocessing import NORMALISATIONS, normalise, probabilities
from tests.helpers import naive
from tests.helpers.bundles import random_patch


@pytest.mark.parametrize("kind", NORMALISATIONS)
@pytest.mark.parametrize("top_db", [20.0, 80.0])
@pytest.mark.parametrize("seed", range(3))
def test_normalise_equals_naive_twin(kind: str, top_db: float, seed: int) -> None:
    """The result equals the naive twin's, and the patch is unchanged."""
    patch = random_patch(seed)
    before = patch.copy()
    x = normalise(patch, kind, top_db)
    np.testing.assert_allclose(x, naive.normalise(patch, kind, top_db), atol=2e-6)
    assert x.dtype == np.float32 and np.array_equal(patch, before)


@pytest.mark.parametrize("top_db", [20.0, 80.0])
def test_normalise_inactive_bands(top_db: float) -> None:
    """With active_bands, bands without signal do not compress the others."""
    patch = random_patch(4, spread=3)
    whole = normalise(patch[:9], "active_bands", top_db)
    patch[9:] = -200
    x = normalise(patch, "active_bands", top_db)
    assert np.array_equal(x[:9], whole) and len(np.unique(x[9:])) == 1 and x[9, 0] < whole.min()
    np.testing.assert_allclose(x, naive.normalise(patch, "active_bands", top_db), atol=1e-5)
    assert normalise(patch, "standard", top_db)[:9].std() < 0.8 * whole.std()


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


@pytest.mark.parametrize("kind", NORMALISATIONS)
@settings(max_examples=100, deadline=None)
@given(patch=arrays(np.float32, (4, 6), elements=st.integers(-100, 60).map(float)), gain=st.integers(-60, 60))
def test_normalise_any_gain(kind: str, patch: Frames, gain: int) -> None:
    """The result does not depend on the gain."""
    x = normalise(patch, kind, 80.0)
    assert np.isfinite(x).all()
    if kind == "minmax":
        assert x.min() == 0 and x.max() in (0, 1)
    assert np.array_equal(normalise(patch + np.float32(gain), kind, 80.0), x)


@pytest.mark.parametrize("kind", NORMALISATIONS)
@pytest.mark.parametrize("level", [-100.0, -0.1, 0.0, 37.7])
def test_normalise_constant_patch(kind: str, level: float) -> None:
    """A constant patch becomes zeros."""
    assert not normalise(np.full((16, 8), level, dtype=np.float32), kind, 80.0).any()


def test_normalise_any_memory_order() -> None:
    """The memory order of a patch does not change the result."""
    patch = np.random.default_rng(0).normal(-40, 10, (128, 64)).astype(np.float32)
    for kind in NORMALISATIONS:
        assert np.array_equal(normalise(patch, kind, 80.0), normalise(np.asfortranarray(patch), kind, 80.0))
