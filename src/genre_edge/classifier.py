"""Blocks in, verdicts out. A file is a stream that ends: both go through `Classifier.stream`."""

import math
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import Block, Source
from genre_edge.audio.files import open_file
from genre_edge.errors import AudioError, ParameterError
from genre_edge.frontend import FrontEnd
from genre_edge.mel import Frames, MelSpectrogram
from genre_edge.model import Model
from genre_edge.verdict import GenreProbability, InputInfo, ModelInfo, Reason, Segment, Verdict

MIN_SECONDS = 1.0  # less is too short for any model

Probabilities = NDArray[np.float64]
Heard = tuple[float, float, Probabilities | None]  # start_s, end_s, None for silence


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
    """One source's way through front end and model: blocks in, what was heard out."""

    def __init__(self, model: Model, mel: MelSpectrogram, source: Source) -> None:
        self._hearing = Hearing(model)
        self._front_end = FrontEnd(source, mel)
        self.dropped = 0
        self.end_s = self._origin_s = 0.0

    def push(self, block: Block) -> Iterator[Heard]:
        """What was heard in the patches that this block completes. Raises AudioError for unusable samples."""
        if block.dropped:
            # Nothing may be heard across a gap, and time goes on at the source's count.
            yield from self.flush()
            self.dropped += block.dropped
            self._origin_s = block.position / block.rate
            self._front_end.reset()
            self._hearing.reset(self._origin_s)
        self.end_s = (block.position + len(block.samples)) / block.rate
        yield from self._hearing.push(self._front_end.push(block), self._front_end.n_samples)

    def flush(self) -> Iterator[Heard]:
        """What is left at the end."""
        yield from self._hearing.push(self._front_end.flush(), self._front_end.n_samples)
        yield from self._hearing.flush(self._front_end.n_samples)


class Pool:
    """Gathers what was heard, in constant memory unless segments are kept, and gives the answer for all of it."""

    def __init__(self, labels: list[str], threshold: float, keep_segments: bool) -> None:
        self._labels, self._threshold, self._keep = labels, threshold, keep_segments
        self.clear()

    def clear(self) -> None:
        self._sum: Probabilities = np.zeros(len(self._labels))
        self._sounding = 0
        self.start_s = self.end_s = 0.0
        self.count = 0
        self.segments: list[Segment] = []

    def add(self, heard: Heard) -> None:
        start_s, end_s, probabilities = heard
        if self.count == 0:
            self.start_s = start_s
        self.end_s = end_s
        self.count += 1
        if probabilities is not None:
            self._sum += probabilities
            self._sounding += 1
        if self._keep:
            self.segments.append(self._segment(start_s, end_s, probabilities, "silence"))

    def answer(self) -> Segment:
        mean = self._sum / self._sounding if self._sounding else None
        return self._segment(self.start_s, self.end_s, mean, "silence" if self.count else "too_short")

    def _segment(self, start_s: float, end_s: float, p: Probabilities | None, nothing: Reason) -> Segment:
        start_s, end_s = round(start_s, 3), round(end_s, 3)
        if p is None:
            return Segment(start_s, end_s, None, None, nothing, [])
        order = np.argsort(-p, kind="stable")
        genres = [GenreProbability(self._labels[i], round(float(p[i]), 4)) for i in order]
        best = genres[0]
        sure = float(p[order[0]]) >= self._threshold
        return Segment(
            start_s, end_s, best.genre if sure else None, best.probability, None if sure else "low_confidence", genres
        )


class Classifier:
    """Hears the genre of files and streams. Use one in one thread at a time.

    Args:
        model: an installed model's name, or the directory of a bundle.
        threshold: confidence below which the answer is "low_confidence"; None means the bundle's own.

    Raises:
        ModelError: the bundle is missing, damaged or does not fit.
        ParameterError: the threshold is no probability.
    """

    def __init__(self, model: str | Path = "edge", threshold: float | None = None) -> None:
        if threshold is not None and not 0 <= threshold <= 1:
            raise ParameterError(f"threshold must be from 0 to 1, got {threshold!r}")
        self._model = Model(model)
        self.bundle = self._model.bundle
        self._mel = MelSpectrogram(self.bundle.mel)
        self._threshold = self.bundle.threshold if threshold is None else threshold
        self._info = ModelInfo(self.bundle.name, self.bundle.version, self.bundle.sha256)

    def classify(self, source: str | Path | Source, segments: bool = False) -> Verdict:
        """The genre of a whole file or source that ends; with `segments`, of each patch too.

        Raises:
            AudioError: it cannot be read, or holds no audio.
        """
        if not isinstance(source, Source):
            source = open_file(source)
        with source:
            (verdict,) = self.stream(source, interval_s=math.inf, segments=segments)
        return replace(verdict, lag_ms=None)

    def classify_frames(self, frames: Frames) -> Segment:
        """The genre of `(n_mels, n)` frames in dB, made by the bundle's own front end (`bundle.mel`)."""
        hearing = Hearing(self._model)
        pool = Pool(self.bundle.labels, self._threshold, keep_segments=False)
        n_samples = frames.shape[1] * self.bundle.mel.hop_length
        for heard in (*hearing.push(frames, n_samples), *hearing.flush(n_samples)):
            pool.add(heard)
        return pool.answer()

    def stream(self, source: Source, interval_s: float = 5.0, segments: bool = False) -> Iterator[Verdict]:
        """A verdict every `interval_s` seconds of sound (a whole number of the model's patches), and one for the rest.

        With an infinite interval that is one verdict for all. `dropped_samples` counts from the stream's beginning.
        The caller closes the source.

        Raises:
            AudioError: the source fails, or ends without any audio.
            ParameterError: the interval is not positive.
        """
        if not interval_s > 0:
            raise ParameterError(f"interval_s must be positive, got {interval_s!r}")
        listener = Listener(self._model, self._mel, source)
        pool = Pool(self.bundle.labels, self._threshold, segments)
        hop_s = self.bundle.hop_frames * self.bundle.mel.hop_length / self.bundle.mel.sr
        patches = math.inf if math.isinf(interval_s) else max(1, round(interval_s / hop_s))
        blocks = given = 0
        arrived_s = time.monotonic()
        for block in source.blocks():
            blocks, arrived_s = blocks + 1, block.arrived_s
            for heard in listener.push(block):
                pool.add(heard)
                if pool.count == patches:
                    yield self._verdict(source, listener, pool.answer(), pool, arrived_s)
                    given += 1
                    pool.clear()
        if not blocks:
            raise AudioError(f"{source.name}: holds no audio")
        for heard in listener.flush():
            pool.add(heard)
        if pool.count or not given:
            answer = pool.answer()
            if not given:
                answer = replace(answer, start_s=0.0, end_s=round(listener.end_s, 3))
            yield self._verdict(source, listener, answer, pool, arrived_s)

    def _verdict(self, source: Source, listener: Listener, answer: Segment, pool: Pool, arrived_s: float) -> Verdict:
        return Verdict(
            **vars(answer),
            source=source.name,
            input=InputInfo(source.rate, source.channels, self.bundle.mel.sr),
            model=self._info,
            dropped_samples=listener.dropped,
            segments=pool.segments,
            lag_ms=round(1000 * (time.monotonic() - arrived_s), 1),
        )
