"""Excerpts of audio files: libsndfile seeks to each of them, so that the rest of the file is not decoded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from genre_edge.audio.block import Block
from genre_edge.audio.containers import flac
from genre_edge.audio.containers.scanning import scan
from genre_edge.audio.downmix import Downmixer
from genre_edge.audio.files import open_descriptor
from genre_edge.audio.sndfile import SndfileDecoder
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError

# Formats in which libsndfile finds a position without decoding what is before it
_SEEKABLE = frozenset(("WAV", "WAVEX", "W64", "RF64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3"))
_TOLERANCE_S = 0.25  # between the length in the header and that of the data


class ExcerptFile:
    """Audio file that can be decoded from any position.

    Attributes:
        length_s: its length in seconds.
        rate, channels: its sampling rate in Hz and number of channels.
    """

    def __init__(self, name: str, decoder: SndfileDecoder, length_s: float) -> None:
        self.length_s, self.rate, self.channels = length_s, decoder.rate, decoder.channels
        self._name, self._decoder = name, decoder

    @classmethod
    def open(cls, path: str | Path) -> ExcerptFile | None:
        """Open a file; return None for one that must be decoded as a whole: damaged, joined, or of another format.

        Raises:
            AudioError: the file cannot be read.
        """
        path = Path(path)
        descriptor = open_descriptor(path)
        try:
            size = os.fstat(descriptor).st_size
            layout, is_damaged = scan(descriptor, size), flac.lacks_frames(descriptor, size)
            duplicate = os.dup(descriptor)
        except OSError as error:
            raise AudioError(f"{path}: {error.strerror}") from None
        finally:
            os.close(descriptor)
        os.lseek(duplicate, 0, os.SEEK_SET)
        try:
            decoder = SndfileDecoder(duplicate)
        except AudioError:
            return None
        file = cls(str(path), decoder, decoder.declared_s or 0.0)
        is_whole = layout is None or (not layout.parts and layout.problem is None and layout.undecodable_s == 0)
        lengths = [] if layout is None else [layout.available_s, layout.expected_s]
        agrees = all(length is None or abs(length - file.length_s) <= _TOLERANCE_S for length in lengths)
        if decoder.format not in _SEEKABLE or is_damaged or not is_whole or not agrees or not file.length_s:
            file.close()
            return None
        return file

    def __enter__(self) -> ExcerptFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._decoder.close()

    def source(self, starts_s: Sequence[float], excerpt_s: float) -> Source:
        """Return a source of excerpts of `excerpt_s` seconds from increasing times; what is between them is dropped."""
        return _Excerpts(self._name, self._decoder, starts_s, excerpt_s)


class _Excerpts(Source):
    """Source of the excerpts of an open file."""

    def __init__(self, name: str, decoder: SndfileDecoder, starts_s: Sequence[float], excerpt_s: float) -> None:
        self.name, self.rate, self.channels = name, decoder.rate, decoder.channels
        self._decoder, self._starts_s = decoder, starts_s
        self._downmixer = Downmixer(self.rate)
        self._n_samples, self._n_whole = round(excerpt_s * self.rate), round((decoder.declared_s or 0.0) * self.rate)
        self.check_format()

    def blocks(self) -> Iterator[Block]:
        """Yield a block for each excerpt.

        Raises:
            AudioError: an excerpt cannot be decoded.
        """
        end = 0
        for start_s in self._starts_s:
            start = max(end, round(start_s * self.rate))
            n_samples = min(self._n_samples, self._n_whole - start)
            if n_samples > 0:
                samples = self._decoder.excerpt(start, n_samples)
                yield Block(self._downmixer.push(samples), self.rate, start, start - end)
                end = start + len(samples)
