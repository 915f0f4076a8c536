"""Files that need ffmpeg (m4a, aac, wma and kin): one child process that writes WAV into our WAV reader."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from genre_edge.audio.block import Block, Source
from genre_edge.audio.pipe import WavSource
from genre_edge.errors import AudioError

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
        self._process = subprocess.Popen(
            [ffmpeg, *arguments, "-i", f"file:{path}", *["-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "wav", "-"]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        assert self._process.stdout is not None
        try:
            self._wav = WavSource(self._process.stdout, self.name)
        except AudioError:
            self._process.wait()
            reason = self._last_error()
            self.close()
            raise AudioError(f"{path}: {reason}") from None
        self.rate, self.channels = self._wav.rate, self._wav.channels

    def _last_error(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read(1 << 16).decode(errors="replace").strip().splitlines()
        return f"ffmpeg: {lines[-1]}" if lines else "ffmpeg gave no audio"

    def blocks(self) -> Iterator[Block]:
        heard = False
        for block in self._wav.blocks():
            heard = True
            yield block
        if self._process.wait() != 0 and not heard:
            raise AudioError(f"{self.name}: {self._last_error()}")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()
