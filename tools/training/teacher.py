"""The teacher: MSD_musicnn (Pons and Serra 2019, ISC licence), trained on the 50 top tags of the Million Song Dataset.

The weights come from the PyPI package `musicnn`; the network is implemented here because that package needs TensorFlow
1. A patch is 187 frames (3 s) of `log10(1 + 10000 * mel power)`, 96 bands at 16 kHz.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soxr

from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames, MelSpectrogram
from genre_edge.system.atomic_write import write_atomically

if TYPE_CHECKING:
    import tensorflow as tf

WHEEL = "musicnn-0.1.0-py3-none-any.whl"
SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
MEL = MelConfig(sr=16000, n_fft=512, hop_length=256, n_mels=96)
PATCH_FRAMES = 187
N_EMBEDDING, N_TAGS = 200, 50
TARGET_RMS = 0.12  # songs are scaled to this level, because the teacher depends on it
_EPSILON = 1e-3
_BATCH = 4  # fits into CPU caches


def fetch(directory: Path) -> Path:
    """Download the package with pip into `directory`, unless it is there, and extract its checkpoint.

    Returns:
        The checkpoint's path prefix for `tf.train.load_checkpoint`.

    Raises:
        SystemExit: the download failed, or the wheel's SHA-256 is wrong.
    """
    wheel = directory / WHEEL
    if not wheel.exists():
        name, version = WHEEL.split("-")[:2]
        options = ["download", "--quiet", "--no-deps", "--dest", str(directory), f"{name}=={version}"]
        if subprocess.run([sys.executable, "-m", "pip", *options]).returncode:
            raise SystemExit(f"pip could not download {name} {version}, which has the teacher's weights")
    if (digest := hashlib.sha256(wheel.read_bytes()).hexdigest()) != SHA256:
        raise SystemExit(f"{wheel}: SHA-256 is {digest}, expected {SHA256}")
    with zipfile.ZipFile(wheel) as archive:
        for suffix in (".index", ".data-00000-of-00001"):
            write_atomically(directory / f"msd{suffix}", archive.read(f"musicnn/MSD_musicnn/{suffix}"))
    return directory / "msd"


def log_mel(y: np.ndarray, sr: int) -> Frames:
    """Return the teacher's input for mono samples `y` at `sr` Hz: the log mel spectrogram, float32 `(frames, 96)`."""
    y = soxr.resample(y * np.float32(TARGET_RMS / max(1e-4, float(np.sqrt(np.mean(y**2))))), sr, MEL.sr)
    power_db = MelSpectrogram(MEL).db(np.ascontiguousarray(y, dtype=np.float32))
    spectrogram: Frames = np.log10(1 + 10000 * 10 ** (power_db.T / 10)).astype(np.float32)
    return spectrogram


class Teacher:
    """MSD_musicnn with the weights of a checkpoint (path prefix, see `fetch`)."""

    def __init__(self, checkpoint: Path) -> None:
        import tensorflow as tf

        spec = tf.TensorSpec((None, PATCH_FRAMES, MEL.n_mels), tf.float32)
        network = _musicnn(tf.train.load_checkpoint(str(checkpoint)).get_tensor)
        self._network = tf.function(network, input_signature=[spec], jit_compile=False)

    def targets(self, patches: np.ndarray) -> np.ndarray:
        """Return embedding and tag logits, `(k, N_EMBEDDING + N_TAGS)`, of patches `(k, PATCH_FRAMES, 96)`."""
        return np.concatenate([self._network(patches[i : i + _BATCH]) for i in range(0, len(patches), _BATCH)])


def _musicnn(weights: Callable[[str], np.ndarray]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Build the network: convolutions over bands and time, convolutions over time, pooling, dense layers.

    Args:
        weights: returns the checkpoint's array of a name.
    """
    import tensorflow as tf

    def numbered(kind: str, i: int, part: str) -> np.ndarray:
        return weights(f"{kind}_{i}/{part}" if i else f"{kind}/{part}")

    def batch_norm(i: int) -> Callable[[tf.Tensor], tf.Tensor]:
        gamma, beta, mean, variance = (
            numbered("batch_normalization", i, part) for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        scale = gamma / np.sqrt(variance + _EPSILON)
        return lambda x: x * scale + (beta - mean * scale)

    def over_bands(x: tf.Tensor, i: int) -> tf.Tensor:
        """Apply convolution, ReLU, normalisation and maximum over bands, as matrix products (several times faster)."""
        kernel, bias = numbered("conv2d", i, "kernel")[:, :, 0], numbered("conv2d", i, "bias")
        length, height, channels = kernel.shape
        before = (length - 1) // 2
        frames = tf.signal.frame(tf.pad(x, [[0, 0], [before, length - 1 - before], [0, 0]]), length, 1, axis=1)
        highest = lowest = None
        for band in range(MEL.n_mels - height + 1):
            rows = tf.reshape(frames[:, :, :, band : band + height], (-1, length * height))
            y = tf.matmul(rows, kernel.reshape(-1, channels))
            highest = y if highest is None else tf.maximum(highest, y)
            lowest = y if lowest is None else tf.minimum(lowest, y)
        # The normalisation precedes the maximum; where its scale is negative, the minimum becomes the maximum.
        both = [batch_norm(i + 1)(tf.nn.relu(y + bias)) for y in (highest, lowest)]
        return tf.reshape(tf.maximum(*both), (-1, PATCH_FRAMES, channels))

    def over_time(x: tf.Tensor, i: int) -> tf.Tensor:
        kernel, bias = numbered("conv2d", i, "kernel")[:, :, 0], numbered("conv2d", i, "bias")
        return batch_norm(i + 1)(tf.nn.relu(tf.nn.conv1d(x, kernel, 1, "SAME") + bias))

    def network(x: tf.Tensor) -> tf.Tensor:
        x = batch_norm(0)(x)
        layers = [tf.concat([over_bands(x, i) for i in range(5)], axis=2)]
        layers.append(over_time(layers[0], 5))
        for i in (6, 7):
            layers.append(layers[-1] + over_time(layers[-1], i))
        features = tf.concat(layers, axis=2)
        pooled = tf.stack([tf.reduce_max(features, axis=1), tf.reduce_mean(features, axis=1)], axis=2)
        pooled = batch_norm(9)(tf.reshape(pooled, (-1, 2 * features.shape[2])))
        embedding = batch_norm(10)(tf.nn.relu(tf.matmul(pooled, weights("dense/kernel")) + weights("dense/bias")))
        tags = tf.matmul(embedding, weights("dense_1/kernel")) + weights("dense_1/bias")
        return tf.concat([embedding, tags], axis=1)

    return network
