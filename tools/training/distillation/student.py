"""A student network in training: its stages, and the layers that give the teacher's outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tools.training.distillation import audioset, efficientat, int8_weights, students
from tools.training.distillation.folded import folded
from tools.training.distillation.reduction import reduced
from tools.training.distillation.students import StudentDesign
from tools.training.distillation.targets import Targets
from tools.training.head import LinearLayer

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

RIDGE = 0.01  # of the least squares, relative to the mean variance of the inputs


class Student:
    """A student in stages, with linear layers from its embedding to the teacher's embedding and logits."""

    def __init__(self, design: StudentDesign) -> None:
        import keras
        from keras import layers

        self.design, self._reduction = design, design.reduction
        self.stages = students.stages(design.network, design.stage_ends)
        self._folded, self._rounded = ([folded(stage, rounded) for stage in self.stages] for rounded in (False, True))
        embedding = (design.network.last,)
        self.to_embedding = keras.Sequential([keras.Input(embedding), layers.Dense(efficientat.DESIGN.last)])
        self.to_logits = keras.Sequential([keras.Input(embedding), layers.Dense(audioset.N_CLASSES)])

    @property
    def parts(self) -> list[keras.Model]:
        return [*self.stages, self.to_embedding, self.to_logits]

    def start_from(self, targets: Targets) -> None:
        """Set the last batch normalisations of each stage so that its outputs have the targets' mean and variance.

        Otherwise the first thousand steps would be spent on the scale.
        """
        for stage, mean, variance in zip(self.stages[:-1], targets.stage_mean, targets.stage_variance, strict=False):
            norms = [layer for layer in stage.layers if layer.name.endswith("project_norm")]
            norms = [layer for layer in norms if layer.gamma.shape == mean.shape]
            for i, norm in enumerate(norms):  # the first carries the mean, the others are added to it
                share = 1.0 if len(norms) == 1 else 0.7 if i == 0 else 0.1
                norm.gamma.assign(np.sqrt(share * variance))
                norm.beta.assign(mean if i == 0 else 0 * mean)
        self.to_logits.layers[-1].bias.assign(targets.logit_mean)

    def start_from_network(
        self, content: bytes, x: Sequence[np.ndarray], embedding: np.ndarray, logits: np.ndarray
    ) -> None:
        """Take the convolutions of an int8 network, and fit the layers behind them to the teacher's outputs.

        Args:
            content: of a .tflite file.
            x: batches of the student's inputs, of any float type.
            embedding, logits: the teacher's outputs for all of them.

        Raises:
            ModelError: the network has another architecture.
        """
        int8_weights.assign(self.stages, self.design.network, content)
        int8_weights.rescale(self.stages)
        own = np.concatenate([self.stage_outputs(batch.astype(np.float32))[-1] for batch in x])
        for layer, target in ((self.to_embedding, embedding), (self.to_logits, logits)):
            layer.layers[-1].set_weights(_least_squares(own, target))

    def logits_of(self, classes: np.ndarray) -> LinearLayer:
        """Return the layer from the student's embedding to the teacher's logits of some classes, by their indices."""
        weights, bias = map(np.asarray, self.to_logits.layers[-1].get_weights())
        return LinearLayer(weights[:, classes], bias[classes])

    def input(self, x: tf.Tensor) -> tf.Tensor:
        """Return normalised patches with the information that the student's front end gives."""
        return reduced(x, self._reduction) if self._reduction else x

    def stage_outputs(self, x: tf.Tensor, rounded: bool = False) -> list[tf.Tensor]:
        """Return the outputs of all stages, the last being the student's embedding; `rounded` as in the int8 network.

        Batch normalisation uses its moving averages, also in training: with the statistics of each batch, the student
        would be another function at inference.
        """
        result, x = [], self.input(x)
        for stage in self._rounded if rounded else self._folded:
            x = stage(x)
            result.append(x)
        return result

    def outputs(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the teacher's embedding and logits as the student estimates them."""
        embedding = self.stage_outputs(x)[-1]
        return self.to_embedding(embedding), self.to_logits(embedding)


def _least_squares(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Return weights and bias of the linear map from `x` to `y` with the least squares, slightly regularised."""
    mean, target_mean = x.mean(axis=0, dtype=float), y.mean(axis=0, dtype=float)
    centred = x - mean
    products = centred.T @ centred
    penalty = RIDGE * np.trace(products) / len(products) + 1e-9  # not 0 for constant inputs
    weights = np.linalg.solve(products + penalty * np.eye(len(products)), centred.T @ (y - target_mean))
    return [weights, target_mean - mean @ weights]
