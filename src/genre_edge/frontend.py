"""A source's blocks -> mel frames at the model's rate: the check of samples, the resampler, the mel stream."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import Block, Source
from genre_edge.audio.resample import Resampler
from genre_edge.errors import AudioError
from genre_edge.mel import Frames, MelSpectrogram


class FrontEnd:
    """Computes the dB frames of one source, piece by piece."""

    def __init__(self, source: Source, mel: MelSpectrogram) -> None:
        self._source, self._rate = source, mel.config.sr
        self._stream = mel.stream()
        self.reset(source.rate)

    def reset(self, rate: int) -> None:
        """Forget what was pushed; what comes now has `rate` Hz."""
        self._stream.reset()
        self._resampler = Resampler(rate, self._rate)
        self.n_samples = 0  # at the model's rate, so far

    def push(self, block: Block) -> Frames:
        """The frames that this block completes, `(n_mels, k)`. Raises AudioError for a sample that is no sound."""
        if fault := block.fault():
            raise AudioError(f"{self._source.name}: {fault}")
        return self._resampled(self._resampler.push(block.samples))

    def flush(self) -> Frames:
        """The frames that are left."""
        last = self._resampled(self._resampler.flush())
        return np.concatenate([last, self._stream.flush()], axis=1)

    def _resampled(self, samples: NDArray[np.float32]) -> Frames:
        self.n_samples += len(samples)
        return self._stream.push(samples)


def frames_of(source: Source, mel: MelSpectrogram) -> Iterator[Frames]:
    """All dB frames of a source, piece by piece."""
    front_end = FrontEnd(source, mel)
    for block in source.blocks():
        yield front_end.push(block)
    yield front_end.flush()
