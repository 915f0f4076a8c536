"""Make tests/data/tiny and tests/data/styled: bundles of a few kB for tests, with constant instead of trained weights.

Run by hand (`python tests/data/make_tiny_bundle.py`, requires TensorFlow), then commit the files. The networks
distinguish low, middle and high tones. Later frames have larger weights, so that shifted patches give other results.
The network of `styled` also has styles and sounds: see `STYLED`.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from genre_edge.mel.config import MelConfig
from genre_edge.model.bundle import Bundle
from genre_edge.model.preprocessing import normalise
from genre_edge.model.styles import Style

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

HERE = Path(__file__).parent
BUNDLE = Bundle(
    name="tiny",
    version="1",
    labels=["low", "middle", "high"],
    mel=MelConfig(sr=8000, n_fft=256, hop_length=128, n_mels=16),
    patch_frames=8,
    hop_frames=4,
    normalisation="standard",
    threshold=0.4,
    data="No data: the weights are written down in tests/data/make_tiny_bundle.py.",
    licence="MIT",
)
STYLED = replace(
    BUNDLE,
    name="styled",
    not_music=0.7,
    styles=[Style("dark"), Style("bass", "dark"), Style("bright")],
    sounds=["music", "speech", "noise"],
)
CARD = """# {name} 1

A network for tests, by tests/data/make_tiny_bundle.py. It distinguishes low, middle and high tones.
"""


def labels() -> np.ndarray:
    """Return `(n_mels, n_labels)`: weights of bands whose sum is the logit of a label."""
    n_mels, n_labels = BUNDLE.mel.n_mels, len(BUNDLE.labels)
    group = np.arange(n_mels) * n_labels // n_mels
    return (group[:, None] == np.arange(n_labels)) / np.bincount(group)[group][:, None]


def styles_and_sounds() -> np.ndarray:
    """Return `(n_mels, 6)`: low and middle tones are music, low ones dark bass; high tones are speech."""
    low, middle, high = labels().T
    return np.stack([low, 2 * low, middle, 4 * low + 4 * middle, 4 * high, 0 * low], axis=1)


def dense(by_band: np.ndarray) -> np.ndarray:
    """Return `(n_mels, patch_frames, n_outputs)`: logits are sums of input times these weights."""
    by_frame = np.linspace(0.75, 1.25, BUNDLE.patch_frames) / BUNDLE.patch_frames
    return (2.0 * by_band[:, None, :] * by_frame[None, :, None]).astype(np.float32)


def weights() -> np.ndarray:
    """Return the weights of `tiny`, `(n_mels, patch_frames, n_labels)`."""
    return dense(labels())


def calibration() -> np.ndarray:
    """Return random but realistic input patches, `(k, n_mels, patch_frames, 1)`."""
    rng = np.random.default_rng(0)
    levels = rng.uniform(-90, 0, (200, BUNDLE.mel.n_mels, 1)) + rng.normal(0, 6, (200, 16, BUNDLE.patch_frames))
    patches = [normalise(patch.astype(np.float32), BUNDLE.normalisation, BUNDLE.top_db, BUNDLE.mel) for patch in levels]
    return np.stack(patches)[..., None]


def convert(kernel: np.ndarray, bias: np.ndarray, int8: bool) -> bytes:
    """Return the network as a .tflite file with batch size 1, all int8 or all float32."""
    import keras
    import tensorflow as tf

    inputs = keras.Input(batch_shape=(1, *kernel.shape[:2], 1))
    layer = keras.layers.Dense(len(bias), use_bias=bias.any())
    network = keras.Model(inputs, layer(keras.layers.Flatten()(inputs)))
    layer.set_weights([kernel.reshape(-1, len(bias)), *([bias] if bias.any() else [])])
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([patch[None]] for patch in calibration())
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content


if __name__ == "__main__":
    no_bias = np.zeros(len(BUNDLE.labels), dtype=np.float32)
    BUNDLE.save(HERE / "tiny", convert(weights(), no_bias, int8=True), CARD.format(name="tiny"))
    (HERE / "float.tflite").write_bytes(convert(weights(), no_bias, int8=False))
    styled = dense(np.concatenate([labels(), styles_and_sounds()], axis=1))
    noise = np.float32(1.5) * (np.arange(styled.shape[-1]) == styled.shape[-1] - 1)  # for a flat spectrum
    STYLED.save(HERE / "styled", convert(styled, noise.astype(np.float32), int8=True), CARD.format(name="styled"))
