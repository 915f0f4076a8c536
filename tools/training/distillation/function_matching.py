"""Distillation as function matching: the student learns the teacher's outputs for the same random views of sound.

Beyer et al., "Knowledge distillation: a good teacher is patient and consistent", 2022. In a first phase, each stage of
the student learns the corresponding stage of the teacher from the teacher's intermediate outputs (hints: Romero et al.,
"FitNets", 2015), so that all stages are trained at the same time; in the next ones, the whole student learns the
teacher's embedding and logits. A warm start needs no hints: it begins with the layers of a shipped network.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from genre_edge.system.atomic_write import write_atomically
from tools.training.distillation import audioset, efficientat, parameters, students, views
from tools.training.distillation.exchange import folder as exchange_folder
from tools.training.distillation.recordings import Recording, recordings_digest
from tools.training.distillation.start import Examples, Start, view_seed
from tools.training.distillation.student import Student
from tools.training.distillation.students import StudentDesign
from tools.training.distillation.targets import Targets, explained_variance

STATISTICS_BATCHES, VALIDATION_BATCHES, START_BATCHES = 8, 8, 80
VALIDATION_RECORDINGS = 25
CHECKPOINT_S = 240.0  # about the time from checkpoint to checkpoint
WARM_UP_STEPS = 200


@dataclass(frozen=True)
class Phase:
    """Part of the training.

    Attributes:
        name: for the progress.
        steps: number of batches.
        batch: their views.
        learning_rate: highest learning rate, from which it decays to 0.
        rounded: whether the students are rounded as their int8 versions will be.
        hints: whether each stage learns by itself, from the teacher's outputs of the stage before.
    """

    name: str
    steps: int
    batch: views.Batch
    learning_rate: float
    rounded: bool = False
    hints: bool = False

    def rate(self, step: int) -> float:
        """Return the learning rate of a step: half a cosine after a linear warm-up."""
        warm_up = min(1.0, (step + 1) / WARM_UP_STEPS)
        return self.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * step / self.steps)) + 1e-6


WARM_PHASES = (
    Phase("matching", 9500, views.Batch(24, 320, 0.5), 8e-4),
    Phase("whole patches", 700, views.Batch(16, students.PATCH_FRAMES, 0.5), 2e-4, rounded=True),
)
PHASES = (Phase("hints", 2000, views.Batch(24, 256, 0.0), 3e-3, hints=True), *WARM_PHASES)
AFTER_GPU_PHASES = (Phase("whole patches", 3500, views.Batch(16, students.PATCH_FRAMES, 0.5), 2.5e-4, rounded=True),)


class Distiller:
    """Training of students of one teacher, which share the cost of the views and of the teacher's outputs.

    It resumes from its checkpoint.

    Attributes:
        students: by name.

    Args:
        designs: of the students, by name.
        teacher: the teacher.
        recordings: unlabelled sound. Those with the smallest digests are kept for validation, so that few of them
            change when recordings are added.
        checkpoint: directory of the checkpoints; `run` refuses those of a run with other parameters.
        phases: see PHASES; WARM_PHASES and AFTER_GPU_PHASES with `start`.
        seed: of all random numbers; those of the views depend on `start`, too.
        start: networks whose training is continued.

    Raises:
        SystemExit: there are too few recordings.
    """

    def __init__(
        self,
        designs: Mapping[str, StudentDesign],
        teacher: efficientat.Teacher,
        recordings: Sequence[Recording],
        checkpoint: Path,
        phases: Sequence[Phase] = PHASES,
        seed: int = 0,
        start: Start | None = None,
    ) -> None:
        import keras

        if len(recordings) <= VALIDATION_RECORDINGS:
            raise SystemExit(f"distillation needs more than {VALIDATION_RECORDINGS} recordings, got {len(recordings)}")
        identity: dict[str, Any] = {"designs": {name: asdict(d) for name, d in designs.items()}, "seed": seed}
        identity |= {"recordings": recordings_digest(recordings), "effects": parameters.EFFECT_SHARES}
        if start:
            identity["start"] = start.digest
        self._view_seed = view_seed(seed, start)
        self._identity = identity | {"phases": [asdict(phase) for phase in phases]}
        self._teacher, self._phases, self._seed, self._start = teacher, phases, seed, start
        self._is_music = audioset.is_music()
        by_digest = sorted(recordings, key=lambda recording: recording.cached.name)  # of the content, at random
        self._validation, self._recordings = by_digest[:VALIDATION_RECORDINGS], by_digest[VALIDATION_RECORDINGS:]
        keras.utils.set_random_seed(seed)
        self.students = {name: Student(design) for name, design in designs.items()}
        parts = {f"{name}_{i}": part for name, s in self.students.items() for i, part in enumerate(s.parts)}
        self._variables = [v for part in parts.values() for v in part.trainable_variables]
        self._averages = [tf.Variable(v) for v in self._variables]
        self._done = tf.Variable([0, 0], dtype=tf.int64)  # finished phases, and steps of the next one
        self._optimizer = keras.optimizers.Adam(beta_2=0.99, clipnorm=parameters.GRADIENT_NORM)
        self._optimizer.build(self._variables)
        state = tf.train.Checkpoint(done=self._done, optimizer=self._optimizer, averages=self._averages, **parts)
        self._checkpoint = checkpoint
        self._manager = tf.train.CheckpointManager(state, str(checkpoint), max_to_keep=2)

    def run(self) -> dict[str, dict[str, float]]:
        """Train to the end, print the progress, and return each student's share of explained variance.

        The students' weights are then the moving average of those of the last steps.

        Raises:
            ModelError: a network to start from has another architecture.
            SystemExit: the checkpoint belongs to a run with other parameters.
        """
        _check_identity(self._checkpoint, self._identity)
        self._manager.restore_or_initialize()
        maker = views.ViewMaker(self._recordings)
        rng = np.random.default_rng([self._seed, 1])
        examples = [maker.batch(self._phases[0].batch, rng)[1].astype(np.float32) for _ in range(STATISTICS_BATCHES)]
        targets = Targets(self._teacher, examples)
        if not self._done.numpy().any():
            self._start_students(targets, maker)
        for number in range(int(self._done[0]), len(self._phases)):
            self._train(number, targets)
        for variable, average in zip(self._variables, self._averages, strict=True):
            variable.assign(average)
        return self.explained()

    def write_gpu_folder(self, folder: Path, identity: str) -> None:
        """Write the folder for `tools.distil_on_gpu`, with the students' first weights; needs a start."""
        assert self._start
        self._start.assign(self.students, lambda: self._examples(views.ViewMaker(self._recordings)))
        exchange_folder.write(folder, identity, self.students, self._teacher, self._recordings, self._validation)

    def _start_students(self, targets: Targets, maker: views.ViewMaker) -> None:
        """Give the students their first weights."""
        if not self._start:
            for student in self.students.values():
                student.start_from(targets)
            return
        self._start.assign(self.students, lambda: self._examples(maker))
        for name, shares in self.explained().items():
            print(f"start: {name}: {_shares_text(shares)}", flush=True)

    def _examples(self, maker: views.ViewMaker) -> Examples:
        rng = np.random.default_rng([self._seed, 1, 1])
        x, embeddings, logits = [], [], []
        for _ in range(START_BATCHES):
            own, teachers = maker.batch(self._phases[0].batch, rng)
            stages, classes = self._teacher.outputs(teachers.astype(np.float32))
            x.append(own)
            embeddings.append(stages[-1])
            logits.append(classes)
        return x, np.concatenate(embeddings), np.concatenate(logits)

    def _train(self, number: int, targets: Targets) -> None:
        phase, first = self._phases[number], int(self._done[1])
        if first == 0:  # the moments of another loss are of no use
            for variable in self._optimizer.variables[2:]:
                variable.assign(tf.zeros_like(variable))
            for variable, average in zip(self._variables, self._averages, strict=True):
                average.assign(variable)
        train = self._hint_step(targets) if phase.hints else self._matching_step(targets, phase.rounded)
        losses, started, saved = [], time.monotonic(), time.monotonic()
        steps = range(first, phase.steps)
        for step, (x, y) in zip(
            steps, views.batches(self._recordings, phase.batch, self._view_seed, number + 2, steps), strict=True
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
        print(f"{phase.name}: step {step} of {phase.steps}, {rate:.0f} views/s", flush=True)
        with self._averaged():
            explained = self.explained()
        for (name, shares), own in zip(explained.items(), losses, strict=True):
            text = _shares_text(shares)
            print(f"  {name}: losses {' '.join(f'{loss:.3f}' for loss in own)}; explained: {text}", flush=True)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Give the students the averaged weights for a while."""
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
            average.assign_add((1 - parameters.AVERAGING) * (variable - average))

    def _hint_step(self, targets: Targets) -> Any:
        """Return a training step in which each stage gets the teacher's outputs of the stage before."""

        def outputs(student: Student, x: tf.Tensor, hints: list[tf.Tensor]) -> list[tf.Tensor]:
            pairs = zip(student.stages, [student.input(x), *hints[:-1]], strict=True)
            return [stage(hint, training=True) for stage, hint in pairs]

        return self._training_step(outputs, 1.0, targets)

    def _matching_step(self, targets: Targets, rounded: bool) -> Any:
        """Return a training step of the whole students."""

        def outputs(student: Student, x: tf.Tensor, hints: list[tf.Tensor]) -> list[tf.Tensor]:
            return student.stage_outputs(x, rounded)

        return self._training_step(outputs, parameters.HINT_WEIGHT, targets)

    def _training_step(self, outputs: Callable[..., list[tf.Tensor]], hint_weight: float, targets: Targets) -> Any:
        """Return a training step that returns the losses `(students, stages + 1)`, the last being the logits'."""
        teacher, weights = self._teacher, [weight.astype(np.float32) for weight in targets.stage_weights()]
        logit_weights = targets.logit_weights(self._is_music)

        def losses(student: Student, x: tf.Tensor, hints: list[tf.Tensor], logits: tf.Tensor) -> list[tf.Tensor]:
            *own, embedding = outputs(student, x, hints)
            own = [*own, student.to_embedding(embedding), student.to_logits(embedding)]
            pairs = zip(own, [*hints, logits], [*weights, logit_weights], strict=True)
            return [tf.reduce_mean((a - b) ** 2 * weight) for a, b, weight in pairs]

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def step(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
            hints, logits = teacher.outputs(y)
            with tf.GradientTape() as tape:
                by_student = tf.stack([losses(student, x, hints, logits) for student in self.students.values()])
                total = hint_weight * tf.reduce_sum(by_student[:, :-2]) + tf.reduce_sum(by_student[:, -2:])
            self._apply(tape.gradient(total, self._variables))
            return by_student

        return step

    def explained(self) -> dict[str, dict[str, float]]:
        """Return the explained share of the variance of embedding and logits, for clean and for degraded views."""
        maker = views.ViewMaker(self._validation)
        result: dict[str, dict[str, float]] = {name: {} for name in self.students}
        for name, share in (("clean", 0.0), ("degraded", 1.0)):
            rng = np.random.default_rng([self._seed, 0])
            batch = views.Batch(self._phases[-1].batch.size, students.PATCH_FRAMES, share)
            pairs = [maker.batch(batch, rng) for _ in range(VALIDATION_BATCHES)]
            target = [self._teacher.outputs(y.astype(np.float32)) for _, y in pairs]
            embedding = np.concatenate([out[0][-1] for out in target])
            logits = np.concatenate([out[1] for out in target])[:, self._is_music]
            for student_name, student in self.students.items():
                own = [student.outputs(x.astype(np.float32)) for x, _ in pairs]
                shares = result[student_name]
                music = np.concatenate([z for _, z in own])[:, self._is_music]
                shares[f"embedding, {name}"] = explained_variance(np.concatenate([e for e, _ in own]), embedding)
                shares[f"music, {name}"] = explained_variance(music, logits)
        return result


def _shares_text(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{key} {value:.3f}" for key, value in shares.items())


def _check_identity(checkpoint: Path, identity: dict[str, Any]) -> None:
    path, text = checkpoint / "identity.json", json.dumps(identity, indent=1)
    if path.exists() and path.read_text() != text:
        raise SystemExit(f"{checkpoint} belongs to a run with other parameters; remove it to start again")
    checkpoint.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())
