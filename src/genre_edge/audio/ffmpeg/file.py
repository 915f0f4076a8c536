"""`FfmpegFile`: a file that ffmpeg decodes, whatever its content."""

import os
import re
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from genre_edge.audio.block import Block
from genre_edge.audio.ffmpeg import process
from genre_edge.audio.pipe import WavSource
from genre_edge.audio.source import Source
from genre_edge.audio.stderr_tail import StderrTail
from genre_edge.audio.suffixes import FFMPEG_DEMUXERS
from genre_edge.errors import AudioError

STALL_TIMEOUT_S = 30.0  # ffmpeg is killed if it decodes nothing for so long
_STOP_TIMEOUT_S = 1.0

_DURATION = re.compile(r"^\[info\]   Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)", re.MULTILINE)
_VIDEO = re.compile(r"^\[info\]   Stream #.*: Video:(?!.*\(attached pic\))", re.MULTILINE)
_ERROR = re.compile(r"^(?:\[[^\]]*\] )?(?:\[(?:error|fatal)\] (?=.)|\[warning\] (?=.*[Cc]orrupt))(.+)$", re.MULTILINE)
_ESTIMATED = "Estimating duration from bitrate"
_NO_AUDIO = "matches no streams", "does not contain any stream"


class FfmpegFile(Source):
    """File decoded by one ffmpeg process.

    Only demuxers of single media files may open it, and only local files are read: its content cannot become a
    playlist, a list of other files or a network request.

    Args:
        path: path of a regular file.

    Attributes:
        problem: description of a failure after the first samples; None if there is none.

    Raises:
        AudioError: ffmpeg is missing, cannot be started, or finds no audio.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.problem: str | None = None
        with path.open("rb") as file:
            self._is_mp4 = file.read(8)[4:] == b"ftyp"
        self._stderr = StderrTail()
        try:
            self._process = process.start(self.name, _arguments(path), self._stderr.write_fd)
        except BaseException:
            self._stderr.close()
            raise
        self._stderr.close_write_fd()
        self._wav = self._read_header()
        self.rate, self.channels = self._wav.rate, self._wav.channels
        dump = self._stderr.text()
        duration = None if _ESTIMATED in dump else _DURATION.search(dump)
        self._duration_s = None
        if duration is not None:
            self._duration_s = 3600.0 * int(duration[1]) + 60 * int(duration[2]) + float(duration[3])
        self._has_video = _VIDEO.search(dump) is not None

    def _read_header(self) -> WavSource:
        assert self._process.stdout is not None
        try:
            return WavSource(cast("IO[bytes]", _StallLimit(self._process.stdout, self.name)), self.name)
        except AudioError as error:
            self._stop()
            errors = self._errors()
            self._stderr.close()
            raise AudioError(f"{self.name}: {_reason(errors, self._is_mp4)}" if errors else str(error)) from None
        except BaseException:
            self.close()
            raise

    def blocks(self) -> Iterator[Block]:
        """Yield the decoded blocks. If ffmpeg fails after the first samples, set `problem`.

        Raises:
            AudioError: ffmpeg fails and decoded nothing.
        """
        n_samples = 0
        try:
            for block in self._wav.blocks():
                n_samples += len(block.samples)
                self._stderr.drain()
                yield block
            if self._process.wait() != 0:
                self.problem = "ffmpeg failed"
        except AudioError as error:
            self.problem = str(error).removeprefix(f"{self.name}: ")
        # In a film without damage, the sound may be shorter than the picture.
        self.expected_s = None if self._has_video and not self._errors() else self._duration_s
        if self.problem is not None and not n_samples:
            raise AudioError(f"{self.name}: {self.problem}")

    def _errors(self) -> list[str]:
        """Return ffmpeg's error messages so far."""
        return _ERROR.findall(self._stderr.text())

    def _stop(self) -> None:
        """Close the child's output, which ends ffmpeg; kill it if it is still running after a second."""
        assert self._process.stdout is not None
        self._process.stdout.close()
        try:
            self._process.wait(timeout=_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Kill the process; a second call does nothing."""
        self._process.kill()
        self._stop()
        self._stderr.close()


class _StallLimit:
    """Byte stream of a child process that raises AudioError if no byte arrives for `STALL_TIMEOUT_S`."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._fd, self._name = stream.fileno(), name
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def read(self, n: int) -> bytes:
        """Read up to `n` bytes; none at the end of the stream."""
        if not self._poll.poll(1000 * STALL_TIMEOUT_S):
            raise AudioError(f"{self._name}: ffmpeg decoded nothing for {STALL_TIMEOUT_S:.0f} s and is stopped")
        return os.read(self._fd, n)


def _arguments(path: Path) -> list[str]:
    demuxers = ",".join(FFMPEG_DEMUXERS)
    limits = ["-protocol_whitelist", "file", "-format_whitelist", demuxers]
    # "file:" because a name may look like an option or a URL.
    return [
        *["-nostdin", "-hide_banner", "-nostats", "-v", "level+info"],
        *[*limits, "-i", f"file:{path}"],
        *["-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "wav", "-"],
    ]


def _reason(errors: list[str], is_mp4: bool) -> str:
    """Return why ffmpeg cannot decode a file: its last message says that an argument is invalid."""
    if any(text in error for error in errors for text in _NO_AUDIO):
        return "holds no audio"
    if is_mp4 and any("moov atom not found" in error for error in errors):
        return "the file is incomplete or damaged: its index (moov) is missing"
    return "not an audio file that can be read"
