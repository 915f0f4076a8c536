"""Files that need ffmpeg (m4a, aac, wma and kin): one child process that writes WAV into our WAV reader."""

import logging
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from genre_edge.audio.block import Block, Source
from genre_edge.audio.pipe import WavSource
from genre_edge.errors import AudioError

log = logging.getLogger("genre_edge")

FFMPEG_SUFFIXES = frozenset(
    [".m4a", ".m4b", ".mp4", ".aac", ".wma", ".ape", ".wv", ".mpc", ".mka", ".webm", ".alac", ".ac3", ".dsf", ".tta"]
)


class FfmpegSource(Source):
    """A file decoded by an ffmpeg process, which is ended with the source."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        ffmpeg = shutil.which("ffmpeg")
        if ffmpeg is None:
            raise AudioError(f"{path}: {path.suffix} files need ffmpeg, which is not installed (apt install ffmpeg)")
        # A file, not a pipe: a damaged input can write more errors than a pipe holds, and nobody reads it then.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        # "file:" and the whitelist: a name or a playlist inside the file must not become a network request.
        arguments = ["-nostdin", "-v", "error", "-protocol_whitelist", "file"]
        command = [ffmpeg, *arguments, "-i", f"file:{path}", *["-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "wav", "-"]]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._errors
            )
        except OSError as error:
            self._errors.close()
            raise AudioError(f"{path}: ffmpeg cannot be started: {error.strerror}") from None
        assert self._process.stdout is not None
        try:
            self._wav = WavSource(self._process.stdout, self.name)
        except AudioError as error:
            text = self._last_error() or str(error)  # before the child complains of us
            self._end()
            self._errors.close()
            raise AudioError(text) from None
        self.rate, self.channels = self._wav.rate, self._wav.channels

    def _end(self) -> None:
        """Let the child finish by itself, as one does that nobody listens to any more; else end it."""
        assert self._process.stdout is not None
        self._process.stdout.close()
        try:
            self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_error(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read(1 << 16).decode(errors="replace").strip().splitlines()
        return f"{self.name}: ffmpeg: {lines[-1]}" if lines else ""

    def blocks(self) -> Iterator[Block]:
        position = 0
        for block in self._wav.blocks():
            position += len(block.samples)
            yield block
        if self._process.wait() != 0:
            text = self._last_error() or f"{self.name}: ffmpeg failed"
            if position == 0:
                raise AudioError(text)
            log.warning("%s; heard %.1f s", text, position / self.rate)

    def close(self) -> None:
        self._process.kill()
        self._end()
        self._errors.close()
