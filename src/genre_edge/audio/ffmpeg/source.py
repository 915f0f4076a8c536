"""`FfmpegSource`: one ffmpeg process that writes WAV to a pipe, which `WavSource` reads."""

import logging
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence

from genre_edge.audio.block import Block
from genre_edge.audio.ffmpeg import process
from genre_edge.audio.ffmpeg.redirect import Redirect
from genre_edge.audio.ffmpeg.url import (
    NETWORK_FORMATS,
    NETWORK_PROTOCOLS,
    ffmpeg_url,
    final_reason,
    redact_text,
    redact_url,
)
from genre_edge.audio.pipe import WavSource
from genre_edge.audio.source import Source
from genre_edge.audio.stderr_tail import StderrTail
from genre_edge.errors import AudioError, UnusableSourceError

log = logging.getLogger("genre_edge")

# Fill gaps in a stream's own timestamps with silence, so that positions stay correct; other samples do not change.
_FILL_GAPS = ["-af", "aresample=async=1"]

# What ffmpeg reports if a server's answer is not audio
_NO_STREAM = re.compile(r"^Stream map '.*' matches no streams", re.MULTILINE)
_UNKNOWN_CONTENT = re.compile(
    "Invalid data found when processing input|Format not on whitelist|Stream ends prematurely|Server returned 4XX"
)


class UnknownContentError(AudioError):
    """Raised if a server sends something that ffmpeg cannot play, such as a playlist."""


class NoAudioStreamError(UnknownContentError, UnusableSourceError):
    """Raised if ffmpeg knows the format of what a server sends, but there is no audio in it."""


class FfmpegSource(Source):
    """Source decoded by one ffmpeg process. Use `from_url`.

    Args:
        name: name in messages and verdicts.
        arguments: ffmpeg's input options, input and filters.
        start_timeout_s: None for a file: a failure after the first samples is a warning. Otherwise the source is live:
            any failure is an error, and the process is killed if it has written no header after this time in
            seconds.
        secrets: texts that are replaced with `name` in messages.

    Raises:
        AudioError: ffmpeg is missing, cannot be started, or finds no audio.
    """

    def __init__(
        self, name: str, arguments: list[str], start_timeout_s: float | None = None, secrets: Sequence[str] = ()
    ) -> None:
        self.name, self._secrets = name, secrets
        self._redirect: Redirect | None = None
        self._is_live = start_timeout_s is not None
        output = ["-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "wav", "-"]
        try:
            self._stderr = StderrTail()
        except OSError as error:
            raise AudioError(f"{name}: ffmpeg cannot be started: {error.strerror}") from None
        try:
            self._process = process.start(name, ["-nostdin", "-v", "error", *arguments, *output], self._stderr.write_fd)
        except BaseException:
            self._stderr.close()
            raise
        self._stderr.close_write_fd()
        try:
            self._wav = self._read_header(start_timeout_s)
        except BaseException:
            self.close()
            raise
        self.rate, self.channels = self._wav.rate, self._wav.channels

    @classmethod
    def from_url(cls, url: str, timeout_s: float, name: str = "", options: Sequence[str] = ()) -> "FfmpegSource":
        """Open a network stream; `open_url` also follows playlists.

        Args:
            url: URL for which `is_url` is True.
            timeout_s: seconds to wait for the first audio.
            name: name in messages; by default the URL without its secrets.
            options: further input options of ffmpeg.

        Raises:
            AudioError: ffmpeg is missing, cannot be started, or gets no audio within `timeout_s`.
            UnusableSourceError: the server's answer shows that further attempts are pointless.
            OSError, RuntimeError: no socket or thread is available.
        """
        address = ffmpeg_url(url)
        redirect = Redirect(address) if redact_url(url) != url and Redirect.is_supported(address) else None
        argument = redirect.url if redirect else address
        try:
            allowed = ["-protocol_whitelist", NETWORK_PROTOCOLS, "-format_whitelist", NETWORK_FORMATS]
            arguments = [*options, *allowed, "-i", argument, *_FILL_GAPS]
            source = cls(name or redact_url(url), arguments, timeout_s, [argument, address])
        except BaseException:
            if redirect:
                redirect.close()
            raise
        source._redirect = redirect
        return source

    def _read_header(self, timeout_s: float | None) -> WavSource:
        """Read the WAV header; kill the child if that takes longer than `timeout_s`. Raises AudioError."""
        assert self._process.stdout is not None
        timer = None if timeout_s is None else threading.Timer(timeout_s, self._process.kill)
        if timer:
            timer.daemon = True  # must not delay the program's exit
            timer.start()
        try:
            return WavSource(self._process.stdout, self.name)
        except AudioError as error:
            if timer and timer.finished.is_set():
                raise AudioError(f"{self.name}: no audio within {timeout_s:g} s") from None
            raise self._start_error(str(error)) from None
        finally:
            if timer:
                timer.cancel()

    def _start_error(self, message: str) -> AudioError:
        """Return the error of a process that wrote no header; `message` if it reports none."""
        text, message = self._stderr.text(), self._last_error() or message
        if not self._is_live:
            return AudioError(message)
        if reason := final_reason(text):
            return UnusableSourceError(f"{self.name}: {reason}")
        if _NO_STREAM.search(text):
            return NoAudioStreamError(f"{self.name}: no audio at this address")
        return UnknownContentError(message) if _UNKNOWN_CONTENT.search(text) else AudioError(message)

    def _stop(self) -> None:
        """Close the child's output, which ends ffmpeg; kill it if it is still running after a second."""
        assert self._process.stdout is not None
        self._process.stdout.close()
        try:
            self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_error(self) -> str:
        """Return ffmpeg's last error message without credentials, "" if there is none."""
        line = self._stderr.last_line()
        for secret in self._secrets:
            line = line.replace(secret, self.name)
        line = redact_text(line)
        return f"{self.name}: ffmpeg: {line}" if line else ""

    def blocks(self) -> Iterator[Block]:
        """Yield the decoded blocks.

        Raises:
            AudioError: ffmpeg fails; for a file only if it decoded nothing, otherwise a warning is logged.
        """
        position = 0
        for block in self._wav.blocks():
            position += len(block.samples)
            self._stderr.drain()
            yield block
        if self._process.wait() != 0:
            message = self._last_error() or f"{self.name}: ffmpeg failed"
            if position == 0 or self._is_live:
                raise AudioError(message)
            log.warning("%s; decoded %.1f s before the failure", message, position / self.rate)

    def close(self) -> None:
        """Kill the process; a second call does nothing."""
        if self._redirect:
            self._redirect.close()
        self._process.kill()
        self._stop()
        self._stderr.close()
