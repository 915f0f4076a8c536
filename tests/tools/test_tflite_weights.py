"""tools/training/tflite_weights.py: the weights of an int8 network in real numbers."""

import numpy as np
import pytest

pytest.importorskip("flatbuffers", reason="training needs the extra 'train'")
from genre_edge.errors import ModelError
from genre_edge.model.bundle import MODELS
from tests.helpers.bundles import FLOAT_TFLITE
from tools.training import tflite_head, tflite_weights


def test_weights_of_last_layer() -> None:
    """The last weights are those of the last layer, which another module reads."""
    content = (MODELS / "nano" / "model.tflite").read_bytes()
    kernel, bias = tflite_weights.weights(content)[-1]
    layer = tflite_head.last_layer(content)
    np.testing.assert_allclose(kernel, layer.weights, rtol=1e-6)
    np.testing.assert_allclose(bias, layer.bias, rtol=1e-6)


def test_float_network_is_refused() -> None:
    with pytest.raises(ModelError, match=r"not int8|without bias"):
        tflite_weights.weights(FLOAT_TFLITE.read_bytes())
