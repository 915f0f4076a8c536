"""A shipped student without its genres: its int8 weights as real numbers, its styles and its sounds.

The genres, and features of early layers, can then be fitted again without a distillation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from genre_edge.errors import ModelError
from genre_edge.model.bundle import Bundle, bundle_path
from tools.training import tflite_head, tflite_weights
from tools.training.distillation import audioset, backbone, students, teacher_heads
from tools.training.distillation.headless import HeadlessStudent
from tools.training.distillation.int8_features import Int8Features
from tools.training.distillation.mobilenet import Design
from tools.training.distillation.recordings import Recording
from tools.training.head import LinearLayer
from tools.training.jobs import TrainingJob

if TYPE_CHECKING:
    import keras

SQUEEZE_AND_EXCITE = "se_squeeze", "se_excite"
KEPT_METRICS = ("hours", "explained")  # of the distillation


def student(job: TrainingJob, found: list[Recording]) -> HeadlessStudent:
    """Return the student of a job with the weights of the shipped network of its name.

    Args:
        job: with the network's architecture.
        found: recordings, see `backbone.load_recordings`.

    Raises:
        ModelError: the network has another architecture, other styles or other sounds.
    """
    design, name = job.architecture.student, job.student
    assert design
    bundle, content = Bundle.load(bundle_path(name)), (bundle_path(name) / "model.tflite").read_bytes()
    if bundle.styles != list(audioset.STYLES.values()) or bundle.sounds != teacher_heads.SOUNDS:
        raise ModelError(f"{name}: its styles or sounds are not those of the distilled networks")
    stages = students.stages(design.network, design.stage_ends)
    set_weights(stages, design.network, content)
    network = backbone.quantised(stages, design, found, job.seed)
    layer = embedding_layer(content, design.network)
    styles, sounds = (
        network.scale.on_features(LinearLayer(layer.weights[:, part], layer.bias[part]))
        for part in (bundle.layout.styles, bundle.layout.sounds)
    )
    features, n_not_music = Int8Features(network.tflite), teacher_heads.NOT_MUSIC_BATCHES * teacher_heads.BATCH.size
    other = backbone.not_music(job, found)
    views = np.concatenate([features(x) for x, _ in teacher_heads.random_views(found, other, job.seed)])
    metrics = {key: bundle.metrics[key] for key in KEPT_METRICS if key in bundle.metrics}
    metrics["layers_of"] = f"{bundle.name} {bundle.version}"
    return HeadlessStudent(job, network, styles, sounds, views, n_not_music, metrics)


def set_weights(stages: list[keras.Model], design: Design, content: bytes) -> None:
    """Give a student's stages the weights of an int8 network.

    Raises:
        ModelError: the network has another architecture.
    """
    layers = {layer.name: layer for stage in stages for layer in stage.layers}
    names = list(_convolutions(design))
    weights = [(kernel, bias) for kernel, bias in tflite_weights.weights(content) if not _is_scale(kernel)]
    if [layers[name].kernel.shape for name in names] != [kernel.shape for kernel, _ in weights[:-1]]:
        raise ModelError("the shipped network has another architecture")
    for name, (kernel, bias) in zip(names, weights, strict=False):
        if layers[name].use_bias:
            layers[name].set_weights([kernel, bias])
        else:  # the converter multiplied the kernel by the normalisation's scale
            norm = layers[f"{name}_norm"]
            layers[name].set_weights([kernel])
            norm.gamma.assign(np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon))
            norm.beta.assign(bias + np.asarray(norm.moving_mean))


def embedding_layer(content: bytes, design: Design) -> LinearLayer:
    """Return the part of a network's last layer that gets its embedding.

    Args:
        content: content of a .tflite file.
        design: of the network.
    """
    layer = tflite_head.last_layer(content)
    weights = layer.weights[: design.last]
    scales = [scale for scale in tflite_weights.weights(content) if scale[0].shape == (1, 1, design.last, 1)]
    if not scales:  # a network whose features are the embedding
        return LinearLayer(weights, layer.bias)
    ((kernel, bias),) = scales
    return LinearLayer(weights * kernel.reshape(-1, 1), layer.bias + bias @ weights)


def _is_scale(kernel: np.ndarray) -> bool:
    """Return whether a kernel is that of a layer that scales features."""
    return kernel.ndim == 4 and kernel.shape[:2] == (1, 1) and kernel.shape[3] == 1


def _convolutions(design: Design) -> Iterator[str]:
    """Yield the names of the convolutions in the order of execution."""
    yield "stem"
    for number, parts in design.block_parts():
        for part in parts:
            yield from (f"block_{number}_{name}" for name in (SQUEEZE_AND_EXCITE if part == "se" else (part,)))
    yield "last"
