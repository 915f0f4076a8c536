"""`StreamPredictor`: mel frames of a stream -> patch results and gaps."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from genre_edge.classify.frontend import Discontinuity, FrameChunk
from genre_edge.classify.patches import PatchPredictor, PatchResult
from genre_edge.model.prediction import Model


@dataclass(frozen=True)
class Gap:
    """Discontinuity between two stretches, or the end of the stream.

    Attributes:
        discontinuity: number of dropped samples, and where the stream resumes.
        tail: results of the last patches before the discontinuity, in order.
    """

    discontinuity: Discontinuity
    tail: list[PatchResult]


class StreamPredictor:
    """Predictor for one stream of frames: a file, a pipe, a live source or precomputed frames.

    Args:
        model: the model; one thread at a time may use it.
        chunks: mel frames, as `FrontEnd.chunks` or `whole_stream` yields them.
    """

    def __init__(self, model: Model, chunks: Iterable[FrameChunk]) -> None:
        self._patches = PatchPredictor(model)
        self._chunks = chunks

    def run(self) -> Iterator[PatchResult | Gap]:
        """Yield each patch's result, and a `Gap` at each discontinuity. The last item is the `Gap` at the end.

        No patch spans a discontinuity. Times are seconds of the source's own sample count, dropped samples included.

        Raises:
            AudioError: the source fails, a sample is invalid, or the source has no audio.
            ModelError: the network cannot be run.
        """
        for chunk in self._chunks:
            results = self._patches.push(chunk.frames, chunk.n_samples)
            if chunk.discontinuity is None:
                yield from results
            else:
                yield Gap(chunk.discontinuity, [*results, *self._patches.flush(chunk.n_samples)])
                self._patches.reset(chunk.discontinuity.resume_s)
