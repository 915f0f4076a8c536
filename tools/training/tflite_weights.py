"""Weights of an int8 .tflite network in real numbers. Needs no TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from genre_edge.errors import ModelError

# Operator -> axes of its stored kernel in Keras' order
_AXES = {
    schema.BuiltinOperator.CONV_2D: (1, 2, 3, 0),
    schema.BuiltinOperator.DEPTHWISE_CONV_2D: (1, 2, 3, 0),
    schema.BuiltinOperator.FULLY_CONNECTED: (1, 0),
}


def weights(content: bytes) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (kernel, bias) of the convolutions and dense layers in the order of execution, float32.

    The axes of a kernel are in Keras' order, for a depthwise convolution `(height, width, channels, 1)`.

    Args:
        content: content of a .tflite file.

    Raises:
        ModelError: a layer has no bias, or is not int8.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    (graph,) = model.subgraphs
    result = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        axes = _AXES.get(max(code.builtinCode, code.deprecatedBuiltinCode))
        if axes:
            if len(operator.inputs) < 3 or min(operator.inputs) < 0:
                raise ModelError("a network with a layer without bias has no weights to take")
            source, kernel, bias = (graph.tensors[i] for i in operator.inputs)
            if kernel.type != schema.TensorType.INT8 or kernel.quantization is None:
                raise ModelError("a network whose layers are not int8 has no weights to take")
            scale = np.asarray(kernel.quantization.scale, dtype=np.float64)
            shape = np.ones(len(axes), dtype=int)
            shape[kernel.quantization.quantizedDimension] = len(scale)
            real = _stored(model, kernel, np.int8) * scale.reshape(shape)
            real_bias = _stored(model, bias, np.int32) * scale * source.quantization.scale[0]
            result.append((real.transpose(axes).astype(np.float32), real_bias.astype(np.float32)))
    return result


def _stored(model: Any, tensor: Any, dtype: type) -> np.ndarray:
    content = np.asarray(model.buffers[tensor.buffer].data, dtype=np.uint8).tobytes()
    return np.frombuffer(content, dtype).reshape(tensor.shape)
