"""Patches of mel frames, and the model's probabilities for each patch."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genre_edge.mel.spectrogram import Frames
from genre_edge.model.prediction import Model

MIN_DURATION_S = 1.0  # the frames of a shorter stretch are not repeated to fill a patch

Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class PatchResult:
    """The model's output for one patch.

    Attributes:
        start_s, end_s: times in seconds of the source's sample count.
        probabilities: float64 `(n_outputs,)`; None for silence.
    """

    start_s: float
    end_s: float
    probabilities: Probabilities | None


class PatchExtractor:
    """Extractor of patches of `patch_frames` frames, one every `hop_frames`, from frames that arrive in chunks.

    Frames are `(n_mels, k)` and patches `(n_mels, patch_frames)`, float32 in dB.
    """

    def __init__(self, n_mels: int, patch_frames: int, hop_frames: int) -> None:
        self._patch_frames, self._hop_frames = patch_frames, hop_frames
        self._frames: Frames = np.empty((n_mels, 0), dtype=np.float32)
        self._first = 0  # index of the first buffered frame
        self._end = 0  # index after the last frame of the last patch

    def push(self, frames: Frames) -> Iterator[tuple[int, Frames]]:
        """Yield the patches that `frames` complete, each with the index of its first frame."""
        if frames.shape[1]:
            self._frames = np.concatenate([self._frames, frames], axis=1)
        while self._frames.shape[1] >= self._patch_frames:
            yield self._first, self._frames[:, : self._patch_frames]
            self._end = self._first + self._patch_frames
            self._frames = self._frames[:, self._hop_frames :]
            self._first += self._hop_frames

    def flush(self) -> Iterator[tuple[int, Frames]]:
        """Yield a last patch from the remaining frames, repeated to the patch length.

        If half a hop or less remains after the last patch, these frames are dropped.
        """
        n_frames = self._frames.shape[1]
        if self._end == 0 and n_frames:
            yield 0, self._repeated()
        elif self._first + n_frames - self._end > self._hop_frames / 2:
            yield self._first, self._repeated()

    def _repeated(self) -> Frames:
        repeats = math.ceil(self._patch_frames / self._frames.shape[1])
        return np.tile(self._frames, repeats)[:, : self._patch_frames]


class PatchPredictor:
    """Predictor for the patches of one contiguous stretch of frames.

    Frame t covers the `hop_length` samples from sample `t * hop_length`, so patches without overlap are adjacent. A
    frame may be computed before the last of these samples has arrived. The patch's result is returned when they all
    have arrived, or at the end of the stretch with its `end_s` limited to it, so that times do not depend on the
    sizes of the blocks.

    Args:
        model: the model; one thread at a time may use it.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self.reset(0.0)

    def reset(self, origin_s: float) -> None:
        """Start a new stretch whose first frame starts at `origin_s` seconds."""
        bundle = self._model.bundle
        self._origin_s = origin_s
        self._extractor = PatchExtractor(bundle.mel.n_mels, bundle.patch_frames, bundle.hop_frames)
        self._pending: deque[tuple[int, Probabilities | None]] = deque()  # index of the first frame, probabilities

    def push(self, frames: Frames, n_samples: int) -> Iterator[PatchResult]:
        """Yield the results of the patches that these frames complete.

        Args:
            frames: `(n_mels, k)` float32 in dB.
            n_samples: length of the stretch so far, in samples at the model's rate.
        """
        self._predict(self._extractor.push(frames))
        while self._pending and self._end_sample(self._pending[0][0]) <= n_samples:
            yield self._pop(n_samples)

    def flush(self, n_samples: int) -> Iterator[PatchResult]:
        """Yield the remaining results, at the end of a stretch.

        Frames after the last whole patch form one more patch, unless the stretch is shorter than `MIN_DURATION_S`.

        Args:
            n_samples: length of the stretch, in samples at the model's rate.
        """
        if n_samples >= MIN_DURATION_S * self._model.bundle.mel.sr:
            self._predict(self._extractor.flush())
        while self._pending:
            yield self._pop(n_samples)

    def _predict(self, patches: Iterator[tuple[int, Frames]]) -> None:
        for first, patch in patches:
            is_silent = patch.max() < self._model.bundle.silence_db
            self._pending.append((first, None if is_silent else self._model.probabilities(patch)))

    def _end_sample(self, first: int) -> int:
        return (first + self._model.bundle.patch_frames) * self._model.bundle.mel.hop_length

    def _pop(self, n_samples: int) -> PatchResult:
        first, probabilities = self._pending.popleft()
        mel = self._model.bundle.mel
        end = min(self._end_sample(first), n_samples)
        start_s = self._origin_s + first * mel.hop_length / mel.sr
        return PatchResult(start_s, self._origin_s + end / mel.sr, probabilities)
