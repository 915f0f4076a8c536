"""`Model`: a verified bundle and its network, which computes probabilities of patches."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genre_edge.errors import ModelError
from genre_edge.mel.spectrogram import Frames
from genre_edge.model import interpreter
from genre_edge.model.bundle import Bundle, bundle_path, read_limited
from genre_edge.model.preprocessing import normalise, probabilities

_TFLITE_LIMIT = 64 << 20  # bytes; far above the shipped networks


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


class Model:
    """A verified bundle and its network. Use one model in one thread at a time.

    Args:
        model: an installed bundle's name, or a bundle's directory.
        reference: use the runtime's reference kernels instead of the optimised ones.

    Attributes:
        path: directory of the bundle.
        bundle: content of `bundle.json`.

    Raises:
        ModelError: the bundle is missing, damaged or inconsistent.
        GenreEdgeError: no TensorFlow Lite runtime is installed.
    """

    def __init__(self, model: str | Path = "edge", *, reference: bool = False) -> None:
        self.path = path = bundle_path(model)
        self.bundle = Bundle.load(path)
        content = read_limited(path / "model.tflite", _TFLITE_LIMIT)
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.bundle.sha256:
            raise ModelError(f"{path}: model.tflite has SHA-256 {digest}, bundle.json requires {self.bundle.sha256}")
        try:
            self._interpreter = interpreter.create(content, reference=reference)
            self._input = self._interpreter.get_input_details()[0]
            self._output = self._interpreter.get_output_details()[0]
        except (ValueError, RuntimeError, IndexError) as error:
            raise ModelError(f"{path}: model.tflite cannot be run: {_one_line(error)}") from None
        self._check_network(path)

    def _check_network(self, path: Path) -> None:
        bundle = self.bundle
        expected = {
            "input": (self._input, (1, bundle.mel.n_mels, bundle.patch_frames, 1)),
            "output": (self._output, (1, bundle.n_outputs)),
        }
        for name, (tensor, shape) in expected.items():
            actual = tuple(int(n) for n in tensor["shape"])
            if actual != shape or tensor["dtype"] != np.int8 or not tensor["quantization"][0] > 0:
                raise ModelError(
                    f"{path}: the network's {name} is {np.dtype(tensor['dtype']).name} {actual}, "
                    f"bundle.json requires quantised int8 {shape}"
                )

    @property
    def logit_step(self) -> float:
        """Logit difference of one int8 step of the output."""
        return float(self._output["quantization"][0])

    def probabilities(self, patch_db: Frames) -> NDArray[np.float64]:
        """Predict the calibrated probabilities of a patch.

        Args:
            patch_db: `(n_mels, patch_frames)` float32 in dB.

        Returns:
            Float64 `(n_probabilities,)` in the order of `bundle.layout`: for each label the probability given that the
            audio is music (their sum is 1); for each style its probability; for each sound its probability (their sum
            is 1); then, if the bundle has `not_music`, the probability that the audio is not music.

        Raises:
            ModelError: the network cannot be run.
        """
        return probabilities(self.logits(patch_db), self.bundle.layout, self.bundle.temperature)

    def logits(self, patch_db: Frames) -> NDArray[np.float64]:
        """Compute the network's output for a patch, before temperature and softmax.

        Args:
            patch_db: `(n_mels, patch_frames)` float32 in dB.

        Returns:
            Dequantised logits, float64 `(n_outputs,)`.

        Raises:
            ModelError: the network cannot be run.
        """
        bundle = self.bundle
        x = normalise(patch_db, bundle.normalisation, bundle.top_db, bundle.mel)
        scale, zero = self._input["quantization"]
        quantised = np.clip(np.rint(x / scale + zero), -128, 127).astype(np.int8)
        self._interpreter.set_tensor(self._input["index"], quantised[None, :, :, None])
        try:
            self._interpreter.invoke()
        except RuntimeError as error:
            raise ModelError(f"{self.path}: model.tflite cannot be run: {_one_line(error)}") from None
        scale, zero = self._output["quantization"]
        logits: NDArray[np.float64] = (
            self._interpreter.get_tensor(self._output["index"])[0].astype(np.float64) - zero
        ) * scale
        return logits
