"""The Keras networks of a distillation as `files.NetworkData`, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from genre_edge.errors import ModelError
from tools.training.distillation import efficientat, students
from tools.training.distillation.efficientat import Teacher
from tools.training.distillation.exchange.files import NetworkData
from tools.training.distillation.student import Student

if TYPE_CHECKING:
    import keras

HEADS = "to_embedding", "to_logits"
TEACHER_HEADS = "hidden", "logits"


def student_data(student: Student) -> NetworkData:
    """Return a student's network, with its layers to the teacher's outputs as heads."""
    design = student.design
    heads = [student.to_embedding.layers[-1], student.to_logits.layers[-1]]
    weights = _weights(student.stages) | _dense(dict(zip(HEADS, heads, strict=True)))
    return NetworkData(design.network, design.stage_ends, HEADS, weights)


def teacher_data(teacher: Teacher) -> NetworkData:
    """Return the teacher's network, with its classifier as heads."""
    weights = _weights(teacher.stages) | _dense(dict(zip(TEACHER_HEADS, teacher.classifier.layers, strict=True)))
    return NetworkData(efficientat.DESIGN, students.HINTED_BLOCKS, TEACHER_HEADS, weights)


def assign(student: Student, data: NetworkData) -> None:
    """Give a student the weights of a network.

    Raises:
        ModelError: the network has another architecture.
    """
    own = student_data(student)
    shapes = [{name: value.shape for name, value in network.weights.items()} for network in (own, data)]
    if (own.design, own.stage_ends) != (data.design, data.stage_ends) or shapes[0] != shapes[1]:
        raise ModelError("the network that the GPU has trained has another architecture")
    weights = data.weights
    for layer, norm in _convolutions(student.stages):
        kernel, bias = weights[f"{layer.name}.kernel"], weights[f"{layer.name}.bias"]
        if norm is None:
            layer.set_weights([kernel, bias])
            continue
        layer.set_weights([kernel])
        mean, variance = np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)
        gain = weights[f"{layer.name}.gain"]
        norm.set_weights([gain * np.sqrt(variance + norm.epsilon), bias + mean * gain, mean, variance])
    for name, head in zip(HEADS, (student.to_embedding, student.to_logits), strict=True):
        head.layers[-1].set_weights([weights[f"{name}.kernel"], weights[f"{name}.bias"]])


def _weights(stages: list[keras.Model]) -> dict[str, np.ndarray]:
    result = {}
    for layer, norm in _convolutions(stages):
        result[f"{layer.name}.kernel"] = np.asarray(layer.kernel)
        if norm is None:
            result[f"{layer.name}.bias"] = np.asarray(layer.bias)
            continue
        gain = np.asarray(norm.gamma) / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
        result[f"{layer.name}.gain"] = gain
        result[f"{layer.name}.bias"] = np.asarray(norm.beta) - np.asarray(norm.moving_mean) * gain
    return result


def _dense(layers: dict[str, keras.layers.Layer]) -> dict[str, np.ndarray]:
    named = {name: dict(zip(("kernel", "bias"), layer.get_weights(), strict=True)) for name, layer in layers.items()}
    return {f"{name}.{part}": np.asarray(value) for name, parts in named.items() for part, value in parts.items()}


def _convolutions(stages: list[keras.Model]) -> list[tuple[keras.layers.Layer, keras.layers.Layer | None]]:
    """Return the convolutions, each with the normalisation that follows it or None."""
    layers = {layer.name: layer for stage in stages for layer in stage.layers}
    return [(layer, layers.get(f"{name}_norm")) for name, layer in layers.items() if hasattr(layer, "kernel_size")]
