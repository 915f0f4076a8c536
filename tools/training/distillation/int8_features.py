"""The features behind the last layer of an int8 network, for many patches."""

import numpy as np

from genre_edge.model import interpreter
from tools.training import tflite_head


class Int8Features:
    """Function from normalised patches to the real values of the int8 features that the last layer gets.

    Args:
        tflite: content of the network's .tflite file.

    Raises:
        ModelError: the last layer cannot be separated.
    """

    def __init__(self, tflite: bytes) -> None:
        self._network = interpreter.create(tflite_head.without_last_layer(tflite))
        (self._source,), (self._sink,) = self._network.get_input_details(), self._network.get_output_details()

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return features `(k, features)`, float32, of patches `(k, n_mels, frames, 1)`."""
        return np.stack([self._features(patch) for patch in x])

    def _features(self, patch: np.ndarray) -> np.ndarray:
        scale, zero = self._source["quantization"]
        stored = np.clip(np.rint(patch[None] / scale + zero), -128, 127).astype(np.int8)
        self._network.set_tensor(self._source["index"], stored)
        self._network.invoke()
        scale, zero = self._sink["quantization"]
        features: np.ndarray = (self._network.get_tensor(self._sink["index"]).ravel().astype(np.float32) - zero) * scale
        return features
