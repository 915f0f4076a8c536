"""`Classifier`: audio in, verdicts out. Files are classified as streams with a single verdict."""

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from genre_edge.audio.files import open_file
from genre_edge.audio.source import Source
from genre_edge.classify.aggregation import Aggregator, VerdictSchedule
from genre_edge.classify.frontend import FrontEnd, OnFrames, whole_stream
from genre_edge.classify.inference import Gap, StreamPredictor
from genre_edge.classify.verdict import InputInfo, ModelInfo, Segment, Verdict
from genre_edge.classify.vocabulary import Vocabulary
from genre_edge.classify.voting import Shares
from genre_edge.errors import AudioError, ParameterError
from genre_edge.mel.spectrogram import Frames, MelSpectrogram, as_array
from genre_edge.model.prediction import Model


class Classifier:
    """Classifier of the genre of files and streams. Use one classifier in one thread at a time.

    Args:
        model: an installed model's name, or the directory of a bundle.
        threshold: confidence, 0 to 1, below which the reason is "low_confidence"; None for the bundle's threshold.
        vocabulary: "genres", or "styles" if the model's styles take the place of its genres (see `Vocabulary`).
        styles: maximum number of likely styles in a result; None for all.

    Attributes:
        bundle: the model bundle.
        labels: the names that a genre may have.
        mel: the spectrogram that the bundle specifies.

    Raises:
        ModelError: the bundle is missing, damaged or inconsistent, or has no styles for the vocabulary "styles".
        ParameterError: a parameter is out of range.
    """

    def __init__(
        self,
        model: str | Path = "edge",
        threshold: float | None = None,
        vocabulary: str = "genres",
        styles: int | None = None,
    ) -> None:
        self._model = Model(model)
        self.bundle = self._model.bundle
        self.mel = MelSpectrogram(self.bundle.mel)
        self._vocabulary = Vocabulary(self.bundle, vocabulary, threshold, styles)
        self.labels = self._vocabulary.labels
        self._info = ModelInfo(self.bundle.name, self.bundle.version, self.bundle.sha256)

    def classify(self, source: str | Path | Source, segments: bool = False, coverage: float = 1.0) -> Verdict:
        """Classify a whole file or finite source, and close it.

        Args:
            source: a path, or an open source.
            segments: also return a `Segment` for each patch.
            coverage: the largest share of a file to classify, 0 to 1. Below 1, a long file is classified by excerpts
                that are spread over it, until the verdict is settled; its `decoded_s` is their length. Short
                files, and those in which no decoder can seek, are classified as a whole.

        Raises:
            AudioError: the source cannot be read, has an invalid sample, or contains no audio.
            ModelError: the network cannot be run.
            ParameterError: the coverage is out of range.
        """
        if not 0 < coverage <= 1:
            raise ParameterError(f"coverage must be above 0 and at most 1, got {coverage!r}")
        if coverage < 1 and isinstance(source, (str, Path)):
            by_excerpts = self._classify_excerpts(source, segments, coverage)
            if by_excerpts is not None:
                return by_excerpts
        audio = open_file(source) if isinstance(source, (str, Path)) else source
        with audio:
            (verdict,) = self.stream(audio, interval_s=math.inf, segments=segments)
        return replace(verdict, lag_ms=None)

    def _classify_excerpts(self, path: str | Path, segments: bool, coverage: float) -> Verdict | None:
        """Return the verdict on a file's excerpts; None if it must be classified as a whole."""
        # Imported here, because a library scan needs them only.
        from genre_edge.audio.excerpts import ExcerptFile
        from genre_edge.classify.excerpts import ExcerptClassifier

        file = ExcerptFile.open(path)
        if file is None:
            return None
        with file:
            try:
                results = ExcerptClassifier(self._model, self.mel, self._vocabulary, coverage).results(file)
            except AudioError:
                return None  # the whole file's decoder says what is damaged, and uses the rest
        if results is None:
            return None
        aggregator = Aggregator(self._vocabulary, segments)
        for result in results:
            aggregator.add(result)
        segment, shares = aggregator.result()
        return Verdict(
            **vars(replace(segment, start_s=0.0, end_s=round(file.length_s, 3))),
            source=str(path),
            input=InputInfo(file.rate, file.channels, self.bundle.mel.sr),
            model=self._info,
            segments=aggregator.segments,
            music_share=shares.music,
            not_music_share=shares.not_music,
            silence_share=shares.silence,
            decoded_s=round(sum(result.end_s - result.start_s for result in results), 3),
            expected_s=round(file.length_s, 3),
        )

    def classify_frames(self, frames: Frames) -> Segment:
        """Classify precomputed mel frames.

        Args:
            frames: `(n_mels, n)` float32 in dB, computed with the parameters in `bundle.mel`.

        Raises:
            ParameterError: the frames have another number of bands, or are not finite.
            ModelError: the network cannot be run.
        """
        mel, frames = self.bundle.mel, as_array("frames", frames)
        if frames.dtype.kind not in "fiu":
            raise ParameterError(f"frames must be real numbers, got {frames.dtype!s:.100}")
        if frames.ndim != 2 or frames.shape[0] != mel.n_mels or not np.isfinite(frames).all():
            raise ParameterError(f"frames must be finite, ({mel.n_mels}, n), got shape {frames.shape}")
        predictor = StreamPredictor(self._model, whole_stream(frames, mel.hop_length, mel.sr))
        schedule = self._schedule(math.inf, None, segments=False)
        (aggregator,) = (due for item in predictor.run() for due in schedule.push(item))
        return aggregator.segment()

    def stream(
        self,
        source: Source,
        interval_s: float = 5.0,
        segments: bool = False,
        window_s: float | None = None,
        on_frames: OnFrames | None = None,
    ) -> Iterator[Verdict]:
        """Yield a verdict every `interval_s` seconds of audio, and one for the rest. The caller closes the source.

        No verdict spans an outage: a gap of at least one patch. With an infinite interval there is one verdict for the
        whole stream, including outages. `dropped_samples` counts from the start of the stream.

        Args:
            source: an open source.
            interval_s: seconds from verdict to verdict, rounded to a multiple of the model's patch hop.
            segments: also return a `Segment` for each patch.
            window_s: length in seconds of the sliding window that a verdict is the mean of; 0 for the last patch
                only; None for all patches since the previous verdict.
            on_frames: called with each block and its frames `(n_mels, k)` in dB, for example to draw a spectrogram.

        Raises:
            AudioError: the source fails, has an invalid sample, or ends without audio.
            ModelError: the network cannot be run.
            ParameterError: the interval is not positive, or the window is negative.
        """
        if not interval_s > 0:
            raise ParameterError(f"interval_s must be positive, got {interval_s!r}")
        if window_s is not None and not window_s >= 0:
            raise ParameterError(f"window_s must not be negative, got {window_s!r}")
        front_end = FrontEnd(source, self.mel, on_frames)
        schedule = self._schedule(interval_s, window_s, segments)
        n_verdicts = 0
        for item in StreamPredictor(self._model, front_end.chunks()).run():
            for aggregator in schedule.push(item):
                segment, shares = aggregator.result()
                is_end = isinstance(item, Gap) and item.discontinuity.is_end
                if n_verdicts == 0 and is_end:
                    start_s, end_s = round(front_end.start_s, 3), round(front_end.end_s, 3)
                    segment = replace(segment, start_s=start_s, end_s=end_s)  # the whole stream
                n_verdicts += 1
                verdict = self._verdict(source, front_end, segment, shares, aggregator.segments)
                yield _with_length(verdict, source, front_end) if is_end else verdict

    def _schedule(self, interval_s: float, window_s: float | None, segments: bool) -> VerdictSchedule:
        bundle = self.bundle
        hop_s = bundle.hop_frames * bundle.mel.hop_length / bundle.mel.sr
        is_one_verdict = math.isinf(interval_s)

        def new_aggregator() -> Aggregator:
            return Aggregator(self._vocabulary, segments, math.inf if window_s is None else window_s)

        return VerdictSchedule(
            new_aggregator,
            n_patches=math.inf if is_one_verdict else max(1, round(interval_s / hop_s)),
            is_sliding=window_s is not None,
            outage_s=math.inf if is_one_verdict else bundle.patch_s,
        )

    def _verdict(
        self, source: Source, front_end: FrontEnd, segment: Segment, shares: Shares, segments: list[Segment]
    ) -> Verdict:
        assert front_end.arrived_s is not None
        return Verdict(
            **vars(segment),
            source=source.name,
            input=InputInfo(source.rate, source.channels, self.bundle.mel.sr),
            model=self._info,
            dropped_samples=front_end.dropped_samples,
            segments=segments,
            music_share=shares.music,
            not_music_share=shares.not_music,
            silence_share=shares.silence,
            lag_ms=round(1000 * (time.monotonic() - front_end.arrived_s), 1),
        )


def _with_length(verdict: Verdict, source: Source, front_end: FrontEnd) -> Verdict:
    """Add the decoded and the expected length to the last verdict of a stream."""
    decoded_s = front_end.decoded_s if source.decoded_s is None else source.decoded_s
    expected_s = None if source.expected_s is None else round(source.expected_s, 3)
    return replace(verdict, decoded_s=round(decoded_s, 3), expected_s=expected_s)
