"""A shipped student without its genres: its int8 weights as real numbers, its styles and its sounds.

The genres, and features of early layers, can then be fitted again without a distillation.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from genre_edge.errors import ModelError
from genre_edge.model.bundle import Bundle, bundle_path
from tools.training import tflite_head, tflite_weights
from tools.training.distillation import audioset, backbone, int8_weights, students, teacher_heads
from tools.training.distillation.headless import HeadlessStudent
from tools.training.distillation.int8_features import Int8Features
from tools.training.distillation.mobilenet import Design
from tools.training.distillation.pseudo_labels import Labeller, PseudoLabels
from tools.training.distillation.recordings import Recording
from tools.training.distillation.style_calibration import Calibration
from tools.training.head import LinearLayer
from tools.training.jobs import TrainingJob

KEPT_METRICS = ("hours", "explained", "warm_start", "gpu_views")  # of the distillation


def student(job: TrainingJob, found: list[Recording], labeller: Labeller | None) -> HeadlessStudent:
    """Return the student of a job with the weights of the shipped network of its name.

    Args:
        job: with the network's architecture.
        found: recordings, see `backbone.load_recordings`.
        labeller: of unlabelled music; None for genres that are fitted to labelled tracks alone.

    Raises:
        ModelError: the network has another architecture, other styles or other sounds.
    """
    design, name = job.architecture.student, job.student
    assert design
    bundle, content = Bundle.load(bundle_path(name)), network_content(bundle_path(name))
    if bundle.styles != list(audioset.STYLES.values()) or bundle.sounds != teacher_heads.SOUNDS:
        raise ModelError(f"{name}: its styles or sounds are not those of the distilled networks")
    stages = students.stages(design.network, design.stage_ends)
    int8_weights.assign(stages, design.network, content)
    quantised = backbone.quantised(stages, design, found, job.seed)
    layer = embedding_layer(content, design.network)
    styles, sounds = (
        LinearLayer(layer.weights[:, part], layer.bias[part]) for part in (bundle.layout.styles, bundle.layout.sounds)
    )
    if calibration := Calibration.of_bundle(bundle):  # fitted to labels, perhaps those of tracks that are held out now
        styles = calibration.removed(styles)
    styles, sounds = map(quantised.scale.on_features, (styles, sounds))
    features, n_not_music = Int8Features(quantised.tflite), teacher_heads.NOT_MUSIC_BATCHES * teacher_heads.BATCH.size
    other = backbone.from_folders(job.not_music, found)
    views = np.concatenate([features(x) for x, _ in teacher_heads.random_views(found, other, job.seed)])
    metrics = {key: bundle.metrics[key] for key in KEPT_METRICS if key in bundle.metrics}
    metrics["layers_of"] = f"{bundle.name} {bundle.version}"
    pseudo_labels = PseudoLabels.of(labeller, features, job, found) if labeller else None
    return HeadlessStudent(job, quantised, styles, sounds, views, n_not_music, metrics, pseudo_labels)


def snapshot(name: str, folder: Path) -> Path:
    """Return the copy of a shipped bundle in `folder`.

    The first call makes it, so that a resumed run has the same start when a later version is shipped.
    """
    copy = folder / name
    if not copy.exists():
        incomplete = folder / f".{name}"
        shutil.copytree(bundle_path(name), incomplete, dirs_exist_ok=True)
        incomplete.rename(copy)
    return copy


def network_content(bundle: Path) -> bytes:
    """Return the content of the .tflite file in a bundle's directory."""
    return (bundle / "model.tflite").read_bytes()


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
