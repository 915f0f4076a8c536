"""Front end: audio blocks -> mel frames at the model's sampling rate (sample check, resampler, mel spectrogram)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import Block
from genre_edge.audio.invalid_samples import InvalidSampleReplacer
from genre_edge.audio.resample import Resampler
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError
from genre_edge.mel.spectrogram import Frames, MelSpectrogram

OnFrames = Callable[[Block, Frames], None]  # called with a block and the dB frames `(n_mels, k)` that it completed


@dataclass(frozen=True)
class Discontinuity:
    """End of a contiguous stretch of samples: samples were dropped, the rate changed, or the stream ended.

    A stream that starts in the middle of its source begins with one, too.

    Attributes:
        dropped_samples: samples dropped at the source, at `rate`; 0 for a change of rate, at the start and at the end.
        rate: sampling rate in Hz after the discontinuity.
        resume_s: time of the first sample after the discontinuity, in seconds.
        is_end: True at the end of the stream.
    """

    dropped_samples: int
    rate: int
    resume_s: float
    is_end: bool = False

    def is_outage(self, min_s: float) -> bool:
        """Return True if at least `min_s` seconds of samples are missing, or at the end of the stream."""
        return self.is_end or self.dropped_samples >= min_s * self.rate


@dataclass(frozen=True)
class FrameChunk:
    """Consecutive mel frames of one contiguous stretch.

    Attributes:
        frames: `(n_mels, k)` float32 in dB, k >= 0.
        n_samples: length of the stretch so far, in samples at the model's rate.
        discontinuity: the end of the stretch, if these are its last frames; else None.
    """

    frames: Frames
    n_samples: int
    discontinuity: Discontinuity | None = None


class FrontEnd:
    """Front end of one source: computes its mel frames.

    Args:
        source: the audio; the caller closes it.
        mel: the spectrogram at the model's rate.
        on_frames: called with each block and the frames that it completed, before they are classified.

    Attributes:
        dropped_samples: samples dropped at the source so far.
        decoded_s: length of the blocks so far, in seconds: without dropped samples.
        start_s, end_s: time of the start of the first block, with the samples dropped before it, and of the end of the
            last one, in seconds of the source's sample count.
        arrived_s: time of the last block's arrival on the monotonic clock, in seconds; None before the first block.
    """

    def __init__(self, source: Source, mel: MelSpectrogram, on_frames: OnFrames | None = None) -> None:
        self._source, self._sr, self._on_frames = source, mel.config.sr, on_frames
        self._stream = mel.stream()
        self._start_stretch(source.rate)
        self._invalid_samples = InvalidSampleReplacer(source.name)
        self.dropped_samples = 0
        self.decoded_s = self.start_s = self.end_s = 0.0
        self.arrived_s: float | None = None

    def chunks(self) -> Iterator[FrameChunk]:
        """Yield the frames of all blocks. The last chunk has the discontinuity with `is_end`.

        Raises:
            AudioError: the source fails, too many samples are invalid, or the source has no block.
        """
        for block in map(self._invalid_samples.process, self._source.blocks()):
            is_first = self.arrived_s is None
            is_late = is_first and block.position > 0  # a stream that starts in the middle of its source
            if is_first:
                self.start_s = (block.position - block.dropped) / block.rate
            self.arrived_s = block.arrived_s
            if block.dropped > 0 or block.rate != self._rate or is_late:
                resume_s = block.position / block.rate
                yield self._flush(Discontinuity(block.dropped, block.rate, resume_s))
                self.dropped_samples += block.dropped
                self._start_stretch(block.rate)
            self.end_s = (block.position + len(block.samples)) / block.rate
            self.decoded_s += len(block.samples) / block.rate
            frames = self._push(block)
            if self._on_frames is not None:
                self._on_frames(block, frames)
            yield FrameChunk(frames, self._n_samples)
        if self.arrived_s is None:
            raise AudioError(f"{self._source.name}: holds no audio")
        self._invalid_samples.finish()
        yield self._flush(Discontinuity(0, self._rate, self.end_s, is_end=True))

    def _start_stretch(self, rate: int) -> None:
        self._rate = rate
        self._stream.reset()
        self._resampler = Resampler(rate, self._sr)
        self._n_samples = 0

    def _push(self, block: Block) -> Frames:
        return self._frames(self._resampler.push(block.samples))

    def _flush(self, discontinuity: Discontinuity) -> FrameChunk:
        resampled = self._frames(self._resampler.flush())
        frames = np.concatenate([resampled, self._stream.flush()], axis=1)
        return FrameChunk(frames, self._n_samples, discontinuity)

    def _frames(self, samples: NDArray[np.float32]) -> Frames:
        self._n_samples += len(samples)
        return self._stream.push(samples)


def whole_stream(frames: Frames, hop_length: int, sr: float) -> Iterator[FrameChunk]:
    """Yield precomputed frames as a stream of one chunk.

    Args:
        frames: `(n_mels, n)` float32 in dB.
        hop_length: samples from one frame to the next.
        sr: sampling rate in Hz.
    """
    n_samples = frames.shape[1] * hop_length
    yield FrameChunk(frames, n_samples, Discontinuity(0, round(sr), n_samples / sr, is_end=True))
