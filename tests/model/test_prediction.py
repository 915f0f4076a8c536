"""`Model`: quantisation, temperature and kernels, against naive twins."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genre_edge.diagnostics import golden
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames
from genre_edge.model import interpreter
from genre_edge.model.prediction import Model
from genre_edge.model.preprocessing import normalise
from tests.helpers import naive
from tests.helpers.bundles import DATA, TINY, random_patch, variant


def naive_probabilities(patch: Frames, temperature: float) -> np.ndarray:
    """Return the probabilities by float arithmetic with the weights in make_tiny_bundle.py."""
    weights = runpy.run_path(str(DATA / "make_tiny_bundle.py"))["weights"]()
    x = naive.normalise(patch, "standard", 80.0, MelConfig(n_mels=len(patch)))
    logits = [float((x * weights[:, :, label]).sum()) / temperature for label in range(3)]
    odds = [np.exp(logit - max(logits)) for logit in logits]
    return np.array(odds) / sum(odds)


class Recorder:
    """An interpreter that records its input, and outputs 5, -7, 100."""

    def __init__(self, network: Any) -> None:
        self._network, self.input = network, np.empty(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def set_tensor(self, index: int, value: np.ndarray) -> None:
        self.input = value.copy()
        self._network.set_tensor(index, value)

    def get_tensor(self, index: int) -> np.ndarray:
        return np.array([[5, -7, 100]], dtype=np.int8)


@pytest.mark.parametrize("seed", range(3))
def test_model_quantisation(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Input and output are quantised as TensorFlow Lite defines: real = (integer - zero point) * scale."""
    network = Recorder(interpreter.create((TINY / "model.tflite").read_bytes()))
    monkeypatch.setattr(interpreter, "create", lambda content, reference: network)
    patch = random_patch(seed, spread=5)
    patch[3, 5] += 100  # out of the range of int8
    p = Model(TINY).probabilities(patch)

    scale, zero = network.get_input_details()[0]["quantization"]
    x = normalise(patch, "standard", 80.0, MelConfig(n_mels=len(patch)))
    integers = [[min(127, max(-128, round(float(value / np.float32(scale)) + zero))) for value in row] for row in x]
    assert network.input.dtype == np.int8 and network.input.shape == (1, 16, 8, 1)
    assert network.input[0, :, :, 0].tolist() == integers
    assert max(map(max, integers)) == 127

    scale, zero = network.get_output_details()[0]["quantization"]
    odds = [np.exp((integer - zero) * scale) for integer in (5, -7, 100)]
    np.testing.assert_allclose(p, np.array(odds) / sum(odds), rtol=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_model_agrees_with_float_arithmetic(tmp_path: Path, temperature: float) -> None:
    """The int8 network agrees with float arithmetic."""
    model = Model(variant(tmp_path / "b", temperature=temperature))
    for seed in range(5):
        patch = random_patch(seed) + np.linspace(-20, 20, 16, dtype=np.float32)[:, None]
        p = model.probabilities(patch)
        assert p.shape == (3,) and p.dtype == np.float64 and (p >= 0).all()
        assert p.sum() == pytest.approx(1, abs=1e-12)
        np.testing.assert_allclose(p, naive_probabilities(patch, temperature), atol=0.02)


def test_model_temperature(tmp_path: Path) -> None:
    """A lower temperature sharpens the probabilities and keeps their order."""
    patch = random_patch(1) + np.linspace(-20, 20, 16, dtype=np.float32)[:, None]
    by_temperature = [
        Model(variant(tmp_path / str(t), temperature=t)).probabilities(patch) for t in (0.01, 0.5, 1.0, 2.0, 100.0)
    ]
    highest = [float(p.max()) for p in by_temperature]
    assert highest == sorted(highest, reverse=True) and highest[0] > 0.999 and highest[-1] < 0.35
    assert {tuple(np.argsort(p)) for p in by_temperature[1:]} == {tuple(np.argsort(by_temperature[2]))}


def test_model_has_no_state() -> None:
    """A prediction does not depend on earlier ones."""
    model = Model(TINY)
    first = model.probabilities(random_patch(1))
    model.probabilities(np.full((16, 8), -100, dtype=np.float32))
    assert np.array_equal(model.probabilities(random_patch(1)), first)
    assert np.array_equal(Model(TINY).probabilities(np.asfortranarray(random_patch(1))), first)


@pytest.mark.parametrize("name", ["edge", "nano", "paper"])
def test_model_reference_kernels(name: str) -> None:
    """Reference and optimised kernels agree within the int8 steps that `doctor` allows."""
    optimised, reference = Model(name), Model(name, reference=True)
    shape = optimised.bundle.mel.n_mels, optimised.bundle.patch_frames
    patch = np.random.default_rng(0).normal(-40, 15, shape).astype(np.float32)
    steps = (optimised.logits(patch) - reference.logits(patch)) / optimised.logit_step
    assert np.abs(steps - np.rint(steps)).max() < 1e-6
    assert np.rint(np.abs(steps)).max() <= golden.STEP_LIMIT
