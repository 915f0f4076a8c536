"""The students' networks: limits of size and cost, and weights that pass from stages to the whole network."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
from genre_edge.diagnostics.synthetic_audio import music
from genre_edge.errors import ModelError
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model.bundle import MODELS
from genre_edge.model.prediction import Model
from tests.helpers.training import small_design
from tools.training import quantise
from tools.training.architectures import ARCHITECTURES, multiply_accumulates
from tools.training.distillation import int8_weights, shipped, student_network, students
from tools.training.distillation.folded import folded, round_activations, round_kernel
from tools.training.distillation.int8_features import Int8Features
from tools.training.distillation.student import Student
from tools.training.distillation.student_network import FeatureScale
from tools.training.examples import normalise_patches
from tools.training.head import LinearLayer

pytestmark = pytest.mark.train
# Bytes of the int8 file, and multiply-accumulates for a second of a patch
LIMITS = {"edge": (1_000_000, 15e6), "nano": (250_000, 4e6)}


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name: str) -> None:
    """The shipped file and the network's cost are within the limits that its machines set."""
    size, cost = LIMITS[name]
    assert (MODELS / name / "model.tflite").stat().st_size <= size
    architecture = ARCHITECTURES[name]
    patch_s = architecture.patch_frames * architecture.mel.hop_length / architecture.mel.sr
    network = architecture.build(architecture.shape, 65)
    assert multiply_accumulates(network) / patch_s <= cost


@pytest.mark.parametrize("name", students.DESIGNS)
def test_stages_fit_the_teachers(name: str) -> None:
    """Each stage accepts the teacher's outputs of the stage before."""
    design, teacher = students.DESIGNS[name], (16, 16, 32, 48, 64)
    stages = students.stages(design.network, design.stage_ends)
    assert [stage.output.shape[-1] for stage in stages] == [*teacher, design.network.last]
    assert all(a.output.shape[-1] == b.input.shape[-1] for a, b in pairwise(stages))


def test_whole_network_equals_stages() -> None:
    """The network with a head gives the head's outputs for the embedding that the stages give."""
    design, rng = small_design(), np.random.default_rng(0)
    student = Student(design)
    for stage in student.stages:
        stage.set_weights([w + 0.1 * rng.random(w.shape) for w in stage.get_weights()])
    layer = LinearLayer(rng.normal(size=(24, 3)), rng.normal(size=3))
    x = rng.normal(size=(4, 128, students.PATCH_FRAMES, 1)).astype(np.float32)
    scale = FeatureScale.measure(student.stages, design, x)
    whole = student_network.with_head(student.stages, design, scale, scale.on_features(layer))
    expected = layer(np.asarray(student.stage_outputs(x)[-1]))
    np.testing.assert_allclose(whole(x, training=False), expected, rtol=1e-3, atol=1e-3)


def test_features_are_scaled_statistics() -> None:
    """Embedding, means and deviations of early layers have mean 2 and deviation 0.5; outliers are limited."""
    import keras

    design, rng = small_design(), np.random.default_rng(0)
    student = Student(design)
    x = rng.normal(size=(6, 128, students.PATCH_FRAMES, 1)).astype(np.float32)
    scale = FeatureScale.measure(student.stages, design, x)
    assert len(scale.unit) == student_network.n_features(design) == 24 + 8 + (8 + 8)
    layer = LinearLayer(np.eye(len(scale.unit), 2), np.zeros(2))
    network = student_network.with_head(student.stages, design, scale, layer)
    convolved = [network.get_layer(f"block_{k}_depthwise_relu").output for k in (1, 2)]
    outputs = keras.Model(network.input, [network.get_layer("features").output, *convolved])(x, training=False)
    features, *convolved = (np.asarray(part) for part in outputs)
    deviations = [np.abs(part - part.mean(axis=2, keepdims=True)).mean(axis=(1, 2)) / 2 for part in convolved]
    embedding, mean = student.stage_outputs(x)[-1], convolved[0].mean(axis=(1, 2))
    statistics = np.concatenate([embedding, mean, *deviations], axis=1)
    np.testing.assert_allclose(features, np.clip((statistics - scale.offset) / scale.unit, 0, 6), atol=1e-3)
    varied = statistics.std(axis=0) > 1e-6
    np.testing.assert_allclose(features[:, varied].mean(axis=0), 2, atol=0.01)
    assert np.median(features[:, varied].std(axis=0)) == pytest.approx(0.5, abs=0.01)
    assert np.asarray(network.get_layer("embedding_scaled")(np.full((1, 1, 1, 24), 1e6))).max() == 6


@pytest.mark.parametrize("name", students.DESIGNS)
def test_shipped_weights(name: str) -> None:
    """The float network with the shipped int8 weights gives the int8 network's styles, but for rounded activations."""
    design, content = students.DESIGNS[name], (MODELS / name / "model.tflite").read_bytes()
    stages = students.stages(design.network, design.stage_ends)
    int8_weights.assign(stages, design.network, content)
    model = Model(name)
    frames = MelSpectrogram(students.MEL).db(music(5, round(students.MEL.sr)))[:, : students.PATCH_FRAMES]
    x = normalise_patches([frames], model.bundle)
    for stage in stages:
        x = stage(x, training=False)
    layer = shipped.embedding_layer(content, design.network)
    expected = model.logits(frames)[model.bundle.layout.styles]
    styles = layer(np.asarray(x))[0, model.bundle.layout.styles]
    assert np.corrcoef(styles, expected)[0, 1] > 0.98 and np.abs(styles - expected).max() < 0.2 * np.ptp(expected)


def test_warm_start() -> None:
    """The student is the int8 network with kernels of equal size, and finds a linear map to the targets."""
    design, content = students.NANO, (MODELS / "nano" / "model.tflite").read_bytes()
    stages = students.stages(design.network, design.stage_ends)
    int8_weights.assign(stages, design.network, content)
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(16, students.MEL.n_mels, 64, 1)).astype(np.float32) for _ in range(16)]
    expected = np.concatenate([whole(stages, batch) for batch in x])
    targets = [expected @ rng.normal(size=(192, n)) + rng.normal(size=n) for n in (384, 527)]
    student = Student(design)
    for stage in student.stages:
        for layer in stage.layers:
            if layer.name.endswith("_norm"):  # of a student that was trained before
                layer.moving_mean.assign(rng.normal(size=layer.moving_mean.shape))
    student.start_from_network(content, x, *targets)
    own = np.concatenate([student.stage_outputs(batch)[-1] for batch in x])
    np.testing.assert_allclose(own, expected, atol=1e-3 * np.abs(expected).max())
    for target, layer in zip(targets, (student.to_embedding, student.to_logits), strict=True):
        assert ((np.asarray(layer(own)) - target) ** 2).sum() < 0.1 * ((target - target.mean(axis=0)) ** 2).sum()
    for name, channel in (("block_6_project", 3), ("block_6_depthwise", 2)):
        kernel = student.stages[2].get_layer(name).kernel.numpy()
        initial = np.sqrt(2 / (kernel[..., 0, 0].size * sum(kernel.shape[2:])))
        sizes = np.sqrt((kernel**2).mean(axis=tuple({0, 1, 2, 3} - {channel})))
        np.testing.assert_allclose(sizes, int8_weights.KERNEL_GAIN * initial, rtol=1e-4)


def whole(stages: list[Any], x: np.ndarray) -> np.ndarray:
    for stage in stages:
        x = stage(x, training=False)
    return np.asarray(x)


def test_embedding_layer_of_a_network_with_scaled_features() -> None:
    """The layer on the embedding is found again in the int8 network; its part for other features is left out."""
    design, rng = small_design(), np.random.default_rng(0)
    network, _, x = some_network()
    student = Student(design)
    by_name = {layer.name: layer for layer in network.layers}
    for layer in (layer for stage in student.stages for layer in stage.layers if layer.weights):
        layer.set_weights(by_name[layer.name].get_weights())
    layer = LinearLayer(rng.normal(size=(24, 3)), rng.normal(size=3))
    scale = FeatureScale.measure(student.stages, design, x)
    whole = student_network.with_head(student.stages, design, scale, scale.on_features(layer))
    found = shipped.embedding_layer(quantise.to_int8(whole, x), design.network)
    np.testing.assert_allclose(found.weights, layer.weights, atol=0.03 * np.abs(layer.weights).max())
    np.testing.assert_allclose(found.bias, layer.bias, atol=0.03 * np.abs(layer.weights).max())


def test_weights_of_another_architecture_are_refused() -> None:
    content = (MODELS / "edge" / "model.tflite").read_bytes()
    design = students.NANO
    with pytest.raises(ModelError, match="another architecture"):
        int8_weights.assign(students.stages(design.network, design.stage_ends), design.network, content)


def some_network() -> tuple[Any, Any, np.ndarray]:
    """Return a small network with random weights, the same up to its embedding, and some patches."""
    import keras

    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    network = student_network.network(small_design(), 3)
    network.set_weights([w + 0.1 * rng.random(w.shape) for w in network.get_weights()])
    embed = keras.Model(network.input, network.get_layer("features").output)
    return network, embed, rng.normal(size=(2, 128, students.PATCH_FRAMES, 1)).astype(np.float32)


def test_folded_network_equals_network() -> None:
    """The outputs and the gradients of all weights are the network's."""
    import tensorflow as tf

    _, network, x = some_network()
    results = []
    for call in (lambda x: network(x, training=False), folded(network)):
        with tf.GradientTape() as tape:
            y = call(tf.constant(x))
            loss = tf.reduce_sum(y**2)
        results.append([y, *tape.gradient(loss, network.trainable_variables)])
    for expected, result in zip(*results, strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_rounded_network_errs_like_int8() -> None:
    """The rounded network differs from the float one about as much as the int8 network does."""
    network, embed, x = some_network()
    int8 = Int8Features(quantise.to_int8(network, x))(x)
    plain, rounded = (np.asarray(folded(embed, flag)(x)) for flag in (False, True))
    ratio = np.abs(rounded - plain).mean() / np.abs(int8 - plain).mean()
    assert 1 / 4 < ratio < 4


def test_rounding() -> None:
    """Values are rounded to 256 steps that include 0; channels of a kernel have steps of their own."""
    x = np.array([-1.0, 0.0, 0.1, 3.0], dtype=np.float32)
    np.testing.assert_allclose(round_activations(x), np.rint(x * 63.75) / 63.75, atol=1e-2)
    assert round_activations(x)[1] == 0
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 2)).astype(np.float32) * [1, 100]
    step = np.abs(kernel).max(axis=(0, 1, 2)) / 127
    np.testing.assert_allclose(round_kernel(kernel.astype(np.float32)), np.rint(kernel / step) * step, rtol=1e-4)
