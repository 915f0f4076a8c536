"""The students' networks: limits of size and cost, and weights that pass from stages to the whole network."""

from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
from genre_edge.model.bundle import MODELS
from tests.helpers.training import small_design
from tools.training.architectures import ARCHITECTURES, multiply_accumulates
from tools.training.distillation import students
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
