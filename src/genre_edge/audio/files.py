"""Audio files: recognised by their content, and decoded in constant memory by libsndfile or ffmpeg.

One rule for all formats: what can be decoded is used, and one warning says what is missing. The data decides how long
the audio is; the header is a hint (see `genre_edge.audio.containers`). If libsndfile does not support a file, or stops
before its end, ffmpeg decodes the file, or the rest of it, where it is installed.
"""

import logging
import os
import stat
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import MAX_RATE, MIN_RATE, Block
from genre_edge.audio.containers.layout import Layout, Part
from genre_edge.audio.containers.scanning import is_mpeg_film, needs_ffmpeg, scan, starts_like_mpeg
from genre_edge.audio.downmix import Downmixer
from genre_edge.audio.ffmpeg.file import FfmpegFile
from genre_edge.audio.ffmpeg.process import has_ffmpeg
from genre_edge.audio.part_decoder import MAX_RESUMES, PartDecoder
from genre_edge.audio.paths import explain_unreadable
from genre_edge.audio.sndfile import NOT_AUDIO
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError
from genre_edge.system import signals
from genre_edge.system.regular_file import SOCKET_ERRNOS

log = logging.getLogger("genre_edge")

_TOLERANCE_S = 0.25  # shorter differences are the encoder's delay, padding and rounded lengths
_FFMPEG_TOLERANCE_S = 0.5
_MAX_REFUSED = 20  # parts that ffmpeg refuses, too; more are noise, or a file made to cost time


class FileSource(Source):
    """Audio file.

    Args:
        descriptor: open file descriptor; the source owns it.
        path: path of the file, which ffmpeg opens again.

    Raises:
        AudioError: the file is not audio, or its rate or channel count is out of range.
    """

    def __init__(self, descriptor: int, path: Path) -> None:
        self.name, self._path = str(path), path
        self._descriptor, self._size = descriptor, os.fstat(descriptor).st_size
        self._decoder: PartDecoder | None = None
        self._ffmpeg: FfmpegFile | None = None
        self._ffmpeg_is_whole = False  # it decodes the file, or its rest, rather than a part
        self._n_resumes = self._n_refused = 0
        self._position = self._n_lost = 0  # samples at `rate`; the position counts lost ones
        self.decoded_s: float = 0.0
        self.rate = self.channels = 0
        self._damage: str | None = None  # why a decoder stopped early
        try:
            layout = scan(descriptor, self._size)
            self._layout = layout or Layout()
            self._parts: deque[Part | None] = deque(self._layout.parts or [None])  # None: the whole file
            self._open(is_unknown=layout is None)
            self.check_format()
        except OSError as error:  # a failing disk, or a file system that went away
            self.close()
            raise AudioError(f"{self.name}: {error.strerror}") from None
        except BaseException:
            self.close()
            raise

    def blocks(self) -> Iterator[Block]:
        """Yield the decoded blocks. Log one warning if audio is missing or the file is damaged.

        Raises:
            AudioError: the file is damaged and nothing can be decoded.
        """
        is_open = True
        while is_open:
            if self._decoder is not None:
                yield from self._decode(self._decoder)
            elif self._ffmpeg is not None:
                yield from self._decode_with_ffmpeg(self._ffmpeg, 0)
            is_open = self._open_next() is None
        if self._is_incomplete() and not self._ffmpeg_is_whole:
            yield from self._decode_rest()
        if self._damage and not self.decoded_s:
            raise AudioError(f"{self.name}: {self._damage}")
        self._report()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._close_decoders()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _open(self, is_unknown: bool) -> None:
        """Open the first decoder: libsndfile, or ffmpeg for what it does not support."""
        # libmpg123 prints messages if it searches AAC for its own frames.
        is_foreign = is_mpeg_film(self._descriptor) or (starts_like_mpeg(self._descriptor) and has_ffmpeg())
        error = self._open_next(is_foreign=is_unknown and is_foreign)
        if error is not None:
            raise error

    def _open_next(self, is_foreign: bool = False) -> AudioError | None:
        """Open the next part that a decoder supports; return why there is none.

        Args:
            is_foreign: libsndfile does not support it.
        """
        error = AudioError(f"{self.name}: {NOT_AUDIO}")
        while self._parts:
            part, reason = self._parts.popleft(), NOT_AUDIO
            try:
                if not is_foreign:
                    self._open_part(part)
                    return None
            except AudioError as refusal:
                reason = str(refusal)
            try:
                self._open_with_ffmpeg(part, reason)
                return None
            except AudioError as refusal:
                self._damage, error = reason, refusal
        return error

    def _open_part(self, part: Part | None) -> None:
        """Open a part with libsndfile, or the whole file if it is None. Raises AudioError without the file's name."""
        decoder = PartDecoder(self._descriptor, self._size, part, MAX_RESUMES - self._n_resumes)
        if self.rate and not MIN_RATE <= decoder.rate <= MAX_RATE:  # `check_format` checks the first part
            decoder.close()
            raise AudioError(f"the sampling rate of a part is {decoder.rate} Hz")
        self._close_decoders()
        self._decoder = decoder
        self._set_format(decoder.rate, decoder.channels)

    def _open_with_ffmpeg(self, part: Part | None, reason: str) -> None:
        """Open a part with ffmpeg, or the whole file if ffmpeg cannot open the part by itself and it is the first.

        Raises:
            AudioError: ffmpeg cannot decode it, or libsndfile refused it for this reason and ffmpeg is not installed.
        """
        has_part = part is not None and part.range is not None
        if self._n_refused >= _MAX_REFUSED or (self.rate and not has_part):
            raise AudioError(f"{self.name}: {reason}")
        if not has_ffmpeg() and not needs_ffmpeg(self._descriptor, self._path):
            raise AudioError(f"{self.name}: {reason}")
        self._n_refused += 1
        ffmpeg = FfmpegFile(self._path, part.range if part is not None else None)
        self._n_refused -= 1
        self._close_decoders()
        self._ffmpeg = ffmpeg
        if not has_part:
            self._ffmpeg_is_whole = True
            self._parts.clear()
        self._set_format(ffmpeg.rate, ffmpeg.channels)

    def _close_decoders(self) -> None:
        if self._ffmpeg is not None:
            self._ffmpeg.close()
        with signals.deferred():  # an interrupt in the finalizer of soundfile would be lost
            if self._decoder is not None:
                self._decoder.close()
            self._decoder = self._ffmpeg = None

    def _set_format(self, rate: int, channels: int) -> None:
        """Set the format of the next blocks; express the position in samples at the new rate."""
        if self._position:
            self._position = round(self._position * rate / self.rate)
        if (rate, channels) != (self.rate, self.channels):
            self._downmixer = Downmixer(rate)
        self.rate, self.channels = rate, channels

    def _decode(self, decoder: PartDecoder) -> Iterator[Block]:
        """Decode the open part with libsndfile."""
        for samples, n_lost in decoder.arrays():
            self._position += n_lost
            self._n_lost += n_lost
            yield self._block(self._downmixer.push(samples), n_lost)
        self._n_resumes += decoder.n_resumes
        self._damage = decoder.damage or self._damage
        following = decoder.next_part()
        if following is not None:
            self._parts.appendleft(following)
            self._damage = "the header of a joined file is damaged"

    def _is_incomplete(self) -> bool:
        """Return True if ffmpeg may decode more than libsndfile did."""
        available_s = self._layout.available_s
        if available_s is None:
            return self._damage is not None
        return self._position / self.rate < available_s - self._layout.undecodable_s - _TOLERANCE_S

    def _decode_rest(self) -> Iterator[Block]:
        """Decode with ffmpeg what follows the position, if ffmpeg is installed and can decode the file."""
        if not has_ffmpeg():
            return
        position_s = self._position / self.rate
        try:
            ffmpeg = FfmpegFile(self._path)
        except AudioError:
            return
        self._close_decoders()
        self._ffmpeg, self._ffmpeg_is_whole = ffmpeg, True
        yield from self._decode_with_ffmpeg(ffmpeg, round(position_s * ffmpeg.rate))

    def _decode_with_ffmpeg(self, source: FfmpegFile, n_skip: int) -> Iterator[Block]:
        """Decode with ffmpeg, without the first `n_skip` samples."""
        self._set_format(source.rate, source.channels)
        try:
            for block in source.blocks():
                samples = block.samples[min(n_skip, len(block.samples)) :]
                n_skip -= len(block.samples) - len(samples)
                if len(samples):
                    yield self._block(samples)
        except AudioError as error:
            self._damage = str(error).removeprefix(f"{self.name}: ")
        self._damage = self._damage or source.problem

    def _block(self, samples: NDArray[np.float32], n_lost: int = 0) -> Block:
        """Return a block of mono samples that follow the position, and advance it."""
        block = Block(samples, self.rate, self._position, n_lost)
        self._position += len(samples)
        self.decoded_s += len(samples) / self.rate
        return block

    def _expected_s(self) -> float | None:
        """Return the length that the file should have; None if it is unknown."""
        if self._layout.expected_s is not None:
            return self._layout.expected_s
        if self._ffmpeg is not None:
            return self._ffmpeg.expected_s if self._ffmpeg_is_whole else None
        return self._decoder.declared_s if self._decoder is not None else None

    def _report(self) -> None:
        """Set `expected_s`. Log a warning if audio is missing or the file is damaged; raise AudioError if all is."""
        layout, expected_s = self._layout, self._expected_s()
        is_truncated = layout.available_s is not None and (layout.expected_s or 0.0) > layout.available_s
        tolerance_s = _TOLERANCE_S if self._ffmpeg is None else _FFMPEG_TOLERANCE_S
        tolerance_s = 0.0 if is_truncated or self._n_lost else tolerance_s
        is_missing = expected_s is not None and self.decoded_s < expected_s - tolerance_s
        self.expected_s = expected_s if is_missing or expected_s is None else self.decoded_s
        problem: str | None
        if self._ffmpeg is not None and self._ffmpeg.is_stalled:
            problem = self._ffmpeg.problem
        elif is_truncated:
            problem = "the file is truncated"
        elif is_missing or self._damage:
            problem = "the file is damaged"
        else:
            problem = layout.problem
        if problem is None:
            return
        text = f"decoded {self.decoded_s:.1f}" + (f" of {expected_s:.1f} s" if is_missing else " s")
        if self._is_incomplete() and not has_ffmpeg():
            text += "; ffmpeg, which is not installed, may decode more"
        if not self.decoded_s:
            raise AudioError(f"{self.name}: {problem}; {text}")
        log.warning("%s: %s; %s", self.name, problem, text)


def open_file(path: str | Path) -> Source:
    """Open an audio file.

    Args:
        path: path of the file. Its content decides how it is decoded.

    Raises:
        AudioError: the file cannot be read or is not audio; the message names the file and the reason.
    """
    path = Path(path)
    return FileSource(open_descriptor(path), path)


def open_descriptor(path: Path) -> int:
    """Open a regular, non-empty file; return its descriptor. Raises AudioError."""
    try:
        # Non-blocking: opening a FIFO would wait for a writer.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        broken = isinstance(error, FileNotFoundError) and path.is_symlink()
        reason = explain_unreadable(path) if error.errno in SOCKET_ERRNOS else error.strerror
        raise AudioError(f"{path}: {'broken link' if broken else reason}") from None
    except ValueError as error:
        raise AudioError(f"{path}: {error}") from None
    info = os.fstat(file)
    if not stat.S_ISREG(info.st_mode) or info.st_size == 0:
        os.close(file)
        reason = "the file is empty" if stat.S_ISREG(info.st_mode) else explain_unreadable(path, info.st_mode)
        raise AudioError(f"{path}: {reason}")
    return file
