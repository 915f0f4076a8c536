"""The teacher `mn04_as` (EfficientAT: Schmid, Koutini and Widmer, "Efficient Large-Scale Audio Tagging via
Transformer-to-CNN Knowledge Distillation", 2023): front end, weights and network.

It was trained on AudioSet and knows 527 kinds of sound. The weights are those of the public release v0.0.1 of
fschmid56/EfficientAT (MIT licence), whose file `mn04_as_mAP_432.pt` is read without PyTorch.
"""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.training.distillation import audioset, mobilenet, students

if TYPE_CHECKING:
    import tensorflow as tf

SHA256 = "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c"
SR, N_FFT, WIN_LENGTH, HOP_LENGTH = 32000, 1024, 800, 320
N_MELS, FMAX = 128, 15000.0
PRE_EMPHASIS = 0.97
DESIGN = mobilenet.mobilenet_v3_large(0.4)

Weights = dict[str, np.ndarray]


class _TensorUnpickler(pickle.Unpickler):
    """Unpickler of a dictionary of tensors, which refuses all other objects."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        super().__init__(archive.open("archive/data.pkl"))
        self._archive = archive

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._rebuild
        if (module, name) in (("torch", "FloatStorage"), ("torch", "LongStorage")):
            return {"FloatStorage": "<f4", "LongStorage": "<i8"}[name]
        raise pickle.UnpicklingError(f"unexpected object {module}.{name}")

    def persistent_load(self, identifier: Any) -> np.ndarray:
        _, dtype, key, _, _ = identifier
        return np.frombuffer(self._archive.read(f"archive/data/{key}"), dtype)

    @staticmethod
    def _rebuild(storage: np.ndarray, offset: int, size: tuple[int, ...], *_: Any) -> np.ndarray:
        return storage[offset : offset + int(np.prod(size))].reshape(size)


def load_weights(path: Path) -> Weights:
    """Return the tensors of `mn04_as_mAP_432.pt` by name.

    Raises:
        SystemExit: the file is missing, or another one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SystemExit(f"{path}: {error.strerror}") from None
    if (digest := hashlib.sha256(content).hexdigest()) != SHA256:
        raise SystemExit(f"{path}: SHA-256 is {digest}, mn04_as_mAP_432.pt has {SHA256}")
    with zipfile.ZipFile(path) as archive:
        weights: Weights = _TensorUnpickler(archive).load()
    return weights


def mel_filterbank() -> np.ndarray:
    """Return Kaldi's mel filterbank, float32 `(N_MELS, N_FFT // 2 + 1)`: triangles on the mel axis, Nyquist bin 0."""

    def mel(f: np.ndarray | float) -> np.ndarray:
        return np.asarray(1127 * np.log1p(np.asarray(f) / 700))

    edges = np.linspace(0, mel(FMAX), N_MELS + 2)
    bins = mel(np.arange(N_FFT // 2) * SR / N_FFT)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    bank = np.maximum(0, np.minimum(rise, fall))
    return np.pad(bank, ((0, 0), (0, 1))).astype(np.float32)


def log_mel(y: np.ndarray) -> np.ndarray:
    """Return the teacher's input `(N_MELS, n)`, float32, for samples at SR; a frame is HOP_LENGTH samples."""
    emphasised = y[1:] - PRE_EMPHASIS * y[:-1]
    padded = np.pad(emphasised, N_FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_LENGTH]
    window = np.pad(np.hanning(WIN_LENGTH), (N_FFT - WIN_LENGTH) // 2).astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window)).astype(np.float32) ** 2
    log_power: np.ndarray = np.log(mel_filterbank() @ power.T + 1e-5)
    return (log_power + 4.5) / 5


class Teacher:
    """The frozen network, in stages as its students (see `students.stages`), for inputs like those of `log_mel`.

    Attributes:
        stages: networks from the input `(N_MELS, frames, 1)` to the embedding.
        classifier: from the embedding to the logits.
    """

    def __init__(self, weights: Weights) -> None:
        import keras
        from keras import layers

        self.stages = students.stages(DESIGN, students.HINTED_BLOCKS)
        by_name = {layer.name: layer for stage in self.stages for layer in stage.layers}
        for name, values in _layer_weights(weights).items():
            by_name[name].set_weights(values)
        dense = [[weights[f"classifier.{i}.weight"].T, weights[f"classifier.{i}.bias"]] for i in (2, 5)]
        hidden = layers.Dense(dense[0][0].shape[1], activation="hard_swish")
        self.classifier = keras.Sequential([keras.Input((DESIGN.last,)), hidden, layers.Dense(audioset.N_CLASSES)])
        for layer, values in zip(self.classifier.layers, dense, strict=True):
            layer.set_weights(values)
        for part in (*self.stages, self.classifier):
            part.trainable = False

    def outputs(self, x: tf.Tensor) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Return the outputs of all stages, the last being the embedding `(k, 384)`, and the logits `(k, 527)`."""
        outputs = []
        for stage in self.stages:
            x = stage(x, training=False)
            outputs.append(x)
        return outputs, self.classifier(x, training=False)


def _layer_weights(weights: Weights) -> dict[str, list[np.ndarray]]:
    """Return the weights of each Keras layer by its name."""
    result = {}
    for name, prefix in _convolutions().items():
        axes = (2, 3, 0, 1) if name.endswith("depthwise") else (2, 3, 1, 0)
        result[name] = [weights[f"{prefix}.0.weight"].transpose(axes)]
        parts = ("weight", "bias", "running_mean", "running_var")
        result[f"{name}_norm"] = [weights[f"{prefix}.1.{part}"] for part in parts]
    for i, b in enumerate(DESIGN.blocks, 1):
        for name, linear in (("squeeze", "fc1"), ("excite", "fc2")) if b.squeeze else ():
            prefix = f"features.{i}.block.2.conc_se_layers.0.{linear}"
            result[f"block_{i}_se_{name}"] = [weights[f"{prefix}.weight"].T[None, None], weights[f"{prefix}.bias"]]
    return result


def _convolutions() -> dict[str, str]:
    """Return the prefix of each convolution's tensors by the name of its layer."""
    prefixes = {"stem": "features.0", "last": f"features.{len(DESIGN.blocks) + 1}"}
    for i, parts in DESIGN.block_parts():
        prefixes |= {f"block_{i}_{part}": f"features.{i}.block.{k}" for k, part in enumerate(parts) if part != "se"}
    return prefixes
