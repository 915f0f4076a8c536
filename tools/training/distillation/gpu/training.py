"""Training of students on a GPU: function matching, as in `tools.training.distillation.function_matching`.

What differs: a run lasts a given time, by which the learning rate decays after a longer warm-up; the views are of more
kinds; the convolutions compute in half precision; the students are rounded in the last part of the time, and Adam's
moments go on then.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tools.training.distillation import parameters
from tools.training.distillation.gpu.network import Network
from tools.training.distillation.gpu.views import ViewMaker

WARM_UP_STEPS = 300
DEGRADED_SHARE = 0.5
ROUNDED_FROM = 0.6  # share of the time after which the students are rounded
STATISTICS_BATCHES, VALIDATION_BATCHES, SMALL_BATCH = 8, 4, 64
SYNCHRONISED_STEPS = 20  # the host may not queue more, or the time would be over before they are computed


class Teacher(nn.Module):
    """The frozen teacher.

    Args:
        network: its heads are two dense layers, with a hard swish between them.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the outputs of all stages, and the logits."""
        stages = self.network(x)
        first, second = self.network.heads
        with torch.autocast(x.device.type, enabled=False):
            return stages, second(nn.functional.hardswish(first(stages[-1].float())))


@dataclass(frozen=True)
class Settings:
    """Settings of a training.

    Attributes:
        minutes: duration.
        batch: views in a batch.
        frames: their length.
        half: whether convolutions compute in half precision.
        learning_rate: highest learning rate.
    """

    minutes: float
    batch: int
    frames: int
    half: bool
    learning_rate: float


class Trainer:
    """Training of students of one teacher.

    Attributes:
        students: by name; their heads are the layers to the teacher's embedding and to its logits.
        stage_weights, logit_weights: of the squared errors: the inverse variances, as in `Targets`.
        n_views: number of views that the students were trained on.

    Args:
        teacher: the teacher.
        students: see above.
        is_music: which logits are music or a kind of music, bool `(classes,)`.
        views: of the sound to learn from.
        settings: of the training.
        n_views: number of views that the students were trained on before.
    """

    def __init__(
        self,
        teacher: Teacher,
        students: Mapping[str, Network],
        is_music: Tensor,
        views: ViewMaker,
        settings: Settings,
        n_views: int = 0,
    ) -> None:
        self._teacher, self.students, self._views, self._settings = teacher, students, views, settings
        self._is_music, self.n_views = is_music, n_views
        self._parameters = [p for student in students.values() for p in student.parameters()]
        self._averages = [p.detach().clone() for p in self._parameters]
        self._device = self._parameters[0].device
        self._half = settings.half and self._device.type == "cuda"
        self._optimizer = torch.optim.Adam(self._parameters, lr=0.0, betas=(0.9, 0.99), eps=1e-7, foreach=True)
        self._scaler = torch.amp.GradScaler(enabled=self._half)
        self.stage_weights, self.logit_weights = self._loss_weights()

    def _loss_weights(self) -> tuple[list[Tensor], Tensor]:
        batches = [self._targets(self._batch(SMALL_BATCH)[1]) for _ in range(STATISTICS_BATCHES)]
        weights = []
        for outputs in zip(*(stages for stages, _ in batches), strict=True):
            variance = torch.cat([x.float().transpose(0, 1).flatten(1) for x in outputs], dim=1).var(
                dim=1, correction=0
            )
            weight = 1 / torch.maximum(variance, parameters.LEAST_VARIANCE * variance.mean())
            weights.append(weight if outputs[0].ndim == 2 else weight[:, None, None])
        music = torch.where(self._is_music, parameters.MUSIC_WEIGHT, 1.0)
        variance = torch.cat([logits for _, logits in batches]).var(dim=0, correction=0)
        return weights, music / music.mean() / variance

    def _batch(self, k: int) -> tuple[Tensor, Tensor]:
        return self._views.batch(k, self._settings.frames, DEGRADED_SHARE)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.float16, enabled=self._half)

    @torch.no_grad()
    def _targets(self, y: Tensor) -> tuple[list[Tensor], Tensor]:
        with self._autocast():
            return self._teacher(y)

    def _losses(self, student: Network, x: Tensor, rounded: bool, targets: tuple[list[Tensor], Tensor]) -> Tensor:
        """Return the losses of the stages before the embedding, of the embedding, and of the logits."""
        hints, logits = targets
        with self._autocast():
            *own, embedding = student(x, rounded)
        to_embedding, to_logits = student.heads
        own = [*own, to_embedding(embedding.float()), to_logits(embedding.float())]
        pairs = zip(own, [*hints, logits], [*self.stage_weights, self.logit_weights], strict=True)
        return torch.stack([((a.float() - b.float()) ** 2 * weight).mean() for a, b, weight in pairs])

    def step(self, learning_rate: float, rounded: bool) -> Tensor:
        """Take a step, and return the losses `(students, stages + 1)`."""
        x, y = self._batch(self._settings.batch)
        targets = self._targets(y)
        losses = torch.stack([self._losses(student, x, rounded, targets) for student in self.students.values()])
        total = parameters.HINT_WEIGHT * losses[:, :-2].sum() + losses[:, -2:].sum()
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(total).backward()
        self._scaler.unscale_(self._optimizer)
        gradients = [p.grad for p in self._parameters]
        norms, limit = torch._foreach_norm(gradients), parameters.GRADIENT_NORM
        torch._foreach_mul_(gradients, [limit / norm.clamp(min=limit) for norm in norms])
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self.n_views += len(x)
        torch._foreach_lerp_(self._averages, [p.detach() for p in self._parameters], 1 - parameters.AVERAGING)
        return losses.detach()

    def run(self, report: Callable[[str], None], every_s: float) -> None:
        """Train for the time that the settings give; the students then have the moving averages of their weights.

        Args:
            report: called with a line on the progress, while the students have the averages.
            every_s: seconds from report to report.
        """
        started = reported = time.monotonic()
        step, losses, duration = 0, [], 60 * self._settings.minutes
        while (seconds := time.monotonic() - started) < duration:
            done = seconds / duration
            rate = min(1.0, (step + 1) / WARM_UP_STEPS) * 0.5 * (1 + math.cos(math.pi * done))
            losses.append(self.step(self._settings.learning_rate * rate + 1e-6, done >= ROUNDED_FROM))
            step += 1
            if step % SYNCHRONISED_STEPS == 0 and self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
            if time.monotonic() - reported > every_s:
                self._report(report, self._progress(step, seconds, losses))
                reported, losses = time.monotonic(), []
        self._use(self._averages)
        report(f"{step} steps in {time.monotonic() - started:.0f} s")

    def _progress(self, step: int, seconds: float, losses: list[Tensor]) -> str:
        rows = zip(self.students, torch.stack(losses[-100:]).mean(dim=0).tolist(), strict=True)
        text = "; ".join(f"{name} {' '.join(f'{loss:.3f}' for loss in row)}" for name, row in rows)
        return f"{seconds:.0f} s: {step} steps; losses: {text}"

    def _report(self, report: Callable[[str], None], line: str) -> None:
        current = [p.detach().clone() for p in self._parameters]
        self._use(self._averages)
        report(line)
        self._use(current)

    @torch.no_grad()
    def _use(self, weights: list[Tensor]) -> None:
        for parameter, value in zip(self._parameters, weights, strict=True):
            parameter.copy_(value)

    @torch.no_grad()
    def explained(self, views: ViewMaker) -> dict[str, dict[str, float]]:
        """Return the explained share of the variance of embedding and music logits, for clean and degraded views."""
        views.restart()
        result: dict[str, dict[str, float]] = {name: {} for name in self.students}
        for kind, share in (("clean", 0.0), ("degraded", 1.0)):
            pairs = [views.batch(SMALL_BATCH, self._settings.frames, share) for _ in range(VALIDATION_BATCHES)]
            targets = [(stages[-1], logits) for stages, logits in (self._teacher(y) for _, y in pairs)]
            embedding = torch.cat([own for own, _ in targets])
            music = torch.cat([logits for _, logits in targets])[:, self._is_music]
            for name, student in self.students.items():
                own = torch.cat([student(x)[-1] for x, _ in pairs])
                to_embedding, to_logits = student.heads
                result[name][f"embedding, {kind}"] = _explained_variance(to_embedding(own), embedding)
                result[name][f"music, {kind}"] = _explained_variance(to_logits(own)[:, self._is_music], music)
        return result


def _explained_variance(own: Tensor, target: Tensor) -> float:
    return float(1 - ((own - target) ** 2).sum() / ((target - target.mean(dim=0)) ** 2).sum())
