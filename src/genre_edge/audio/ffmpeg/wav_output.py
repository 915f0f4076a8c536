"""`WavOutput`: one ffmpeg process that writes the first audio stream of its input to a pipe, as WAV."""

import subprocess
from typing import IO

from genre_edge.audio.ffmpeg import process
from genre_edge.audio.stderr_tail import StderrTail
from genre_edge.errors import AudioError

# Without metadata, which could fill the WAV header beyond the limit of `WavSource`
_OUTPUT = ["-map", "0:a:0", "-map_metadata", "-1", "-c:a", "pcm_f32le", "-f", "wav", "-"]
_STOP_TIMEOUT_S = 1.0


class WavOutput:
    """Running ffmpeg process, its output and its messages.

    Args:
        name: the source, for errors.
        arguments: global options, input options, input and filters. Other users can see them: no passwords.

    Attributes:
        stdout: the WAV.
        stderr: the end of what ffmpeg reports; drain it while the WAV is read.

    Raises:
        AudioError: ffmpeg is missing or cannot be started, or the program is shutting down.
    """

    def __init__(self, name: str, arguments: list[str]) -> None:
        try:
            self.stderr = StderrTail()
        except OSError as error:
            raise AudioError(f"{name}: ffmpeg cannot be started: {error.strerror}") from None
        try:
            self._process = process.start(name, ["-nostdin", *arguments, *_OUTPUT], self.stderr.write_fd)
        except BaseException:
            self.stderr.close()
            raise
        self.stderr.close_write_fd()
        assert self._process.stdout is not None
        self.stdout: IO[bytes] = self._process.stdout

    def wait(self) -> int:
        """Wait for the end of the process after the end of its output; return its exit status."""
        return self._process.wait()

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()

    def stop(self) -> None:
        """Close the output, which ends ffmpeg; kill it if it is still running after a second."""
        self.stdout.close()
        try:
            self._process.wait(timeout=_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Kill the process and release its pipes; a second call does nothing."""
        self._process.kill()
        self.stop()
        self.stderr.close()
