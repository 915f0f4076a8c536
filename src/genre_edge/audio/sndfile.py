"""`SndfileDecoder`: one stream decoded by libsndfile, from a file or from a part of it."""

import contextlib
import re
import threading
from collections.abc import Iterator

import numpy as np
import soundfile
from numpy.typing import NDArray

from genre_edge.audio.containers.layout import PartView
from genre_edge.errors import AudioError
from genre_edge.system import signals

NOT_AUDIO = "not an audio file that can be read"
_BLOCK_VALUES = 1 << 16  # samples times channels: 0.25 MB, so that memory use does not depend on the format
_MAX_FRAMES = 1 << 62  # libsndfile declares more if it does not know the number


# Lines in libsndfile's log about a file with less audio than its header declares (SVX, WVE, AVR)
_DECLARED_BYTES = re.compile(r"(?:BODY :|Data length) (\d+) \(?should be (\d+)")
_DECLARED_FRAMES = re.compile(r"^  Frames +: (\d+)$", re.MULTILINE)


class _SequentialFile(soundfile.SoundFile):  # type: ignore[misc]
    """SoundFile that soundfile does not seek after each read, which fails in a FLAC of unknown length."""

    def seekable(self) -> bool:
        return False


class SndfileDecoder:
    """Decoder for one stream in a format that libsndfile supports: wav, flac, mp3, ogg, opus and related formats.

    Args:
        file: open file descriptor, which the decoder owns, or a view of a part of a file.
        flac_step: number of samples of a FLAC to decode at a time: an error loses what was decoded with it.

    Attributes:
        rate: sampling rate in Hz.
        channels: number of channels.
        format: libsndfile's name of the format, such as "FLAC".
        declared_s: length in the header in seconds; None if it is unknown.

    Raises:
        AudioError: libsndfile does not support the file. The message is the reason, without the file's name.
    """

    def __init__(self, file: int | PartView, flac_step: int = 4096) -> None:
        # libsndfile reads a view by calling back into Python.
        self._guard = signals.deferred if isinstance(file, PartView) else contextlib.nullcontext
        # A station may close the file while another thread reads, which would crash libsndfile. Reentrant, so that
        # `close` works in a thread that was interrupted while reading.
        self._lock = threading.RLock()
        self._flac_step = flac_step
        try:
            with self._guard():
                # By content: a descriptor or a view has no name.
                self._file = _SequentialFile(file)
        except soundfile.LibsndfileError as error:
            raise AudioError(_reason(error)) from None
        self.rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.format: str = self._file.format
        n_frames = self._file.frames
        if not 0 <= n_frames < _MAX_FRAMES or not self.rate:
            self.declared_s = None
        else:
            self.declared_s = _declared_frames(self._file.extra_info, n_frames) / self.rate

    def arrays(self) -> Iterator[NDArray[np.float32]]:
        """Yield arrays `(n, channels)`, full scale +-1; each is valid until the next is requested.

        Raises:
            AudioError: the stream is damaged. All that was decoded before has been yielded.
        """
        buffer = np.empty((max(1, _BLOCK_VALUES // self.channels), self.channels), dtype=np.float32)
        is_flac = self.format == "FLAC"
        step = self._flac_step if is_flac else len(buffer)
        # Behind the last sample of a FLAC, libsndfile would search for the next frame and fail.
        n_left = self._file.frames if is_flac and self.declared_s else _MAX_FRAMES
        while True:
            n, problem = 0, None
            while n < len(buffer) and problem is None:
                try:
                    n_read = self._read(buffer[n : n + min(step, n_left)])
                except soundfile.LibsndfileError as error:
                    problem = _reason(error)
                    break
                if not n_read:
                    break
                n += n_read
                n_left -= n_read
            if n:
                yield buffer[:n]
            if problem is not None:
                raise AudioError(problem)
            if n < len(buffer):
                return

    def excerpt(self, start: int, n_samples: int) -> NDArray[np.float32]:
        """Return up to `n_samples` samples `(n, channels)` from sample `start`; fewer only at the end.

        Raises:
            AudioError: the position cannot be found, or the stream is damaged there.
        """
        buffer = np.empty((n_samples, self.channels), dtype=np.float32)
        try:
            with self._lock, self._guard():
                self._file.seek(start)
            return buffer[: self._read(buffer)]
        except soundfile.LibsndfileError as error:
            raise AudioError(_reason(error)) from None

    def _read(self, buffer: NDArray[np.float32]) -> int:
        with self._lock, self._guard():
            return len(self._file.read(out=buffer))

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock, self._guard():
            self._file.close()


def _declared_frames(log: str, n_frames: int) -> int:
    """Return the number of frames in the header of a truncated file, according to libsndfile's log."""
    if (size := _DECLARED_BYTES.search(log)) and int(size[2]):
        return n_frames * int(size[1]) // int(size[2])
    if frames := _DECLARED_FRAMES.search(log):
        return max(n_frames, int(frames[1]))
    return n_frames


def _reason(error: soundfile.LibsndfileError) -> str:
    text = str(error.error_string).strip().removeprefix("Error : ").rstrip(".")
    return NOT_AUDIO if "not recognised" in text else text
