"""Patches of mel frames, and the model's probabilities for each patch."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genre_edge.mel.spectrogram import Frames
from genre_edge.model.bundle import Bundle
from genre_edge.model.prediction import Model

MIN_DURATION_S = 1.0  # the frames of a shorter stretch are not repeated to fill a patch

Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class PatchResult:
    """The model's output for one patch.

    Attributes:
        start_s, end_s: times in seconds of the source's sample count.
        probabilities: float64 `(n_probabilities,)`; None for silence.
        level_db: level in dB of mel power: the loudest band of a frame, exceeded in a tenth of the frames.
        follows_not_music: True if the previous patch, which overlaps this one, is not music.
    """

    start_s: float
    end_s: float
    probabilities: Probabilities | None
    level_db: float = 0.0
    follows_not_music: bool = False


@dataclass(frozen=True)
class _Prediction:
    """A patch's index of its first frame, and the fields of its result."""

    first: int
    probabilities: Probabilities | None
    level_db: float
    follows_not_music: bool


def not_music_probability(probabilities: Probabilities, bundle: Bundle) -> float:
    """Return the probability that a patch is not music; 0 if the model has no such output."""
    index = bundle.layout.not_music
    return 0.0 if index is None else float(probabilities[index])


def is_refused(probabilities: Probabilities, bundle: Bundle) -> bool:
    """Return True if the model finds that a patch is not music; False if it has no such output."""
    return bundle.not_music is not None and not_music_probability(probabilities, bundle) >= bundle.not_music


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
        self._pending: deque[_Prediction] = deque()
        self._is_after_not_music = False

    def push(self, frames: Frames, n_samples: int) -> Iterator[PatchResult]:
        """Yield the results of the patches that these frames complete.

        Args:
            frames: `(n_mels, k)` float32 in dB.
            n_samples: length of the stretch so far, in samples at the model's rate.
        """
        self._predict(self._extractor.push(frames))
        while self._pending and self._end_sample(self._pending[0].first) <= n_samples:
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
        bundle = self._model.bundle
        for first, patch in patches:
            is_silent = patch.max() < bundle.silence_db
            probabilities = None if is_silent else self._model.probabilities(patch)
            self._pending.append(_Prediction(first, probabilities, _level_db(patch), self._is_after_not_music))
            self._is_after_not_music = (
                probabilities is not None
                and is_refused(probabilities, bundle)
                and bundle.hop_frames < bundle.patch_frames  # patches overlap
            )

    def _end_sample(self, first: int) -> int:
        return (first + self._model.bundle.patch_frames) * self._model.bundle.mel.hop_length

    def _pop(self, n_samples: int) -> PatchResult:
        prediction = self._pending.popleft()
        mel = self._model.bundle.mel
        end = min(self._end_sample(prediction.first), n_samples)
        start_s = self._origin_s + prediction.first * mel.hop_length / mel.sr
        return PatchResult(
            start_s,
            self._origin_s + end / mel.sr,
            prediction.probabilities,
            prediction.level_db,
            prediction.follows_not_music,
        )


def _level_db(patch: Frames) -> float:
    """Return the level that the loudest band has in a tenth of the frames: clicks and short pauses do not change it."""
    peaks = np.sort(patch.max(axis=0))
    return float(peaks[-(1 + len(peaks) // 10)])
