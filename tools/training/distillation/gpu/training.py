"""Training of students on a GPU: function matching, as in `tools.training.distillation.function_matching`.

A run lasts a given time: the learning rate decays by it, not by the number of steps.
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
STATISTICS_BATCHES = 8
LEARNING_RATE = 2e-3
ROUNDED_FROM = 0.6  # share of the time after which the students are rounded


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
        return stages, second(nn.functional.hardswish(first(stages[-1].float())))


@dataclass(frozen=True)
class Settings:
    """How to train.

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
    half: bool = True
    learning_rate: float = LEARNING_RATE


class Trainer:
    """Training of students of one teacher.

    Attributes:
        students: by name.
        stage_weights, logit_weights: of the squared errors.
        n_views: number of views that they were trained on.

    Args:
        teacher: the teacher.
        students: by name; their heads are the layers to the teacher's embedding and to its logits.
        is_music: which logits are music or a kind of music, bool `(classes,)`.
        views: of the sound to learn from.
        settings: see there.
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
        self._parameters = [p for student in students.values() for p in student.parameters()]
        self._averages = [p.detach().clone() for p in self._parameters]
        is_cuda = self._parameters[0].is_cuda
        self._optimizer = torch.optim.Adam(self._parameters, lr=0.0, betas=(0.9, 0.99), eps=1e-7, foreach=True)
        self._scaler = torch.amp.GradScaler(enabled=settings.half and is_cuda)
        self._device = "cuda" if is_cuda else "cpu"
        self._is_music, self.n_views = is_music, n_views
        self.stage_weights, self.logit_weights = self._loss_weights(is_music)

    def _loss_weights(self, is_music: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the weights of the squared errors: the inverse variance of the teacher's outputs, as in `Targets`."""
        batches = [self._targets(self._batch(64, 0.0)[1]) for _ in range(STATISTICS_BATCHES)]
        weights = []
        for stage in range(len(batches[0][0])):
            values = torch.cat([stages[stage].float().transpose(0, 1).flatten(1) for stages, _ in batches], dim=1)
            variance = values.var(dim=1)
            weight = 1 / torch.maximum(variance, parameters.LEAST_VARIANCE * variance.mean())
            weights.append(weight if batches[0][0][stage].ndim == 2 else weight[:, None, None])
        music = torch.where(is_music, parameters.MUSIC_WEIGHT, 1.0)
        return weights, music / music.mean() / torch.cat([logits for _, logits in batches]).var(dim=0)

    def _batch(self, k: int, degraded_share: float) -> tuple[Tensor, Tensor]:
        return self._views.batch(k, self._settings.frames, degraded_share)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device, torch.float16, enabled=self._settings.half and self._device == "cuda")

    @torch.no_grad()
    def _targets(self, y: Tensor) -> tuple[list[Tensor], Tensor]:
        with self._autocast():
            return self._teacher(y)

    def _losses(self, student: Network, x: Tensor, rounded: bool, targets: tuple[list[Tensor], Tensor]) -> list[Tensor]:
        """Return the losses of the stages before the embedding, of the embedding, and of the logits."""
        hints, logits = targets
        with self._autocast():
            *own, embedding = student(x, rounded)
        to_embedding, to_logits = student.heads
        with torch.autocast(self._device, enabled=False):
            embedding = embedding.float()
            own = [*own, to_embedding(embedding), to_logits(embedding)]
            weights = [*self.stage_weights, self.logit_weights]
            pairs = zip(own, [*hints, logits], weights, strict=True)
            return [((a.float() - b.float()) ** 2 * weight).mean() for a, b, weight in pairs]

    def step(self, learning_rate: float, rounded: bool) -> Tensor:
        """Take a step, and return the losses `(students, stages + 1)`."""
        x, y = self._batch(self._settings.batch, DEGRADED_SHARE)
        targets = self._targets(y)
        losses = torch.stack([torch.stack(self._losses(s, x, rounded, targets)) for s in self.students.values()])
        total = parameters.HINT_WEIGHT * losses[:, :-2].sum() + losses[:, -2:].sum()
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(total).backward()
        self._scaler.unscale_(self._optimizer)
        gradients = [p.grad for p in self._parameters]
        norms, limit = torch._foreach_norm(gradients), parameters.GRADIENT_NORM
        torch._foreach_mul_(gradients, [(limit / norm.clamp(min=limit)) for norm in norms])
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
        started = time.monotonic()
        end = started + 60 * self._settings.minutes
        reported, step, losses = started, 0, []
        while (now := time.monotonic()) < end:
            done = (now - started) / (end - started)
            warm_up = min(1.0, (step + 1) / WARM_UP_STEPS)
            rate = self._settings.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * done)) + 1e-6
            losses.append(self.step(rate, rounded=done >= ROUNDED_FROM))
            step += 1
            if step % 20 == 0 and self._device == "cuda":
                torch.cuda.synchronize()  # the host must not run ahead of the clock
            if now - reported > every_s:
                self._report(report, step, (now - started), torch.stack(losses[-100:]).mean(dim=0))
                reported, losses = time.monotonic(), []
        self._use_averages()
        report(f"{step} steps in {time.monotonic() - started:.0f} s")

    def _report(self, report: Callable[[str], None], step: int, seconds: float, losses: Tensor) -> None:
        rows = "; ".join(" ".join(f"{loss:.3f}" for loss in row) for row in losses.tolist())
        views_s = step * self._settings.batch / seconds
        current = [p.detach().clone() for p in self._parameters]
        self._use_averages()
        report(f"{seconds:.0f} s, {step} steps, {views_s:.0f} views/s; losses {rows}")
        for parameter, value in zip(self._parameters, current, strict=True):
            parameter.data.copy_(value)

    def _use_averages(self) -> None:
        for parameter, average in zip(self._parameters, self._averages, strict=True):
            parameter.data.copy_(average)

    @torch.no_grad()
    def explained(self, views: ViewMaker, rounded: bool = False) -> dict[str, str]:
        """Return the explained shares of the variance of embedding and music logits, clean and degraded."""
        result: dict[str, str] = {}
        for kind, share in (("clean", 0.0), ("degraded", 1.0)):
            batches = [views.batch(64, self._settings.frames, share) for _ in range(4)]
            targets = [self._teacher(y) for _, y in batches]
            embedding = torch.cat([stages[-1] for stages, _ in targets])
            music = torch.cat([logits for _, logits in targets])[:, self._is_music]
            for name, student in self.students.items():
                own = [student(x, rounded)[-1] for x, _ in batches]
                estimates = [torch.cat([head(e) for e in own]) for head in student.heads]
                shares = [_explained(estimates[0], embedding), _explained(estimates[1][:, self._is_music], music)]
                result[name] = result.get(name, "") + f"{kind} {shares[0]:.3f}, {shares[1]:.3f} "
        return result


def _explained(own: Tensor, target: Tensor) -> float:
    return float(1 - ((own - target) ** 2).sum() / ((target - target.mean(dim=0)) ** 2).sum())
