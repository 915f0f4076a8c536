"""Convert a Keras network to a fully quantised int8 TensorFlow Lite model with a static batch of 1."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras


def to_int8(network: keras.Model, calibration: np.ndarray) -> bytes:
    """Quantise after training, with int8 input and output, and return the .tflite content.

    Args:
        calibration: normalised patches, `(k, n_mels, frames, 1)`, the representative data set for value ranges.
    """
    import keras
    import tensorflow as tf

    # from_concrete_functions loses Keras 3's weights; a wrapper with a fixed batch does not.
    inputs = keras.Input(batch_shape=(1, *calibration.shape[1:]))
    fixed = keras.Model(inputs, network(inputs, training=False))
    converter = tf.lite.TFLiteConverter.from_keras_model(fixed)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([patch[None]] for patch in calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    with redirect_stdout(io.StringIO()), _stderr_only_on_failure():
        content: bytes = converter.convert()
    return content


@contextmanager
def _stderr_only_on_failure() -> Iterator[None]:
    """Buffer stderr, where TensorFlow's C++ converter logs at length, and print it only if the conversion fails."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        except BaseException:
            log.seek(0)
            os.write(saved, log.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
