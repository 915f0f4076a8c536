"""Distillation as function matching: the student learns the teacher's outputs for the same random views of sound.

Beyer et al., "Knowledge distillation: a good teacher is patient and consistent", 2022. In a first phase, each stage of
the student learns the corresponding stage of the teacher from the teacher's intermediate outputs (hints: Romero et al.,
"FitNets", 2015), so that all stages are trained at the same time; in the next ones, the whole student learns the
teacher's embedding and logits.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from genre_edge.system.atomic_write import write_atomically
from tools.training import audioset, efficientat, students, views
from tools.training.recordings import Recording
from tools.training.students import StudentDesign
from tools.training.targets import Targets

if TYPE_CHECKING:
    import keras

HINT_WEIGHT = 0.1  # of all stages' hints together with the losses of embedding and logits
STATISTICS_BATCHES, VALIDATION_BATCHES = 8, 8
VALIDATION_RECORDINGS = 25
CHECKPOINT_S = 240.0  # about the time from checkpoint to checkpoint
WARM_UP_STEPS = 200
GRADIENT_NORM = 5.0
AVERAGING = 0.999  # per step, of the moving average of the weights


@dataclass(frozen=True)
class Phase:
    """Part of the training: its number of steps, its views, and the highest learning rate, which decays to 0."""

    name: str
    steps: int
    batch: views.Batch
    learning_rate: float

    def rate(self, step: int) -> float:
        """Return the learning rate of a step: half a cosine, after a linear warm-up."""
        warm_up = min(1.0, (step + 1) / WARM_UP_STEPS)
        return self.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * step / self.steps)) + 1e-6


PHASES = (
    Phase("hints", 4000, views.Batch(24, 256, 0.0), 3e-3),
    Phase("matching", 16000, views.Batch(24, 320, 0.35), 4e-4),
    Phase("whole patches", 3000, views.Batch(16, students.PATCH_FRAMES, 0.35), 1e-4),
)


class Student:
    """A student in stages, with linear layers from its embedding to the teacher's embedding and logits."""

    def __init__(self, design: StudentDesign) -> None:
        import keras
        from keras import layers

        self.stages = students.stages(design.network, design.stage_ends)
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

    def network(self) -> keras.Model:
        """Return one network from a patch to the embedding and the logits."""
        import keras

        inputs = keras.Input((students.MEL.n_mels, students.PATCH_FRAMES, 1))
        x = inputs
        for stage in self.stages:
            x = stage(x)
        return keras.Model(inputs, [x, self.to_logits(x)])


class Distiller:
    """Training of a student, resumable from its checkpoint.

    Args:
        design: of the student.
        teacher: the teacher.
        recordings: unlabelled sound; some are kept for validation.
        checkpoint: directory; a run with other parameters is refused.
        phases: see PHASES.
        seed: of all random numbers.

    Raises:
        SystemExit: the checkpoint belongs to another run, or there are too few recordings.
    """

    def __init__(
        self,
        design: StudentDesign,
        teacher: efficientat.Teacher,
        recordings: Sequence[Recording],
        checkpoint: Path,
        phases: Sequence[Phase] = PHASES,
        seed: int = 0,
    ) -> None:
        import keras

        if len(recordings) <= VALIDATION_RECORDINGS:
            raise SystemExit(f"distillation needs more than {VALIDATION_RECORDINGS} recordings, got {len(recordings)}")
        _check_identity(checkpoint, {"design": asdict(design), "phases": [asdict(p) for p in phases], "seed": seed})
        self._teacher, self._phases, self._seed = teacher, phases, seed
        self._is_music = audioset.is_music()
        order = np.random.default_rng(seed).permutation(len(recordings))
        self._validation = [recordings[i] for i in order[:VALIDATION_RECORDINGS]]
        self._recordings = [recordings[i] for i in order[VALIDATION_RECORDINGS:]]
        keras.utils.set_random_seed(seed)
        self.student = Student(design)
        self._variables = [v for part in self.student.parts for v in part.trainable_variables]
        self._averages = [tf.Variable(v) for v in self._variables]
        self._done = tf.Variable([0, 0], dtype=tf.int64)  # finished phases, and steps of the next one
        parts = {f"part_{i}": part for i, part in enumerate(self.student.parts)}
        self._optimizer = keras.optimizers.Adam(beta_2=0.99, clipnorm=GRADIENT_NORM)
        self._optimizer.build(self._variables)
        state = tf.train.Checkpoint(done=self._done, optimizer=self._optimizer, averages=self._averages, **parts)
        self._manager = tf.train.CheckpointManager(state, str(checkpoint), max_to_keep=2)
        state.restore(self._manager.latest_checkpoint)

    def run(self) -> dict[str, float]:
        """Train to the end, print the progress, and return the share of the teacher's variance that is explained.

        The student's weights are then the moving average of those of the last steps.
        """
        maker = views.ViewMaker(self._recordings)
        rng = np.random.default_rng([self._seed, 1])
        examples = [maker.batch(self._phases[0].batch, rng)[1].astype(np.float32) for _ in range(STATISTICS_BATCHES)]
        targets = Targets(self._teacher, examples)
        if not self._done.numpy().any():
            self.student.start_from(targets)
        for number in range(int(self._done[0]), len(self._phases)):
            self._train(number, targets)
        for variable, average in zip(self._variables, self._averages, strict=True):
            variable.assign(average)
        return self.explained()

    def _train(self, number: int, targets: Targets) -> None:
        phase, first = self._phases[number], int(self._done[1])
        if first == 0:  # the moments of another loss are of no use
            for variable in self._optimizer.variables[2:]:
                variable.assign(tf.zeros_like(variable))
            for variable, average in zip(self._variables, self._averages, strict=True):
                average.assign(variable)
        train = self._hint_step(targets) if number == 0 else self._matching_step(targets)
        losses, started, saved = [], time.monotonic(), time.monotonic()
        steps = range(first, phase.steps)
        for step, (x, y) in zip(
            steps, views.batches(self._recordings, phase.batch, self._seed, number + 2, steps), strict=True
        ):
            self._optimizer.learning_rate.assign(phase.rate(step))
            losses.append(train(tf.constant(x), tf.constant(y)).numpy())
            if time.monotonic() - saved > CHECKPOINT_S:
                saved = time.monotonic()
                rate = (step + 1 - first) * phase.batch.size / (saved - started)
                self._report(phase, step + 1, np.mean(losses[-200:], axis=0), rate)
                self._done.assign([number, step + 1])
                self._manager.save()
        self._done.assign([number + 1, 0])
        self._manager.save()

    def _report(self, phase: Phase, step: int, losses: np.ndarray, rate: float) -> None:
        with self._averaged():
            explained = ", ".join(f"{key} {value:.3f}" for key, value in self.explained().items())
        text = " ".join(f"{loss:.3f}" for loss in losses)
        print(
            f"{phase.name}: step {step} of {phase.steps}, {rate:.0f} views/s, losses {text}; explained: {explained}",
            flush=True,
        )

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Give the student the averaged weights for a while."""
        current = [variable.numpy() for variable in self._variables]
        for variable, average in zip(self._variables, self._averages, strict=True):
            variable.assign(average)
        try:
            yield
        finally:
            for variable, value in zip(self._variables, current, strict=True):
                variable.assign(value)

    def _apply(self, gradients: list[tf.Tensor]) -> None:
        self._optimizer.apply_gradients(zip(gradients, self._variables, strict=True))
        for variable, average in zip(self._variables, self._averages, strict=True):
            average.assign_add((1 - AVERAGING) * (variable - average))

    def _hint_step(self, targets: Targets) -> Any:
        """Return a training step in which each stage gets the teacher's outputs of the stage before."""

        def outputs(x: tf.Tensor, hints: list[tf.Tensor]) -> list[tf.Tensor]:
            pairs = zip(self.student.stages, [x, *hints[:-1]], strict=True)
            return [stage(hint, training=True) for stage, hint in pairs]

        return self._training_step(outputs, 1.0, targets)

    def _matching_step(self, targets: Targets) -> Any:
        """Return a training step of the whole student."""

        def outputs(x: tf.Tensor, hints: list[tf.Tensor]) -> list[tf.Tensor]:
            result = []
            for stage in self.student.stages:
                x = stage(x, training=False)  # with batch statistics, it would be another function at inference
                result.append(x)
            return result

        return self._training_step(outputs, HINT_WEIGHT, targets)

    def _training_step(self, outputs: Callable[..., list[tf.Tensor]], hint_weight: float, targets: Targets) -> Any:
        student, teacher, weights = self.student, self._teacher, targets.stage_weights()

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def step(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
            hints, logits = teacher.outputs(y)
            with tf.GradientTape() as tape:
                *own, embedding = outputs(x, hints)
                losses = [
                    tf.reduce_mean((a - b) ** 2 * weight.astype(np.float32))
                    for a, b, weight in zip([*own, student.to_embedding(embedding)], hints, weights, strict=True)
                ]
                losses.append(self._logit_loss(student.to_logits(embedding), logits, targets))
                total = hint_weight * tf.add_n(losses[:-2]) + losses[-2] + losses[-1]
            self._apply(tape.gradient(total, self._variables))
            return tf.stack(losses)

        return step

    def _logit_loss(self, own: tf.Tensor, logits: tf.Tensor, targets: Targets) -> tf.Tensor:
        return tf.reduce_mean((own - logits) ** 2 * targets.logit_weights(self._is_music))

    def explained(self) -> dict[str, float]:
        """Return the explained share of the variance of embedding and logits, for clean and for degraded views."""
        maker, result = views.ViewMaker(self._validation), {}
        for name, share in (("clean", 0.0), ("degraded", 1.0)):
            rng = np.random.default_rng([self._seed, 0])
            batch = views.Batch(self._phases[-1].batch.size, students.PATCH_FRAMES, share)
            pairs = [maker.batch(batch, rng) for _ in range(VALIDATION_BATCHES)]
            own = [self._outputs(x.astype(np.float32)) for x, _ in pairs]
            target = [self._teacher.outputs(y.astype(np.float32)) for _, y in pairs]
            embedding = np.concatenate([out[0][-1] for out in target])
            logits = np.concatenate([out[1] for out in target])[:, self._is_music]
            result[f"embedding, {name}"] = _explained(np.concatenate([e for e, _ in own]), embedding)
            result[f"music, {name}"] = _explained(np.concatenate([z for _, z in own])[:, self._is_music], logits)
        return result

    def _outputs(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        for stage in self.student.stages:
            x = stage(x, training=False)
        return np.asarray(self.student.to_embedding(x)), np.asarray(self.student.to_logits(x))


def _explained(own: np.ndarray, target: np.ndarray) -> float:
    return float(1 - ((own - target) ** 2).sum() / ((target - target.mean(axis=0)) ** 2).sum())


def _check_identity(checkpoint: Path, identity: dict[str, Any]) -> None:
    path, text = checkpoint / "identity.json", json.dumps(identity, indent=1)
    if path.exists() and path.read_text() != text:
        raise SystemExit(f"{checkpoint} belongs to a run with other parameters; remove it to start again")
    checkpoint.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())
