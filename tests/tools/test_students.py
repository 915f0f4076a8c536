"""The students' networks: limits of size and cost, and weights that pass from stages to the whole network."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
from genre_edge.model.bundle import MODELS
from tests.helpers.training import small_design
from tools.training import quantise
from tools.training.architectures import ARCHITECTURES, multiply_accumulates
from tools.training.distillation import students
from tools.training.distillation.folded import folded, round_activations, round_kernel
from tools.training.distillation.int8_features import Int8Features
from tools.training.distillation.student import Student
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
    x = rng.normal(size=(2, 128, students.PATCH_FRAMES, 1)).astype(np.float32)
    whole = students.with_head(student.stages, design.network, layer)(x, training=False)
    np.testing.assert_allclose(whole, layer(np.asarray(student.stage_outputs(x)[-1])), rtol=1e-3, atol=1e-3)


def some_network() -> tuple[Any, Any, np.ndarray]:
    """Return a small network with random weights, the same up to its embedding, and some patches."""
    import keras

    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    network = students.network(small_design().network, 3)
    network.set_weights([w + 0.1 * rng.random(w.shape) for w in network.get_weights()])
    embed = keras.Model(network.input, network.get_layer("embedding").output)
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
