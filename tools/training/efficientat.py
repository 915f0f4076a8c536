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

from tools.training import mobilenet

if TYPE_CHECKING:
    import keras

SHA256 = "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c"
SR, N_FFT, WIN_LENGTH, HOP_LENGTH = 32000, 1024, 800, 320
N_MELS, FMAX = 128, 15000.0
PRE_EMPHASIS = 0.97
WIDTH = 0.4
N_CLASSES, EMBEDDING = 527, 384

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


def network(weights: Weights, frames: int | None = None) -> keras.Model:
    """Return the network from `(N_MELS, frames, 1)` to the outputs of all blocks, the embedding and the logits."""
    import keras
    from keras import layers

    body = mobilenet.features((N_MELS, frames, 1), WIDTH)
    for layer_name, prefix in _convolutions().items():
        kernel = weights[f"{prefix}.0.weight"]
        depthwise = layer_name.endswith("depthwise")
        body.get_layer(layer_name).set_weights([kernel.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))])
        norm = ("weight", "bias", "running_mean", "running_var")
        body.get_layer(f"{layer_name}_norm").set_weights([weights[f"{prefix}.1.{name}"] for name in norm])
    for i, b in enumerate(mobilenet.BLOCKS, 1):
        if b.squeeze:
            se = f"features.{i}.block.2.conc_se_layers.0"
            for layer_name, linear in (("squeeze", "fc1"), ("excite", "fc2")):
                kernel = weights[f"{se}.{linear}.weight"].T[None, None]
                body.get_layer(f"block_{i}_se_{layer_name}").set_weights([kernel, weights[f"{se}.{linear}.bias"]])
    dense = [name for name in weights if name.startswith("classifier") and name.endswith("weight")]
    hidden = layers.Dense(len(weights[dense[0]]), activation="hard_swish", name="hidden")
    logits = layers.Dense(N_CLASSES, name="logits")
    result = keras.Model(body.input, [body.output, logits(hidden(body.output))])
    for layer, name in zip((hidden, logits), dense, strict=True):
        layer.set_weights([weights[name].T, weights[name.replace("weight", "bias")]])
    return result


def _convolutions() -> dict[str, str]:
    """Return the prefix of each convolution's tensors by the name of its layer."""
    prefixes = {"stem": "features.0", "last": f"features.{len(mobilenet.BLOCKS) + 1}"}
    n_in = mobilenet.channels(mobilenet.STEM * WIDTH)
    for i, b in enumerate(mobilenet.BLOCKS, 1):
        parts = ["depthwise"] + ["se"] * b.squeeze + ["project"]
        if mobilenet.channels(b.expanded * WIDTH) != n_in:
            parts = ["expand", *parts]
        prefixes |= {f"block_{i}_{part}": f"features.{i}.block.{k}" for k, part in enumerate(parts) if part != "se"}
        n_in = mobilenet.channels(b.out * WIDTH)
    return prefixes
