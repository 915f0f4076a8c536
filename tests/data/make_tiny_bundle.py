"""Make tests/data/tiny: a bundle of a few kB for tests, with constant weights instead of trained ones.

Run by hand (`python tests/data/make_tiny_bundle.py`, requires TensorFlow), then commit the files. The network
distinguishes low, middle and high tones. Later frames have larger weights, so that shifted patches give other results.
"""

import os
from pathlib import Path

import numpy as np

from genre_edge.mel.config import MelConfig
from genre_edge.model.bundle import Bundle
from genre_edge.model.preprocessing import normalise

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
CARD = """# tiny 1

A network for tests, by tests/data/make_tiny_bundle.py. It distinguishes low, middle and high tones.
"""


def weights() -> np.ndarray:
    """Return `(n_mels, patch_frames, n_labels)`: logits are sums of input times weights, without bias."""
    n_mels, frames, labels = BUNDLE.mel.n_mels, BUNDLE.patch_frames, len(BUNDLE.labels)
    group = np.arange(n_mels) * labels // n_mels
    by_band = (group[:, None] == np.arange(labels)) / np.bincount(group)[group][:, None]
    by_frame = np.linspace(0.75, 1.25, frames) / frames
    return (2.0 * by_band[:, None, :] * by_frame[None, :, None]).astype(np.float32)


def calibration() -> np.ndarray:
    """Return random but realistic input patches, `(k, n_mels, patch_frames, 1)`."""
    rng = np.random.default_rng(0)
    levels = rng.uniform(-90, 0, (200, BUNDLE.mel.n_mels, 1)) + rng.normal(0, 6, (200, 16, BUNDLE.patch_frames))
    patches = [normalise(patch.astype(np.float32), BUNDLE.normalisation, BUNDLE.top_db, BUNDLE.mel) for patch in levels]
    return np.stack(patches)[..., None]


def convert(int8: bool) -> bytes:
    """Return the network as a .tflite file with batch size 1, all int8 or all float32."""
    import keras
    import tensorflow as tf

    inputs = keras.Input(batch_shape=(1, BUNDLE.mel.n_mels, BUNDLE.patch_frames, 1))
    dense = keras.layers.Dense(len(BUNDLE.labels), use_bias=False)
    network = keras.Model(inputs, dense(keras.layers.Flatten()(inputs)))
    dense.set_weights([weights().reshape(-1, len(BUNDLE.labels))])
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([patch[None]] for patch in calibration())
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    content: bytes = converter.convert()
    return content


if __name__ == "__main__":
    BUNDLE.save(HERE / "tiny", convert(int8=True), CARD)
    (HERE / "float.tflite").write_bytes(convert(int8=False))
