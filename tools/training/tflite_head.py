"""The last layer of an int8 .tflite network: read it, cut it off, replace outputs. Needs no TensorFlow.

The schema's own classes (`ai_edge_litert.schema_py_generated`) parse and write the file; the other layers stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from genre_edge.errors import ModelError

_MAX_WEIGHT, _MAX_BIAS = 127, 1 << 30
_ALIGNMENT = 16  # bytes; the schema requires it of constants
_FILE_IDENTIFIER = b"TFL3"


@dataclass(frozen=True)
class Quantisation:
    """Real value = (stored value - zero) * scale."""

    scale: float
    zero: int

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest real value that int8 can store."""
        return (-128 - self.zero) * self.scale, (127 - self.zero) * self.scale


@dataclass(frozen=True)
class LastLayer:
    """A network's last layer in real numbers.

    Attributes:
        weights, bias: `(features, outputs)` and `(outputs,)`, float64.
        features, outputs: quantisation of the layer's int8 input and output.
    """

    weights: np.ndarray
    bias: np.ndarray
    features: Quantisation
    outputs: Quantisation

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Return the outputs, `(..., outputs)`, for features `(..., features)`, without rounding to int8."""
        result: np.ndarray = features @ self.weights + self.bias
        return result


class _Buffer(schema.BufferT):  # type: ignore[misc]
    """A constant, written with the alignment that the schema requires; the generated class ignores it."""

    def Pack(self, builder: Any) -> Any:  # noqa: N802
        """Write the buffer and return its offset."""
        offset = None
        if self.data is not None and len(self.data):
            content = np.asarray(self.data, dtype=np.uint8).tobytes()
            builder.StartVector(1, len(content), _ALIGNMENT)
            builder.head -= len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            builder.vectorNumElems = len(content)
            offset = builder.EndVector()
        schema.BufferStart(builder)
        if offset is not None:
            schema.BufferAddData(builder, offset)
        return schema.BufferEnd(builder)


class _Network:
    """A parsed .tflite file whose last operator is a fully connected layer.

    Raises:
        ModelError: the network has another form.
    """

    def __init__(self, content: bytes) -> None:
        self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        self.model.buffers = [_aligned(buffer) for buffer in self.model.buffers]
        self.graph = self.model.subgraphs[0]
        self.operator = self.graph.operators[-1]
        code = self.model.operatorCodes[self.operator.opcodeIndex]
        is_dense = max(code.builtinCode, code.deprecatedBuiltinCode) == schema.BuiltinOperator.FULLY_CONNECTED
        if len(self.model.subgraphs) != 1 or not is_dense or list(self.operator.outputs) != list(self.graph.outputs):
            raise ModelError("a network that does not end with a fully connected layer cannot get other genres")
        if self.operator.builtinOptions.fusedActivationFunction != schema.ActivationFunctionType.NONE:
            raise ModelError("a network whose last layer has an activation function cannot get other genres")
        self.features, self.weights = (self.graph.tensors[i] for i in self.operator.inputs[:2])
        self.output = self.graph.tensors[self.operator.outputs[0]]
        for tensor in (self.features, self.weights, self.output):
            if tensor.type != schema.TensorType.INT8 or tensor.quantization is None:
                raise ModelError("a network whose last layer is not int8 cannot get other genres")

    @property
    def bias_index(self) -> int:
        """Index of the bias tensor, -1 if there is none."""
        inputs = self.operator.inputs
        return int(inputs[2]) if len(inputs) > 2 else -1

    def stored(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return weights `(outputs, features)`, their scales `(outputs,)` and bias `(outputs,)` as stored."""
        weights = self._constant(self.weights, np.int8).reshape(self.weights.shape)
        scales = np.broadcast_to(np.asarray(self.weights.quantization.scale, dtype=np.float64), (len(weights),))
        if self.bias_index < 0:
            return weights, scales, np.zeros(len(weights), dtype=np.int32)
        return weights, scales, self._constant(self.graph.tensors[self.bias_index], np.int32)

    def _constant(self, tensor: Any, dtype: type) -> np.ndarray:
        return np.frombuffer(np.asarray(self.model.buffers[tensor.buffer].data, dtype=np.uint8).tobytes(), dtype)

    def add_constant(self, values: np.ndarray) -> int:
        """Append a buffer and return its index."""
        buffer = _Buffer()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def packed(self) -> bytes:
        """Return the content of the file."""
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model.Pack(builder), _FILE_IDENTIFIER)
        return bytes(builder.Output())


def _aligned(buffer: Any) -> _Buffer:
    result = _Buffer()
    result.data = buffer.data
    return result


def _quantisation(tensor: Any) -> Quantisation:
    return Quantisation(float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0]))


def last_layer(content: bytes) -> LastLayer:
    """Return the last layer of a network.

    Args:
        content: content of a .tflite file.

    Raises:
        ModelError: the network's last operator is not an int8 fully connected layer without activation.
    """
    network = _Network(content)
    features = _quantisation(network.features)
    weights, scales, bias = network.stored()
    return LastLayer(
        (weights * scales[:, None]).T, bias * scales * features.scale, features, _quantisation(network.output)
    )


def without_last_layer(content: bytes) -> bytes:
    """Return the network that ends with the last layer's input: its output is the int8 features.

    Raises:
        ModelError: as `last_layer`.
    """
    network = _Network(content)
    network.graph.operators.pop()
    network.graph.outputs = [int(network.operator.inputs[0])]
    network.model.signatureDefs = []
    return network.packed()


def only_last_layer(content: bytes) -> bytes:
    """Return the network of the last layer alone: from int8 features to int8 outputs.

    Raises:
        ModelError: as `last_layer`.
    """
    network = _Network(content)
    network.graph.operators = [network.operator]
    network.graph.inputs = [int(network.operator.inputs[0])]
    network.model.signatureDefs = []
    return network.packed()


def replace_layer(content: bytes, weights: np.ndarray, bias: np.ndarray, limits: tuple[float, float]) -> bytes:
    """Replace the last layer of a network, and the tensors' long names by numbers.

    Args:
        content: content of the .tflite file.
        weights, bias: the new layer, `(features, k)` and `(k,)`, in real numbers; see `LastLayer`.
        limits: the smallest and the largest value of its outputs; others are clipped.

    Raises:
        ModelError: as `last_layer`.
    """
    network = _Network(content)
    low, high = min(0.0, limits[0]), max(0.0, limits[1])  # 0 must be among the values that int8 can store
    scale = float(np.float32((high - low) / 255))
    network.output.quantization.scale = np.array([scale], dtype=np.float32)
    network.output.quantization.zeroPoint = np.array([round(-128 - low / scale)], dtype=np.int64)
    _shorten_names(network)
    _set_layer(network, slice(0, len(network.stored()[0])), weights, bias)
    return network.packed()


def _shorten_names(network: _Network) -> None:
    """Replace the converter's names of tensors, which can be an eighth of the file, by numbers."""
    for index, tensor in enumerate(network.graph.tensors):
        tensor.name = str(index)


def replace_outputs(content: bytes, replaced: slice, weights: np.ndarray, bias: np.ndarray) -> bytes:
    """Replace consecutive outputs of a network. All others keep their weights and quantisation, hence their values.

    Args:
        content: content of the .tflite file.
        replaced: outputs to replace, with a start and a stop.
        weights, bias: the new outputs' layer, `(features, k)` and `(k,)`, in real numbers; see `LastLayer`. Values
            outside the range of the layer's output, which stays, are clipped.

    Raises:
        ModelError: as `last_layer`.
    """
    network = _Network(content)
    _set_layer(network, replaced, weights, bias)
    return network.packed()


def _set_layer(network: _Network, replaced: slice, weights: np.ndarray, bias: np.ndarray) -> None:
    old_weights, old_scales, old_bias = network.stored()
    feature_scale = _quantisation(network.features).scale
    scales = np.maximum(np.abs(weights).max(axis=0) / _MAX_WEIGHT, np.abs(bias) / feature_scale / _MAX_BIAS)
    scales = np.where(scales > 0, scales, 1.0).astype(np.float32).astype(np.float64)  # the file holds float32
    new_weights = np.rint(weights.T / scales[:, None]).clip(-_MAX_WEIGHT, _MAX_WEIGHT).astype(np.int8)
    new_bias = np.rint(bias / (scales * feature_scale)).astype(np.int32)

    def joined(old: np.ndarray, new: np.ndarray) -> np.ndarray:
        return np.concatenate([old[: replaced.start], new, old[replaced.stop :]])

    all_weights, all_scales = joined(old_weights, new_weights), joined(old_scales, scales)
    all_bias = joined(old_bias, new_bias)
    _set_constant(network, network.weights, all_weights, all_scales)
    if network.bias_index < 0:
        network.operator.inputs = [*map(int, network.operator.inputs[:2]), len(network.graph.tensors)]
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.quantization = (
            b"bias",
            schema.TensorType.INT32,
            schema.QuantizationParametersT(),
        )
        network.graph.tensors.append(tensor)
    _set_constant(network, network.graph.tensors[network.bias_index], all_bias, all_scales * feature_scale)
    network.output.shape = [1, len(all_bias)]
    network.output.shapeSignature = None


def _set_constant(network: _Network, tensor: Any, values: np.ndarray, scales: np.ndarray) -> None:
    """Give a tensor new values with a scale for each row. Other tensors that share its buffer keep theirs."""
    old = tensor.buffer
    tensor.buffer, tensor.shape = network.add_constant(values), list(values.shape)
    quantisation = tensor.quantization
    quantisation.scale = scales.astype(np.float32)
    quantisation.zeroPoint = np.zeros(len(scales), dtype=np.int64)
    quantisation.quantizedDimension = 0
    if old and not any(other.buffer == old for other in network.graph.tensors):
        network.model.buffers[old].data = None
