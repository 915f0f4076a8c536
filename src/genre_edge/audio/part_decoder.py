"""`PartDecoder`: a part of a file, decoded by libsndfile beyond damaged frames of FLAC."""

import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.containers.layout import Part, PartView
from genre_edge.audio.sndfile import SndfileDecoder
from genre_edge.errors import AudioError
from genre_edge.system import signals

MAX_RESUMES = 1000  # behind damaged frames of a file; more are noise, or a file made to cost time


class PartDecoder:
    """Decoder for one part of a file.

    Args:
        descriptor: open file descriptor; the caller closes it.
        size: size of the file in bytes.
        part: the part; None for the whole file.
        max_resumes: how many times to go on behind damaged frames.

    Attributes:
        rate: sampling rate in Hz.
        channels: number of channels.
        declared_s: length in the header in seconds; None if it is unknown.
        damage: why libsndfile stopped; None if it did not.
        n_resumes: how many times decoding went on behind damaged frames.

    Raises:
        AudioError: libsndfile does not support the part. The message is the reason, without the file's name.
    """

    def __init__(self, descriptor: int, size: int, part: Part | None, max_resumes: int = MAX_RESUMES) -> None:
        self._descriptor, self._size, self._part, self._max_resumes = descriptor, size, part, max_resumes
        self.damage: str | None = None
        self.n_resumes = 0
        self._view: PartView | None = None
        if part is None:
            duplicate = os.dup(descriptor)
            os.lseek(duplicate, 0, os.SEEK_SET)
            self._decoder = SndfileDecoder(duplicate)
        else:
            self._view = PartView(descriptor, part)
            self._decoder = SndfileDecoder(self._view)
        self.rate, self.channels, self.declared_s = self._decoder.rate, self._decoder.channels, self._decoder.declared_s
        self._n_samples = 0  # decoded or lost

    def arrays(self) -> Iterator[tuple[NDArray[np.float32], int]]:
        """Yield arrays `(n, channels)`, full scale +-1, with the number of samples that are lost before each.

        An array is valid until the next is requested.
        """
        next_sample: int | None = 0
        offset = 0  # in the file, from which the next frame is searched
        while next_sample is not None:
            try:
                for samples in self._decoder.arrays():
                    n_new = next_sample + len(samples) - self._n_samples
                    n_lost = max(0, next_sample - self._n_samples)
                    next_sample += len(samples)
                    if n_new > 0:
                        self._n_samples = next_sample
                        yield samples[-(n_new - n_lost) :], n_lost
                return
            except AudioError as error:
                self.damage = str(error)
                next_sample, offset = self._resume(offset)

    def _resume(self, offset: int) -> tuple[int | None, int]:
        """Open what follows the damage of a FLAC stream.

        Returns:
            The number of its first sample in the part, None if nothing follows, and the offset of the next search.
        """
        if self._decoder.format != "FLAC":
            return None, offset
        from genre_edge.audio.containers import flac  # slow to import, see `containers.scanning.scan`

        while self.n_resumes < self._max_resumes:
            self.n_resumes += 1
            try:
                rest = flac.resume(self._descriptor, self._size, self._part, self._n_samples, offset)
                if rest is None:
                    break
                offset = rest.offset + 1
                view = PartView(self._descriptor, rest.part)
                decoder = SndfileDecoder(view, rest.block_size)
            except AudioError:  # no frame, but other bytes that look like one
                continue
            except OSError:
                break
            with signals.deferred():  # an interrupt in the finalizer of soundfile would be lost
                self._decoder.close()
                self._decoder, self._view = decoder, view
            return rest.first_sample, offset
        return None, offset

    def next_part(self) -> Part | None:
        """Return the FLAC stream that follows the decoded part, if its header is damaged."""
        if self._decoder.format != "FLAC":
            return None
        from genre_edge.audio.containers import flac  # slow to import, see `containers.scanning.scan`

        try:
            # Duplicates of a descriptor share its offset.
            offset = self._view.file_offset() if self._view else os.lseek(self._descriptor, 0, os.SEEK_CUR)
            return flac.next_part(self._descriptor, self._size, self._part, self._n_samples, offset)
        except OSError:
            return None

    def close(self) -> None:
        """Close the decoder; a second call does nothing."""
        self._decoder.close()
