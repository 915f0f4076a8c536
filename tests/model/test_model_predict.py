"""From a patch in dB to probabilities: normalising, quantising, softmax, each against its naive twin."""

import math
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genre_edge.mel.spectrogram import Frames
from genre_edge.model import interpreter
from genre_edge.model.prediction import Model
from genre_edge.model.preprocessing import NORMALISATIONS, normalise, probabilities
from tests.helpers.bundles import DATA, TINY, variant


def naive_normalise(patch: np.ndarray, kind: str, top_db: float) -> np.ndarray:
    loudest = max(float(value) for value in patch.ravel())
    x = [max(float(value) - loudest, -top_db) for value in patch.ravel()]
    if kind == "minmax":
        low, high = min(x), max(x)
        y = [(value - low) / (high - low) if high > low else 0.0 for value in x]
    else:
        n = patch.shape[1]
        bands = [x[first : first + n] for first in range(0, len(x), n)]
        live = [value for band in bands if kind == "active_bands" and len(set(band)) > 1 for value in band] or x
        mean = sum(live) / len(live)
        deviation = (sum((value - mean) ** 2 for value in live) / len(live)) ** 0.5
        y = [(value - mean) / deviation if deviation > 0 else 0.0 for value in x]
    return np.array(y).reshape(patch.shape)


def some_patch(seed: int, spread: float = 15) -> Frames:
    return np.random.default_rng(seed).normal(-40, spread, (16, 8)).astype(np.float32)


@pytest.mark.parametrize("kind", NORMALISATIONS)
@pytest.mark.parametrize("top_db", [20.0, 80.0])
@pytest.mark.parametrize("seed", range(3))
def test_normalise_and_its_naive_twin(kind: str, top_db: float, seed: int) -> None:
    patch = some_patch(seed)
    before = patch.copy()
    x = normalise(patch, kind, top_db)
    np.testing.assert_allclose(x, naive_normalise(patch, kind, top_db), atol=2e-6)
    assert x.dtype == np.float32 and np.array_equal(patch, before)


@pytest.mark.parametrize("top_db", [20.0, 80.0])
def test_bands_that_nothing_reaches_do_not_squeeze_the_others(top_db: float) -> None:
    patch = some_patch(4, spread=3)
    whole = normalise(patch[:9], "active_bands", top_db)
    patch[9:] = -200
    x = normalise(patch, "active_bands", top_db)
    assert np.array_equal(x[:9], whole) and len(np.unique(x[9:])) == 1 and x[9, 0] < whole.min()
    np.testing.assert_allclose(x, naive_normalise(patch, "active_bands", top_db), atol=1e-5)
    assert normalise(patch, "standard", top_db)[:9].std() < 0.8 * whole.std()


@pytest.mark.parametrize("logits", [[0.0, 1.0, -2.0], [30.0, -40.0, 50.0], [5.0, 5.0, -90.0]])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_probabilities_and_their_naive_twin(logits: list[float], temperature: float) -> None:
    odds = [math.exp(value / temperature) for value in logits]
    np.testing.assert_allclose(probabilities(np.array(logits), 3, temperature), [v / sum(odds) for v in odds])
    genres = sum(odds[:2])
    expected = [odds[0] / genres, odds[1] / genres, 1 / (1 + math.exp(-logits[2]))]  # no temperature for the last
    np.testing.assert_allclose(probabilities(np.array(logits), 2, temperature), expected)


@pytest.mark.parametrize("kind", NORMALISATIONS)
@settings(max_examples=100, deadline=None)
@given(patch=arrays(np.float32, (4, 6), elements=st.integers(-100, 60).map(float)), gain=st.integers(-60, 60))
def test_normalise_is_the_same_for_every_gain(kind: str, patch: Frames, gain: int) -> None:
    x = normalise(patch, kind, 80.0)
    assert np.isfinite(x).all()
    if kind == "minmax":
        assert x.min() == 0 and x.max() in (0, 1)
    assert np.array_equal(normalise(patch + np.float32(gain), kind, 80.0), x)


@pytest.mark.parametrize("kind", NORMALISATIONS)
@pytest.mark.parametrize("level", [-100.0, -0.1, 0.0, 37.7])
def test_a_constant_patch_is_zeros(kind: str, level: float) -> None:
    assert not normalise(np.full((16, 8), level, dtype=np.float32), kind, 80.0).any()


def naive_probabilities(patch: Frames, temperature: float) -> np.ndarray:
    """Float arithmetic with the network's own written weights: quantising may change little."""
    weights = runpy.run_path(str(DATA / "make_tiny_bundle.py"))["weights"]()
    x = naive_normalise(patch, "standard", 80.0)
    logits = [float((x * weights[:, :, label]).sum()) / temperature for label in range(3)]
    odds = [np.exp(logit - max(logits)) for logit in logits]
    return np.array(odds) / sum(odds)


class Recorder:
    """Stands in for the runtime: keeps what goes in, and answers 5, -7, 100."""

    def __init__(self, network: Any) -> None:
        self._network, self.given = network, np.empty(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def set_tensor(self, index: int, value: np.ndarray) -> None:
        self.given = value.copy()
        self._network.set_tensor(index, value)

    def get_tensor(self, index: int) -> np.ndarray:
        return np.array([[5, -7, 100]], dtype=np.int8)


@pytest.mark.parametrize("seed", range(3))
def test_numbers_are_quantised_as_the_format_says(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """real = (integer - zero point) * scale, rounded to the nearest, at both ends of the network."""
    network = Recorder(interpreter.create((TINY / "model.tflite").read_bytes()))
    monkeypatch.setattr(interpreter, "create", lambda content, reference: network)
    patch = some_patch(seed, spread=5)
    patch[3, 5] += 100  # beyond what int8 can say
    p = Model(TINY).probabilities(patch)

    scale, zero = network.get_input_details()[0]["quantization"]
    x = normalise(patch, "standard", 80.0)
    integers = [[min(127, max(-128, round(float(value / np.float32(scale)) + zero))) for value in row] for row in x]
    assert network.given.dtype == np.int8 and network.given.shape == (1, 16, 8, 1)
    assert network.given[0, :, :, 0].tolist() == integers
    assert max(map(max, integers)) == 127

    scale, zero = network.get_output_details()[0]["quantization"]
    odds = [np.exp((integer - zero) * scale) for integer in (5, -7, 100)]
    np.testing.assert_allclose(p, np.array(odds) / sum(odds), rtol=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_probabilities_agree_with_float_arithmetic(tmp_path: Path, temperature: float) -> None:
    model = Model(variant(tmp_path / "b", temperature=temperature))
    for seed in range(5):
        patch = some_patch(seed) + np.linspace(-20, 20, 16, dtype=np.float32)[:, None]
        p = model.probabilities(patch)
        assert p.shape == (3,) and p.dtype == np.float64 and (p >= 0).all()
        assert p.sum() == pytest.approx(1, abs=1e-12)
        np.testing.assert_allclose(p, naive_probabilities(patch, temperature), atol=0.02)


def test_temperature_sharpens_and_keeps_the_order(tmp_path: Path) -> None:
    patch = some_patch(1) + np.linspace(-20, 20, 16, dtype=np.float32)[:, None]
    by_temperature = [
        Model(variant(tmp_path / str(t), temperature=t)).probabilities(patch) for t in (0.01, 0.5, 1.0, 2.0, 100.0)
    ]
    surest = [float(p.max()) for p in by_temperature]
    assert surest == sorted(surest, reverse=True) and surest[0] > 0.999 and surest[-1] < 0.35
    assert {tuple(np.argsort(p)) for p in by_temperature[1:]} == {tuple(np.argsort(by_temperature[2]))}


def test_predicting_leaves_nothing_behind() -> None:
    model = Model(TINY)
    first = model.probabilities(some_patch(1))
    model.probabilities(np.full((16, 8), -100, dtype=np.float32))
    assert np.array_equal(model.probabilities(some_patch(1)), first)
    assert np.array_equal(Model(TINY).probabilities(np.asfortranarray(some_patch(1))), first)


@pytest.mark.parametrize("name", ["edge", "paper"])
def test_the_plain_kernels_agree_with_the_fast_ones_to_a_step(name: str) -> None:
    fast, plain = Model(name), Model(name, reference=True)
    shape = fast.bundle.mel.n_mels, fast.bundle.patch_frames
    patch = np.random.default_rng(0).normal(-40, 15, shape).astype(np.float32)
    steps = (fast.logits(patch) - plain.logits(patch)) / fast.logit_step
    assert np.abs(steps - np.rint(steps)).max() < 1e-6
    assert np.abs(steps).max() < 2.5
