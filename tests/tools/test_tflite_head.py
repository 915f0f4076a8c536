"""tools/training/tflite_head.py: the last layer of an int8 network, read, cut off and replaced."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("flatbuffers", reason="training needs the extra 'train'")
from ai_edge_litert import schema_py_generated as schema

from genre_edge.errors import ModelError
from genre_edge.model import interpreter
from genre_edge.model.bundle import MODELS, Bundle
from tests.helpers.bundles import FLOAT_TFLITE, TINY
from tools.training import tflite_head

BUNDLES = [MODELS / "edge", MODELS / "nano", MODELS / "paper", TINY]


def read(bundle: Path) -> bytes:
    return (bundle / "model.tflite").read_bytes()


def run(content: bytes, inputs: np.ndarray) -> np.ndarray:
    """Return a network's int8 outputs, one row for each input."""
    network = interpreter.create(content)
    (source,), (sink,) = network.get_input_details(), network.get_output_details()
    rows = []
    for values in inputs:
        network.set_tensor(source["index"], values.reshape(source["shape"]))
        network.invoke()
        rows.append(network.get_tensor(sink["index"]).ravel().copy())
    return np.array(rows)


def random_int8(content: bytes, n: int) -> np.ndarray:
    (source,) = interpreter.create(content).get_input_details()
    return np.random.default_rng(0).integers(-128, 128, (n, *source["shape"]), dtype=np.int8)


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.name)
def test_network_divided_at_last_layer(bundle: Path) -> None:
    """Both parts in succession compute what the network computes; in real numbers, the last layer does, too."""
    content = read(bundle)
    inputs = random_int8(content, 3)
    features = run(tflite_head.without_last_layer(content), inputs)
    expected = run(content, inputs)
    assert np.array_equal(run(tflite_head.only_last_layer(content), features), expected)
    layer = tflite_head.last_layer(content)
    assert layer.weights.shape == (features.shape[1], Bundle.load(bundle).n_outputs)
    real = layer((features.astype(float) - layer.features.zero) * layer.features.scale)
    stored = np.clip(real / layer.outputs.scale + layer.outputs.zero, -128, 127)
    assert np.abs(stored - expected).max() <= 0.51


def test_replaced_layer_has_short_names() -> None:
    """The converter's names, an eighth of `nano`, become numbers; the network keeps its other layers."""
    content = read(MODELS / "nano")
    layer = tflite_head.last_layer(content)
    new = tflite_head.replace_layer(content, layer.weights, layer.bias, layer.outputs.limits)
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(new, 0)).subgraphs[0]
    assert [tensor.name for tensor in graph.tensors] == [str(i).encode() for i in range(len(graph.tensors))]
    inputs = random_int8(content, 2)
    assert np.array_equal(
        run(tflite_head.without_last_layer(new), inputs), run(tflite_head.without_last_layer(content), inputs)
    )


@settings(max_examples=15, deadline=None)
@given(
    bundle=st.sampled_from(BUNDLES),
    n_new=st.integers(1, 20),
    exponent=st.floats(-9, 1),
    bias=st.floats(-30, 30),
    seed=st.integers(0, 1000),
)
def test_replaced_outputs(bundle: Path, n_new: int, exponent: float, bias: float, seed: int) -> None:
    """New outputs follow integer arithmetic to one step, clipped to int8; all others keep their bits."""
    content, rng = read(bundle), np.random.default_rng(seed)
    old = tflite_head.last_layer(content)
    n_features, n_old = old.weights.shape
    start, stop = sorted(rng.integers(0, n_old + 1, 2))
    own = slice(start, start + n_new)
    weights = rng.normal(size=(n_features, n_new)) * 10**exponent
    biases = bias * rng.random(n_new)
    content_new = tflite_head.replace_outputs(content, slice(start, stop), weights, biases)
    new = tflite_head.last_layer(content_new)
    assert (new.features, new.outputs) == (old.features, old.outputs)
    step = max(np.abs(weights).max() / 127, np.abs(biases).max() / old.features.scale / 2**30)
    assert np.abs(new.weights[:, own] - weights).max() <= step

    def others(values: np.ndarray, part: slice) -> np.ndarray:
        return np.delete(values, part, axis=1)

    assert np.array_equal(others(new.weights, own), others(old.weights, slice(start, stop)))

    features = rng.integers(-128, 128, (4, n_features), dtype=np.int8)
    before = run(tflite_head.only_last_layer(content), features)
    after = run(tflite_head.only_last_layer(content_new), features)
    assert after.shape == (4, n_old - (stop - start) + n_new)
    assert np.array_equal(others(after, own), others(before, slice(start, stop)))
    real = new((features.astype(float) - new.features.zero) * new.features.scale)[:, own]
    expected = np.clip(np.rint(real / new.outputs.scale) + new.outputs.zero, -128, 127)
    assert np.abs(after[:, own] - expected).max() <= 1


def _features(content: bytes) -> int:
    return len(tflite_head.last_layer(content).weights)


def test_other_layers_keep_their_values() -> None:
    """The features of a network with replaced outputs are those of the original, and the whole network runs."""
    content = read(MODELS / "edge")
    new = tflite_head.replace_outputs(content, slice(0, 10), np.full((_features(content), 2), 0.01), np.zeros(2))
    inputs = random_int8(content, 3)
    without = (tflite_head.without_last_layer(content), tflite_head.without_last_layer(new))
    assert np.array_equal(run(without[0], inputs), run(without[1], inputs))
    assert np.array_equal(run(new, inputs)[:, 2:], run(content, inputs)[:, 10:])


def test_replaced_layer() -> None:
    """A new layer with a range of its own follows real arithmetic to a step of the output, also with more outputs."""
    content, rng = read(MODELS / "edge"), np.random.default_rng(0)
    features = tflite_head.last_layer(content).features
    n_features = len(tflite_head.last_layer(content).weights)
    weights, bias = 0.1 * rng.normal(size=(n_features, 30)), rng.normal(size=30)
    stored = rng.integers(-128, 128, (20, n_features), dtype=np.int8)
    expected = (stored.astype(float) - features.zero) * features.scale @ weights + bias
    limits = float(expected.min()), float(expected.max()) / 2
    new = tflite_head.replace_layer(content, weights, bias, limits)
    outputs = tflite_head.last_layer(new).outputs
    assert outputs.scale == pytest.approx((limits[1] - limits[0]) / 255)
    real = (run(tflite_head.only_last_layer(new), stored).astype(float) - outputs.zero) * outputs.scale
    deviation = np.abs(weights).max(axis=0) / 254 * np.abs((stored - features.zero) * features.scale).sum(axis=1).max()
    assert (np.abs(real - np.clip(expected, *limits)) <= deviation + outputs.scale).all()
    assert real.max() == pytest.approx(limits[1], abs=outputs.scale)  # clipped


def test_constants_are_aligned() -> None:
    """Each constant begins at a multiple of 16 bytes, as the schema requires, and none is lost."""
    content = read(MODELS / "edge")
    content = tflite_head.replace_outputs(content, slice(0, 10), np.zeros((_features(content), 3)), np.zeros(3))
    assert content[4:8] == b"TFL3"
    model = schema.Model.GetRootAs(content, 0)
    buffers = [model.Buffers(i).DataAsNumpy() for i in range(model.BuffersLength()) if model.Buffers(i).DataLength()]
    offsets = [content.find(data.tobytes()) for data in buffers if len(data) > 64]
    assert len(offsets) > 20
    assert all(offset > 0 and offset % 16 == 0 for offset in offsets)


def test_unsuitable_networks() -> None:
    """A float network, and one whose last operator is another, are refused with the reason."""
    with pytest.raises(ModelError, match="not int8 cannot get other genres"):
        tflite_head.last_layer(FLOAT_TFLITE.read_bytes())
    with pytest.raises(ModelError, match="does not end with a fully connected layer"):
        tflite_head.last_layer(tflite_head.without_last_layer(read(TINY)))
