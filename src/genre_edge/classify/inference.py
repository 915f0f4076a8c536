"""The one way from mel frames to patch results: `StreamPredictor.run`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from genre_edge.classify.frontend import Discontinuity, FrameChunk
from genre_edge.classify.patches import PatchPredictor, PatchResult
from genre_edge.model.prediction import Model


@dataclass(frozen=True)
class Gap:
    """A discontinuity between two stretches, or the end of the stream.

    Attributes:
        discontinuity: what was lost, and where the stream resumes.
        tail: results of the patches that the discontinuity completed or cut short.
    """

    discontinuity: Discontinuity
    tail: list[PatchResult]


class StreamPredictor:
    """Predicts the patches of one stream of frames: a file, a pipe, a live source or an archive.

    Args:
        model: the model; used in this thread only.
        chunks: mel frames, as `FrontEnd.chunks` or `whole_stream` yields them.
    """

    def __init__(self, model: Model, chunks: Iterable[FrameChunk]) -> None:
        self._patches = PatchPredictor(model)
        self._chunks = chunks

    def run(self) -> Iterator[PatchResult | Gap]:
        """Yield each patch's result, and a `Gap` at each discontinuity. The last item is the `Gap` at the end.

        No patch spans a discontinuity. Times continue at the source's own sample count.

        Raises:
            AudioError: the source fails, a sample is invalid, or there is no audio at all.
            ModelError: the network cannot be run.
        """
        for chunk in self._chunks:
            results = self._patches.push(chunk.frames, chunk.n_samples)
            if chunk.discontinuity is None:
                yield from results
            else:
                yield Gap(chunk.discontinuity, [*results, *self._patches.flush(chunk.n_samples)])
                self._patches.reset(chunk.discontinuity.resume_s)
