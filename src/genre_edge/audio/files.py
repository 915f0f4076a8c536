"""Audio files, decoded in constant memory: soundfile, and ffmpeg for what soundfile does not know."""

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from genre_edge.audio.block import Block, Source, to_mono
from genre_edge.audio.ffmpeg import FFMPEG_SUFFIXES, FfmpegSource
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
_BLOCK_VALUES = 1 << 16  # samples times channels: 0.25 MB, so that memory does not depend on the format


class FileSource(Source):
    """A file that libsndfile decodes: wav, flac, mp3, ogg, opus and kin."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        try:
            # Bytes: a name need not be valid in the locale's encoding.
            self._file = soundfile.SoundFile(os.fsencode(path))
        except soundfile.LibsndfileError as error:
            raise AudioError(f"{self.name}: {_reason(error)}") from None
        self.rate, self.channels = self._file.samplerate, self._file.channels
        self.check_format()

    def blocks(self) -> Iterator[Block]:
        frames = max(1, _BLOCK_VALUES // self.channels)
        buffer = np.empty((frames, self.channels), dtype=np.float32)
        position = 0
        while True:
            try:
                samples = self._file.read(out=buffer)
            except soundfile.LibsndfileError as error:
                raise AudioError(f"{self.name}: after {position / self.rate:.1f} s: {_reason(error)}") from None
            if not len(samples):
                break
            yield Block(to_mono(samples), self.rate, position)
            position += len(samples)
        if position < self._file.frames < 1 << 62:
            log.warning(
                "%s: ends early, after %.1f of %.1f s", self.name, position / self.rate, self._file.frames / self.rate
            )

    def close(self) -> None:
        self._file.close()


def _reason(error: "soundfile.LibsndfileError") -> str:
    text = str(error.error_string).strip().rstrip(".")
    return "not an audio file that can be read" if "not recognised" in text else text


def _check_readable(path: Path) -> None:
    """A clear word for what is not a file with something in it; opening a FIFO, say, would wait for ever."""
    try:
        info = path.stat()
    except OSError as error:
        broken = path.is_symlink() and isinstance(error, FileNotFoundError)
        raise AudioError(f"{path}: {'broken link' if broken else error.strerror}") from None
    if not stat.S_ISREG(info.st_mode):
        raise AudioError(f"{path}: not a regular file")
    if info.st_size == 0:
        raise AudioError(f"{path}: the file is empty")
    if not os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
        raise AudioError(f"{path}: Permission denied")


def open_file(path: str | Path) -> Source:
    """The decoder for a file.

    Raises:
        AudioError: it cannot be read, or is no audio; the message names the file and the reason.
    """
    path = Path(path)
    _check_readable(path)
    if path.suffix.lower() in FFMPEG_SUFFIXES:
        return FfmpegSource(path)
    return FileSource(path)
