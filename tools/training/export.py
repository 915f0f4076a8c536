"""Keras network -> full-int8 TFLite with a static batch of 1."""

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import numpy as np


def to_int8(network: Any, calibration: np.ndarray) -> bytes:
    """Post-training quantisation, int8 in and out; ranges from `calibration` patches `(k, n_mels, frames, 1)`."""
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
    with redirect_stdout(io.StringIO()), _quiet_stderr():
        content: bytes = converter.convert()
    return content


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """TensorFlow's converter writes pages from C++; they are shown only if it fails."""
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
