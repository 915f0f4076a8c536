"""Audio files, decoded in constant memory by libsndfile, or by ffmpeg in formats that libsndfile does not support."""

import logging
import os
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from genre_edge.audio.block import Block
from genre_edge.audio.downmix import Downmixer
from genre_edge.audio.ffmpeg import FFMPEG_SUFFIXES, FfmpegSource
from genre_edge.audio.pipe import UNKNOWN_SIZE
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError

log = logging.getLogger("genre_edge")

SOUNDFILE_SUFFIXES = frozenset(
    [
        ".wav",
        ".wave",
        ".flac",
        ".mp3",
        ".ogg",
        ".oga",
        ".opus",
        ".aif",
        ".aiff",
        ".aifc",
        ".au",
        ".snd",
        ".caf",
        ".w64",
        ".rf64",
    ]
)
SUFFIXES = SOUNDFILE_SUFFIXES | FFMPEG_SUFFIXES
# line in libsndfile's log about a RIFF or AIFF with fewer samples than its header declares
_DECLARED_SIZE = re.compile(r"^ *(?:data|SSND) *: *(\d+) \(should be", re.MULTILINE)
_BLOCK_VALUES = 1 << 16  # samples times channels: 0.25 MB, so that memory use does not depend on the format


class FileSource(Source):
    """File decoded by libsndfile: wav, flac, mp3, ogg, opus and related formats.

    Args:
        file: open file descriptor; the source owns it.
        name: name in messages and verdicts.

    Raises:
        AudioError: the file is not audio, or its rate or channel count is out of range.
    """

    def __init__(self, file: int, name: str) -> None:
        self.name = name
        self._size = os.fstat(file).st_size
        self._descriptor = file
        # A station may close the file while another thread reads, which would crash libsndfile. Reentrant, so that
        # `close` works in a thread that was interrupted while reading.
        self._lock = threading.RLock()
        try:
            # By descriptor: the content alone decides the format, and any path works.
            self._file = soundfile.SoundFile(file)
        except soundfile.LibsndfileError as error:
            raise AudioError(f"{name}: {_reason(error)}") from None
        self.rate, self.channels = self._file.samplerate, self._file.channels
        self.check_format()

    def blocks(self) -> Iterator[Block]:
        """Yield the decoded blocks. Log a warning if the file is truncated.

        Raises:
            AudioError: the file is damaged.
        """
        frames = max(1, _BLOCK_VALUES // self.channels)
        buffer = np.empty((frames, self.channels), dtype=np.float32)
        position, downmixer = 0, Downmixer(self.rate)
        while True:
            try:
                with self._lock:
                    samples = self._file.read(out=buffer)
            except soundfile.LibsndfileError as error:
                raise AudioError(f"{self.name}: after {position / self.rate:.1f} s: {_reason(error)}") from None
            if not len(samples):
                break
            yield Block(downmixer.push(samples), self.rate, position)
            position += len(samples)
        if position and self._is_truncated(position):
            log.warning("%s: the file is truncated; it ends after %.1f s", self.name, position / self.rate)

    def _is_truncated(self, position: int) -> bool:
        """Return True if the header declares more samples, or (an mp3 without an index) bytes were not read."""
        declared = _DECLARED_SIZE.search(self._file.extra_info)
        unread = self._size - os.lseek(self._descriptor, 0, os.SEEK_CUR) if self._file.format == "MP3" else 0
        return (
            position < self._file.frames < 1 << 62
            or (declared is not None and int(declared[1]) < UNKNOWN_SIZE)
            or unread > self._size // 20
        )

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            self._file.close()


def _reason(error: "soundfile.LibsndfileError") -> str:
    text = str(error.error_string).strip().rstrip(".")
    return "not an audio file that can be read" if "not recognised" in text else text


def _open_regular(path: Path) -> int:
    """Open a regular, non-empty file; return its descriptor. Raises AudioError."""
    try:
        # Non-blocking: opening a FIFO would wait for a writer.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        broken = isinstance(error, FileNotFoundError) and path.is_symlink()
        raise AudioError(f"{path}: {'broken link' if broken else error.strerror}") from None
    except ValueError as error:
        raise AudioError(f"{path}: {error}") from None
    info = os.fstat(file)
    if not stat.S_ISREG(info.st_mode) or info.st_size == 0:
        os.close(file)
        reason = "the file is empty" if stat.S_ISREG(info.st_mode) else "not a regular file"
        raise AudioError(f"{path}: {reason}")
    return file


def open_file(path: str | Path) -> Source:
    """Open an audio file.

    Args:
        path: path of the file; the suffix decides whether ffmpeg decodes it.

    Raises:
        AudioError: the file cannot be read or is not audio; the message names the file and the reason.
    """
    path = Path(path)
    file = _open_regular(path)
    if path.suffix.lower() in FFMPEG_SUFFIXES:
        os.close(file)
        return FfmpegSource.from_file(path)
    return FileSource(file, str(path))
