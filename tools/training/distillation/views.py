"""Random views of sound: what student and teacher get in distillation, computed ahead by another process."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from genre_edge.mel.spectrogram import Frames
from genre_edge.model.preprocessing import normalise
from tools.training.distillation import parameters, students
from tools.training.distillation.effects import Effects, crop
from tools.training.distillation.recordings import Recording, Sampler

AHEAD = 6  # batches computed ahead

Views = tuple[np.ndarray, np.ndarray]  # (student's, teacher's) inputs, each float32 (k, n_mels, n, 1)


@dataclass(frozen=True)
class Batch:
    """Parameters of a batch of views.

    Attributes:
        size: number of views.
        n_frames: their length.
        degraded_share: share of views in which the student's sound is degraded and the teacher's is not.
    """

    size: int
    n_frames: int
    degraded_share: float


class ViewMaker:
    """Maker of random views of recordings. The same generator state gives the same views."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._sampler, self._effects = Sampler(recordings), Effects(students.MEL)

    def batch(self, batch: Batch, rng: np.random.Generator) -> Views:
        """Return the normalised inputs of a batch, float16 to save memory in the queue."""
        views = [self.view(batch, rng) for _ in range(batch.size)]
        student, teacher = (np.stack([_network_input(view[i]) for view in views]) for i in range(2))
        return student, teacher

    def view(self, batch: Batch, rng: np.random.Generator) -> tuple[Frames, Frames]:
        """Return one sound as (student's, teacher's) spectrogram, `(n_mels, n_frames)` in dB."""
        x = self._crop(batch.n_frames, rng)
        if rng.random() < parameters.MIXED_SHARE:
            x = self._effects.mix(x, self._crop(batch.n_frames, rng), rng.uniform(*parameters.MIX_DB))
        if rng.random() < parameters.NOISE_FLOOR_SHARE:
            x = np.maximum(x, x.max() - np.float32(rng.uniform(*parameters.NOISE_FLOOR_DB)))
        return self._degraded(x, rng) if rng.random() < batch.degraded_share else (x, x)

    def _crop(self, n_frames: int, rng: np.random.Generator) -> Frames:
        return self._effects.equalise(crop(self._sampler.choose(rng), n_frames, rng), rng)

    def _degraded(self, x: Frames, rng: np.random.Generator) -> tuple[Frames, Frames]:
        teacher, effects = x, self._effects
        chosen = rng.random(len(parameters.EFFECT_SHARES)) < parameters.EFFECT_SHARES
        chosen[rng.integers(len(chosen))] |= not chosen.any()
        room, band, noise, codec = chosen
        if room:
            x = effects.reverberate(x, rng)
        if band:
            x = effects.limit_band(x, rng)
        if noise:
            snr_db = rng.uniform(*parameters.SNR_DB)
            x = effects.add_noise(x, snr_db, rng)
            if snr_db < parameters.AUDIBLE_NOISE_DB:
                teacher = effects.add_noise(teacher, snr_db, rng)
        if codec:
            x = effects.code(x, rng)
        return x, teacher


def _network_input(x: Frames) -> np.ndarray:
    return normalise(x, students.NORMALISATION, students.TOP_DB, students.MEL)[..., None].astype(np.float16)


_maker: ViewMaker  # of a worker process


def _start_worker(recordings: Sequence[Recording]) -> None:
    global _maker
    _maker = ViewMaker(recordings)


def _make(batch: Batch, seed: tuple[int, ...]) -> Views:
    return _maker.batch(batch, np.random.default_rng(seed))


def batches(recordings: Sequence[Recording], batch: Batch, seed: int, phase: int, steps: range) -> Iterator[Views]:
    """Yield the views of each step, float32; those of a step depend on nothing but the arguments and its number."""
    context = multiprocessing.get_context("spawn")  # TensorFlow's threads do not survive a fork
    with ProcessPoolExecutor(1, context, _start_worker, (recordings,)) as worker:
        pending: deque[Future[Views]] = deque()
        for step in steps:
            pending.append(worker.submit(_make, batch, (seed, phase, step)))
            if len(pending) > AHEAD:
                yield _float32(pending.popleft().result())
        while pending:
            yield _float32(pending.popleft().result())


def _float32(views: Views) -> Views:
    return views[0].astype(np.float32), views[1].astype(np.float32)
