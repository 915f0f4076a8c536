"""Statistics of the teacher's outputs, by which the losses are scaled."""

from collections.abc import Sequence

import numpy as np

from tools.training.distillation import efficientat, parameters


class Targets:
    """Mean and variance of the teacher's outputs for some batches of its inputs.

    Attributes:
        stage_mean, stage_variance: by channel, for each stage; the last one is the embedding.
        logit_mean, logit_variance: by class.
    """

    def __init__(self, teacher: efficientat.Teacher, x: Sequence[np.ndarray]) -> None:
        outputs = [teacher.outputs(batch) for batch in x]
        stages = [np.concatenate([out[0][k] for out in outputs]) for k in range(len(teacher.stages))]
        axes = [tuple(range(values.ndim - 1)) for values in stages]
        self.stage_mean = [values.mean(axis=a) for values, a in zip(stages, axes, strict=True)]
        self.stage_variance = [values.var(axis=a) for values, a in zip(stages, axes, strict=True)]
        logits = np.concatenate([out[1] for out in outputs])
        self.logit_mean, self.logit_variance = logits.mean(axis=0), logits.var(axis=0)

    def stage_weights(self) -> list[np.ndarray]:
        """Return the weight of each channel's squared error: the inverse variance, bounded for steady channels."""
        return [1 / np.maximum(v, parameters.LEAST_VARIANCE * v.mean()) for v in self.stage_variance]

    def logit_weights(self, is_music: np.ndarray) -> np.ndarray:
        """Return the weight of each class's squared error, `(classes,)`."""
        weight = np.where(is_music, parameters.MUSIC_WEIGHT, 1.0)
        normalised: np.ndarray = (weight / weight.mean() / self.logit_variance).astype(np.float32)
        return normalised


def explained_variance(own: np.ndarray, target: np.ndarray) -> float:
    """Return the share of the variance of targets, `(k, outputs)`, that estimates explain."""
    return float(1 - ((own - target) ** 2).sum() / ((target - target.mean(axis=0)) ** 2).sum())
