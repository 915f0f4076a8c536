"""Restore an int8 network of the paper's architecture as a float Keras network, to compute gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from genre_edge.diagnostics.synthetic_audio import music
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model.bundle import bundle_path
from genre_edge.model.prediction import Model
from genre_edge.model.preprocessing import normalise
from tools.training import tflite_weights
from tools.training.architectures import ARCHITECTURES

if TYPE_CHECKING:
    import keras

TOLERANCE = 0.1  # of the logits' standard deviation; int8 rounds the values of every layer

_Weights = dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]]  # shape of the kernel -> (kernel, bias)


def load(bundle: str) -> keras.Model:
    """Return the float network of an installed model or a bundle's directory, compared with its int8 outputs.

    Raises:
        SystemExit: the bundle has another architecture, or the outputs differ.
        ModelError: the bundle is damaged.
    """
    model = Model(bundle)
    shape = (model.bundle.mel.n_mels, model.bundle.patch_frames, 1)
    content = (bundle_path(bundle) / "model.tflite").read_bytes()
    weights = {kernel.shape: (kernel, bias) for kernel, bias in tflite_weights.weights(content)}
    for architecture in (ARCHITECTURES["paper"], ARCHITECTURES["paper660"]):
        if (architecture.mel, architecture.patch_frames) == (model.bundle.mel, model.bundle.patch_frames):
            network = architecture.build(shape, model.bundle.n_outputs)
            if _set_weights(network, weights):
                _check_outputs(network, model, bundle)
                return network
    raise SystemExit(f"{bundle}: not the paper's network")


def _set_weights(network: keras.Model, weights: _Weights) -> bool:
    """Set a network's weights; return False if they belong to another architecture."""
    layers = [layer for layer in network.layers if hasattr(layer, "kernel")]
    if {tuple(layer.kernel.shape) for layer in layers} != set(weights):
        return False
    for layer in layers:
        layer.set_weights(weights[tuple(layer.kernel.shape)])
    return True


def _check_outputs(network: keras.Model, model: Model, name: str) -> None:
    """Check that float and int8 outputs for music agree within TOLERANCE.

    Music, because int8 saturates on inputs that are far from the calibration data.
    """
    bundle = model.bundle
    frames = MelSpectrogram(bundle.mel).db(music(2 * bundle.patch_s, round(bundle.mel.sr)))
    patches = [frames[:, first : first + bundle.patch_frames] for first in range(4)]
    x = np.stack([normalise(patch, bundle.normalisation, bundle.top_db, bundle.mel) for patch in patches])
    exact = np.asarray(network(x[..., None], training=False))
    rounded = np.stack([model.logits(patch) for patch in patches])
    if not np.abs(exact - rounded).mean() < TOLERANCE * rounded.std():
        raise SystemExit(f"{name}: the outputs of the restored float network differ from the int8 network's")
