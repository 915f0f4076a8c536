"""`FfmpegFile`: a file that ffmpeg decodes, whatever its content."""

import os
import re
import select
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from genre_edge.audio.block import Block
from genre_edge.audio.ffmpeg.wav_output import WavOutput
from genre_edge.audio.pipe import WavSource
from genre_edge.audio.source import Source
from genre_edge.audio.suffixes import FFMPEG_DEMUXERS
from genre_edge.errors import AudioError

_DRAIN_INTERVAL_MS = 5
STALL_TIMEOUT_S = 30.0  # ffmpeg is killed if it decodes nothing for so long

_DURATION = re.compile(r"^\[info\]   Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)", re.MULTILINE)
_VIDEO = re.compile(r"^\[info\]   Stream #.*: Video:(?!.*\(attached pic\))", re.MULTILINE)
_ERROR = re.compile(r"^(?:\[[^\]]*\] )?(?:\[(?:error|fatal)\] (?=.)|\[warning\] (?=.*[Cc]orrupt))(.+)$", re.MULTILINE)
_ESTIMATED = "Estimating duration from bitrate"
_NO_AUDIO = "matches no streams", "does not contain any stream"


class _StallError(AudioError):
    """Raised if ffmpeg decodes nothing for `STALL_TIMEOUT_S`."""


class FfmpegFile(Source):
    """File decoded by one ffmpeg process.

    Only demuxers of single media files may open it, and only local files are read: its content cannot become a
    playlist, a list of other files or a network request.

    Args:
        path: path of a regular file.
        part: first byte of the part to decode and the byte after its last; None for the whole file.

    Attributes:
        problem: description of a failure after the first samples; None if there is none.
        is_stalled: True if that is that ffmpeg decoded nothing for `STALL_TIMEOUT_S`.

    Raises:
        AudioError: ffmpeg is missing, cannot be started, or finds no audio.
    """

    def __init__(self, path: Path, part: tuple[int, int] | None = None) -> None:
        self.name = str(path)
        self.problem: str | None = None
        self.is_stalled = False
        with path.open("rb") as file:
            self._is_mp4 = file.read(8)[4:] == b"ftyp"
        self._ffmpeg = WavOutput(self.name, _arguments(path, part))
        try:
            self._wav = self._read_header()
        except BaseException:
            self.close()
            raise
        self.rate, self.channels = self._wav.rate, self._wav.channels
        dump = self._ffmpeg.stderr.text()
        duration = None if _ESTIMATED in dump else _DURATION.search(dump)
        self._duration_s = None
        if duration is not None:
            self._duration_s = 3600.0 * int(duration[1]) + 60 * int(duration[2]) + float(duration[3])
        self._has_video = _VIDEO.search(dump) is not None

    def _read_header(self) -> WavSource:
        try:
            return WavSource(cast("IO[bytes]", _StallLimit(self._ffmpeg, self.name)), self.name)
        except _StallError:
            raise
        except AudioError as error:
            self._ffmpeg.stop()
            errors, last_line = self._errors(), self._ffmpeg.stderr.last_line()
            if last_line.startswith("cannot be started"):  # says child.py
                raise AudioError(f"{self.name}: ffmpeg: {last_line}") from None
            raise AudioError(f"{self.name}: {_reason(errors, self._is_mp4)}" if errors else str(error)) from None

    def blocks(self) -> Iterator[Block]:
        """Yield the decoded blocks. If ffmpeg fails after the first samples, set `problem`.

        Raises:
            AudioError: ffmpeg fails and decoded nothing.
        """
        n_samples = 0
        try:
            for block in self._wav.blocks():
                n_samples += len(block.samples)
                self._ffmpeg.stderr.drain()
                yield block
            if self._ffmpeg.wait() != 0:
                self.problem = "ffmpeg failed"
        except AudioError as error:
            self.is_stalled = isinstance(error, _StallError)
            self.problem = str(error).removeprefix(f"{self.name}: ")
        # In a film without damage, the sound may be shorter than the picture.
        self.expected_s = None if self._has_video and not self._errors() else self._duration_s
        if self.problem is not None and not n_samples:
            errors = [] if self.is_stalled else self._errors()
            raise AudioError(f"{self.name}: {_reason(errors, self._is_mp4) if errors else self.problem}")

    def _errors(self) -> list[str]:
        """Return ffmpeg's error messages so far."""
        return _ERROR.findall(self._ffmpeg.stderr.text())

    def close(self) -> None:
        """Kill the process; a second call does nothing."""
        self._ffmpeg.close()


class _StallLimit:
    """Output of ffmpeg; raises _StallError if no byte arrives for `STALL_TIMEOUT_S`. It also drains the messages."""

    def __init__(self, ffmpeg: WavOutput, name: str) -> None:
        self._fd, self._stderr, self._name = ffmpeg.stdout.fileno(), ffmpeg.stderr, name
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def read(self, n: int) -> bytes:
        """Read up to `n` bytes; none at the end of the stream."""
        deadline_s = time.monotonic() + STALL_TIMEOUT_S
        while not self._poll.poll(_DRAIN_INTERVAL_MS):
            self._stderr.drain()  # before the first sample, ffmpeg reports all tags and then the length
            if time.monotonic() >= deadline_s:
                raise _StallError(f"{self._name}: ffmpeg decoded nothing for {STALL_TIMEOUT_S:.0f} s and is stopped")
        return os.read(self._fd, n)


def _arguments(path: Path, part: tuple[int, int] | None) -> list[str]:
    demuxers = ",".join(FFMPEG_DEMUXERS)
    url = f"file:{path}"  # "file:" because a name may look like an option or a URL
    protocols = "file"
    if part is not None:
        url = f"subfile,,start,{part[0]},end,{part[1]},,:{url}"
        protocols = "file,subfile"
    limits = ["-protocol_whitelist", protocols, "-format_whitelist", demuxers]
    return ["-hide_banner", "-nostats", "-v", "level+info", *limits, "-i", url]


def _reason(errors: list[str], is_mp4: bool) -> str:
    """Return why ffmpeg cannot decode a file: its last message says that an argument is invalid."""
    if any(text in error for error in errors for text in _NO_AUDIO):
        return "holds no audio"
    if is_mp4 and any("moov atom not found" in error for error in errors):
        return "the file is incomplete or damaged: its index (moov) is missing"
    return "not an audio file that can be read"
