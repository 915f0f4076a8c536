"""Blocks in, verdicts out. A file is a stream that ends: both go through `Classifier.stream`."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from genre_edge.audio.block import Block, Source
from genre_edge.audio.files import open_file
from genre_edge.errors import AudioError, ParameterError
from genre_edge.hearing import Heard, Hearing, Listener, OnFrames, Probabilities
from genre_edge.mel import Frames, MelSpectrogram
from genre_edge.model import Bundle, Model
from genre_edge.verdict import GenreProbability, InputInfo, ModelInfo, Reason, Segment, Verdict

_TOLERANCE_S = 1e-6  # times are sums of binary fractions


class Pool:
    """Gathers what was heard and gives the answer for it: for all, or for the last `window_s` seconds.

    Memory is constant unless segments are kept. A window is a patch long at least.
    """

    def __init__(self, bundle: Bundle, threshold: float, keep_segments: bool, window_s: float = math.inf) -> None:
        self._bundle, self._threshold, self._keep = bundle, threshold, keep_segments
        self._window_s = max(window_s, bundle.patch_s)
        self._recent: deque[Heard] = deque()  # of a window that ends
        self._sum: Probabilities = np.zeros(bundle.n_outputs)
        self._sounding = 0
        self.start_s = self.end_s = 0.0
        self.count = 0
        self.segments: list[Segment] = []

    def add(self, heard: Heard) -> None:
        start_s, self.end_s, probabilities = heard
        if self.count == 0:
            self.start_s = start_s
        self.count += 1
        if probabilities is not None:
            self._sum += probabilities
            self._sounding += 1
        if self._keep:
            self.segments.append(self._segment(start_s, self.end_s, probabilities, "silence"))
        if not math.isinf(self._window_s):
            self._recent.append(heard)
            if self._recent[0][0] < self.end_s - self._window_s - _TOLERANCE_S:
                self._forget()

    def _forget(self) -> None:
        """Leave out what began before the window, and sum anew: a running difference would drift."""
        while self._recent[0][0] < self.end_s - self._window_s - _TOLERANCE_S:
            self._recent.popleft()
            del self.segments[:1]
        sounding = [p for _, _, p in self._recent if p is not None]
        self._sum, self._sounding = np.zeros(self._bundle.n_outputs), len(sounding)
        for p in sounding:
            self._sum += p
        self.start_s = self._recent[0][0]

    def answer(self) -> Segment:
        mean = self._sum / self._sounding if self._sounding else None
        return self._segment(self.start_s, self.end_s, mean, "silence" if self.count else "too_short")

    def _segment(self, start_s: float, end_s: float, p: Probabilities | None, nothing: Reason) -> Segment:
        start_s, end_s = round(start_s, 3), round(end_s, 3)
        if p is None:
            return Segment(start_s, end_s, None, None, nothing, [])
        labels = self._bundle.labels
        share = p[: len(labels)]
        order = np.argsort(-share, kind="stable")
        genres = [GenreProbability(labels[i], round(float(share[i]), 4)) for i in order]
        best = genres[0]
        reason = self._doubt(p, float(share[order[0]]))
        return Segment(start_s, end_s, None if reason else best.genre, best.probability, reason, genres)

    def _doubt(self, p: Probabilities, confidence: float) -> Reason | None:
        limit = self._bundle.not_music
        if limit is not None and p[-1] >= limit:
            return "not_music"
        return None if confidence >= self._threshold else "low_confidence"


class Turns:
    """When an answer is due: every so many patches, and where a stretch of sound ends.

    A pool that is no window begins anew after its answer.
    """

    def __init__(self, new_pool: Callable[[], Pool], patches: float, is_window: bool) -> None:
        self._new_pool, self._patches, self._is_window = new_pool, patches, is_window
        self._begin()

    def _begin(self) -> None:
        self._pool, self._fresh = self._new_pool(), 0

    def _add(self, heard: Heard) -> None:
        self._pool.add(heard)
        self._fresh += 1

    def add(self, heard: Iterable[Heard]) -> Iterator[Pool]:
        """The pool, as often as it is to answer."""
        for one in heard:
            self._add(one)
            if self._fresh == self._patches:
                yield self._pool
                self._fresh = 0
                if not self._is_window:
                    self._begin()

    def end(self, heard: Iterable[Heard]) -> Iterator[Pool]:
        """The pool, if it holds what is not told yet. What comes later has nothing to do with it."""
        for one in heard:
            self._add(one)
        if self._fresh:
            yield self._pool
        self._begin()


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
        self.mel = MelSpectrogram(self.bundle.mel)
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
        """The genre of `(n_mels, n)` frames in dB, made by the bundle's own front end (`bundle.mel`).

        Raises:
            ParameterError: the frames have another number of bands, or are not finite.
        """
        if frames.ndim != 2 or frames.shape[0] != self.bundle.mel.n_mels or not np.isfinite(frames).all():
            raise ParameterError(f"frames must be finite, ({self.bundle.mel.n_mels}, n), got shape {frames.shape}")
        hearing = Hearing(self._model)
        pool = self._pool(None, segments=False)
        n_samples = frames.shape[1] * self.bundle.mel.hop_length
        for heard in (*hearing.push(frames, n_samples), *hearing.flush(n_samples)):
            pool.add(heard)
        return pool.answer()

    def stream(
        self,
        source: Source,
        interval_s: float = 5.0,
        segments: bool = False,
        window_s: float | None = None,
        on_frames: OnFrames | None = None,
    ) -> Iterator[Verdict]:
        """A verdict every `interval_s` seconds of sound (a whole number of the model's patches), and one for the rest.

        Each is about the last `window_s` seconds, a patch at least, so 0 smooths nothing; None means since the verdict
        before. No verdict spans an outage, a gap of a patch or more. With an infinite interval there is one verdict for
        all, outages or not. `dropped_samples` counts from the stream's
        beginning. `on_frames` is shown each block with its frames, for a picture of what is heard. The caller closes
        the source.

        Raises:
            AudioError: the source fails, or ends without any audio.
            ParameterError: the interval is not positive, or the window is negative.
        """
        if not interval_s > 0:
            raise ParameterError(f"interval_s must be positive, got {interval_s!r}")
        if window_s is not None and not window_s >= 0:
            raise ParameterError(f"window_s must not be negative, got {window_s!r}")
        listener = Listener(self._model, self.mel, source, on_frames)
        hop_s = self.bundle.hop_frames * self.bundle.mel.hop_length / self.bundle.mel.sr
        patches = math.inf if math.isinf(interval_s) else max(1, round(interval_s / hop_s))
        turns = Turns(lambda: self._pool(window_s, segments), patches, window_s is not None)
        blocks = given = 0
        arrived_s = time.monotonic()
        for block in source.blocks():
            blocks, arrived_s = blocks + 1, block.arrived_s
            for pool in self._due(listener, turns, block, outages=not math.isinf(patches)):
                yield self._verdict(source, listener, pool.answer(), pool, arrived_s)
                given += 1
        if not blocks:
            raise AudioError(f"{source.name}: holds no audio")
        last = list(turns.end(listener.flush()))
        for pool in last if given or last else [self._pool(window_s, segments)]:
            answer = pool.answer()
            if not given:
                answer = replace(answer, start_s=0.0, end_s=round(listener.end_s, 3))
            yield self._verdict(source, listener, answer, pool, arrived_s)

    def _due(self, listener: Listener, turns: Turns, block: Block, outages: bool) -> Iterator[Pool]:
        """What is to answer now that `block` has come. With `outages`, no answer is about both sides of one.

        A gap as long as a patch is one; a shorter one is no reason to hear less at a time.
        """
        if listener.is_broken_by(block):
            is_outage = outages and block.dropped >= self.bundle.patch_s * block.rate
            yield from (turns.end if is_outage else turns.add)(listener.flush())
            listener.begin(block)
        yield from turns.add(listener.push(block))

    def _pool(self, window_s: float | None, segments: bool) -> Pool:
        return Pool(self.bundle, self._threshold, segments, math.inf if window_s is None else window_s)

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
