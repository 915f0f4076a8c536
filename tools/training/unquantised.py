"""A shipped int8 network in floats again, in Keras: to follow its gradients, or to go on learning."""

from typing import Any

import numpy as np

from genre_edge.diagnostics.synthetic_audio import music
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model import interpreter
from genre_edge.model.bundle import bundle_path
from genre_edge.model.prediction import Model
from genre_edge.model.preprocessing import normalise
from tools.training.architectures import ARCHITECTURES

TOLERANCE = 0.1  # of the logits' spread; int8 rounds every layer's values


def network(bundle: str) -> Any:
    """The Keras network of an installed bundle or a bundle's directory, checked against it.

    Raises SystemExit if the bundle is of no architecture that we know, ModelError if it is damaged.
    """
    model = Model(bundle)
    shape = (model.bundle.mel.n_mels, model.bundle.patch_frames, 1)
    weights = _weights((bundle_path(bundle) / "model.tflite").read_bytes())
    for architecture in ARCHITECTURES.values():
        if (architecture.mel, architecture.patch_frames) == (model.bundle.mel, model.bundle.patch_frames):
            built = architecture.build(shape, model.bundle.n_outputs)
            if _fill(built, weights):
                _check(built, model, bundle)
                return built
    raise SystemExit(f"{bundle}: no network that tools/train_and_export.py makes")


def _weights(tflite: bytes) -> dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]]:
    """(kernel, bias) of the convolutions and dense layers, by the kernel's shape in Keras' order."""
    runtime = interpreter.create(tflite)
    details = {tensor["index"]: tensor for tensor in runtime.get_tensor_details()}

    def floats(index: int) -> np.ndarray:
        quantised, scales = runtime.get_tensor(index), details[index]["quantization_parameters"]["scales"]
        return quantised.astype(np.float32) * scales.reshape(-1, *[1] * (quantised.ndim - 1))

    found = {}
    for op in runtime._get_ops_details():
        if op["op_name"] in ("CONV_2D", "FULLY_CONNECTED"):
            kernel, bias = (floats(index) for index in op["inputs"][1:3])
            kernel = kernel.transpose(1, 2, 3, 0) if kernel.ndim == 4 else kernel.T
            found[kernel.shape] = kernel, bias
    return found


def _fill(built: Any, weights: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]]) -> bool:
    """Give the network its weights; what was a batch normalisation is a bias now. False if they are another's."""
    layers = [layer for layer in built.layers if hasattr(layer, "kernel")]
    if {tuple(layer.kernel.shape) for layer in layers} != set(weights):
        return False
    for layer in layers:
        kernel, bias = weights[tuple(layer.kernel.shape)]
        if layer.use_bias:
            layer.set_weights([kernel, bias])
            continue
        layer.set_weights([kernel])
        follower = layer.output._keras_history.operation
        norm = next(x for x in built.layers if type(x).__name__ == "BatchNormalization" and _input_of(x) is follower)
        norm.set_weights([np.full_like(bias, np.sqrt(1 + norm.epsilon)), bias, 0 * bias, np.ones_like(bias)])
    return True


def _input_of(layer: Any) -> Any:
    return layer.input._keras_history.operation


def _check(built: Any, model: Model, name: str) -> None:
    """Both must say the same of music, as far as int8 can. (Of what is far from music, int8 clips more.)"""
    bundle = model.bundle
    frames = MelSpectrogram(bundle.mel).db(music(2 * bundle.patch_s, round(bundle.mel.sr)))
    patches = [frames[:, first : first + bundle.patch_frames] for first in range(4)]
    x = np.stack([normalise(patch, bundle.normalisation, bundle.top_db) for patch in patches])
    exact = np.asarray(built(x[..., None], training=False))
    rounded = np.stack([model.logits(patch) for patch in patches])
    if not np.abs(exact - rounded).mean() < TOLERANCE * rounded.std():
        raise SystemExit(f"{name}: its network in floats says something else than in int8")


def awaken(network: Any, x: np.ndarray) -> None:
    """Batch normalisations whose statistics are those of `x`: it says the same, and can go on learning."""
    import keras

    norms = [layer for layer in network.layers if type(layer).__name__ == "BatchNormalization"]
    # All before any is changed: none of this changes what a layer says.
    entering = [np.asarray(y) for y in keras.Model(network.input, [norm.input for norm in norms])(x, training=False)]
    for norm, y in zip(norms, entering, strict=True):
        gamma, beta, mean, variance = norm.get_weights()
        slope = gamma / np.sqrt(variance + norm.epsilon)
        centre, spread = y.mean(axis=(0, 1, 2)), y.var(axis=(0, 1, 2))
        norm.set_weights([slope * np.sqrt(spread + norm.epsilon), beta + slope * (centre - mean), centre, spread])


def trunk(network: Any) -> Any:
    """All layers but the last."""
    import keras

    return keras.Model(network.input, network.layers[-1].input)


def with_last_layer(trunk: Any, regression: Any) -> Any:
    """`trunk` and scikit-learn's linear `regression` on what it says."""
    import keras

    last = keras.layers.Dense(len(regression.intercept_), name="begun")
    network = keras.Model(trunk.input, last(trunk.output))
    last.set_weights([regression.coef_.T, regression.intercept_])
    return network
