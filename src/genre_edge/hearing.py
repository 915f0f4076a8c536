"""Frames -> patches -> what the model hears in each: one source's way, whether it ends or not."""

import math
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import Block, Source
from genre_edge.frontend import FrontEnd
from genre_edge.mel import Frames, MelSpectrogram
from genre_edge.model import Model

MIN_SECONDS = 1.0  # less is too short for any model

Probabilities = NDArray[np.float64]
Heard = tuple[float, float, Probabilities | None]  # start_s, end_s, None for silence
OnFrames = Callable[[Block, Frames], None]  # a block, and the dB frames `(n_mels, k)` that it completed


class PatchCutter:
    """Cuts frames `(n_mels, k)` that arrive in pieces into patches of `patch_frames`, one every `hop_frames`."""

    def __init__(self, n_mels: int, patch_frames: int, hop_frames: int) -> None:
        self._length, self._hop = patch_frames, hop_frames
        self._frames: Frames = np.empty((n_mels, 0), dtype=np.float32)
        self._first = 0  # index of the first frame kept
        self._cut = 0  # index after the last frame of the last patch

    def push(self, frames: Frames) -> Iterator[tuple[int, Frames]]:
        """Patches that became complete, each with the index of its first frame."""
        if frames.shape[1]:
            self._frames = np.concatenate([self._frames, frames], axis=1)
        while self._frames.shape[1] >= self._length:
            yield self._first, self._frames[:, : self._length]
            self._cut = self._first + self._length
            self._frames = self._frames[:, self._hop :]
            self._first += self._hop

    def flush(self) -> Iterator[tuple[int, Frames]]:
        """The end: too few frames for one patch are repeated to fill it; otherwise half a hop or less is left out."""
        kept = self._frames.shape[1]
        if self._cut == 0 and kept:
            repeats = math.ceil(self._length / kept)
            yield 0, np.tile(self._frames, repeats)[:, : self._length]
        elif self._first + kept - self._cut > self._hop / 2:
            yield self._first, np.tile(self._frames, math.ceil(self._length / kept))[:, : self._length]


class Hearing:
    """Frames of one uninterrupted stretch in, what the model heard in each patch out.

    Frame t stands for the `hop_length` samples from `t * hop_length` on, so patches without overlap abut. A frame can
    be known before its samples are all there; its patch is told when they are, or at the end, cut to it. So times do
    not depend on how the samples came.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.reset(0.0)

    def reset(self, origin_s: float) -> None:
        """Begin anew with the frame that lies at `origin_s`."""
        bundle = self._model.bundle
        self._origin_s = origin_s
        self._cutter = PatchCutter(bundle.mel.n_mels, bundle.patch_frames, bundle.hop_frames)
        self._waiting: deque[tuple[int, Probabilities | None]] = deque()  # first frame, what was heard

    def push(self, frames: Frames, n_samples: int) -> Iterator[Heard]:
        """Hear the patches that `frames` complete; `n_samples` is the stretch's length so far, at the model's rate."""
        self._hear(self._cutter.push(frames))
        while self._waiting and self._end(self._waiting[0][0]) <= n_samples:
            yield self._told(n_samples)

    def flush(self, n_samples: int) -> Iterator[Heard]:
        """Hear what is left of a stretch of `n_samples`; less than a second cannot be repeated to fill a patch."""
        if n_samples >= MIN_SECONDS * self._model.bundle.mel.sr:
            self._hear(self._cutter.flush())
        while self._waiting:
            yield self._told(n_samples)

    def _hear(self, patches: Iterator[tuple[int, Frames]]) -> None:
        for first, patch in patches:
            silent = patch.max() < self._model.bundle.silence_db
            self._waiting.append((first, None if silent else self._model.probabilities(patch)))

    def _end(self, first: int) -> int:
        return (first + self._model.bundle.patch_frames) * self._model.bundle.mel.hop_length

    def _told(self, n_samples: int) -> Heard:
        first, probabilities = self._waiting.popleft()
        mel = self._model.bundle.mel
        end = min(self._end(first), n_samples)
        return self._origin_s + first * mel.hop_length / mel.sr, self._origin_s + end / mel.sr, probabilities


class Listener:
    """One source's way through front end and model: blocks in, what was heard out.

    `on_frames` sees each block with its frames before they are heard, and changes neither.
    """

    def __init__(self, model: Model, mel: MelSpectrogram, source: Source, on_frames: OnFrames | None = None) -> None:
        self._hearing = Hearing(model)
        self._front_end = FrontEnd(source, mel)
        self._on_frames = on_frames
        self._rate = source.rate
        self.dropped = 0
        self.end_s = self._origin_s = 0.0

    def is_broken_by(self, block: Block) -> bool:
        """Whether a stretch ends before this block: nothing may be heard across a gap or a change of rate."""
        return block.dropped > 0 or block.rate != self._rate

    def begin(self, block: Block) -> None:
        """Another stretch begins with this block; the one before was flushed. Time goes on at the source's count."""
        self.dropped += block.dropped
        self._origin_s, self._rate = block.position / block.rate, block.rate
        self._front_end.reset(block.rate)
        self._hearing.reset(self._origin_s)

    def push(self, block: Block) -> Iterator[Heard]:
        """What was heard in the patches that this block completes. Raises AudioError for unusable samples."""
        self.end_s = (block.position + len(block.samples)) / block.rate
        frames = self._front_end.push(block)
        if self._on_frames is not None:
            self._on_frames(block, frames)
        yield from self._hearing.push(frames, self._front_end.n_samples)

    def flush(self) -> Iterator[Heard]:
        """What is left at the end of a stretch."""
        yield from self._hearing.push(self._front_end.flush(), self._front_end.n_samples)
        yield from self._hearing.flush(self._front_end.n_samples)
