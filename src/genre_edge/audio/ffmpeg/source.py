"""`FfmpegSource`: a network stream that ffmpeg decodes."""

import functools
import logging
import re
import threading
from collections.abc import Iterator, Sequence

from genre_edge.audio.block import Block
from genre_edge.audio.ffmpeg.redirect import Redirect
from genre_edge.audio.ffmpeg.url import (
    NETWORK_FORMATS,
    NETWORK_PROTOCOLS,
    ffmpeg_url,
    final_reason,
    may_hold_secret,
    redact_text,
    redact_url,
)
from genre_edge.audio.ffmpeg.wav_output import WavOutput
from genre_edge.audio.pipe import WavSource
from genre_edge.audio.source import Source
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
    """Network stream decoded by one ffmpeg process. Use `from_url`.

    Args:
        name: name in messages and verdicts.
        arguments: ffmpeg's input options, input and filters.
        start_timeout_s: the process is killed if it has written no header after this time in seconds.
        secrets: texts that are replaced with `name` in messages.

    Raises:
        AudioError: ffmpeg is missing, cannot be started, or finds no audio.
    """

    def __init__(self, name: str, arguments: list[str], start_timeout_s: float, secrets: Sequence[str] = ()) -> None:
        self.name, self._secrets = name, secrets
        self._redirect: Redirect | None = None
        self._ffmpeg = WavOutput(name, ["-v", "error", *arguments])
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
        address, name = ffmpeg_url(url), name or redact_url(url)
        redirect = _hide(address, name) if may_hold_secret(url) else None
        argument = redirect.url if redirect else address
        try:
            allowed = ["-protocol_whitelist", NETWORK_PROTOCOLS, "-format_whitelist", NETWORK_FORMATS]
            arguments = [*options, *allowed, "-i", argument, *_FILL_GAPS]
            source = cls(name, arguments, timeout_s, [argument, address])
        except BaseException:
            if redirect:
                redirect.close()
            raise
        source._redirect = redirect
        return source

    def _read_header(self, timeout_s: float) -> WavSource:
        """Read the WAV header; kill the child if that takes longer than `timeout_s`. Raises AudioError."""
        timer = threading.Timer(timeout_s, self._ffmpeg.kill)
        timer.daemon = True  # must not delay the program's exit
        timer.start()
        try:
            return WavSource(self._ffmpeg.stdout, self.name)
        except AudioError as error:
            if timer.finished.is_set():
                raise AudioError(f"{self.name}: no audio within {timeout_s:g} s") from None
            raise self._start_error(str(error)) from None
        finally:
            timer.cancel()

    def _start_error(self, message: str) -> AudioError:
        """Return the error of a process that wrote no header; `message` if it reports none."""
        text, message = self._ffmpeg.stderr.text(), self._last_error() or message
        if reason := final_reason(text):
            return UnusableSourceError(f"{self.name}: {reason}")
        if _NO_STREAM.search(text):
            return NoAudioStreamError(f"{self.name}: no audio at this address")
        return UnknownContentError(message) if _UNKNOWN_CONTENT.search(text) else AudioError(message)

    def _last_error(self) -> str:
        """Return ffmpeg's last error message without credentials, "" if there is none."""
        line = self._ffmpeg.stderr.last_line()
        for secret in self._secrets:
            line = line.replace(secret, self.name)
        line = redact_text(line)
        return f"{self.name}: ffmpeg: {line}" if line else ""

    def blocks(self) -> Iterator[Block]:
        """Yield the decoded blocks.

        Raises:
            AudioError: ffmpeg fails.
        """
        for block in self._wav.blocks():
            self._ffmpeg.stderr.drain()
            yield block
        if self._ffmpeg.wait() != 0:
            raise AudioError(self._last_error() or f"{self.name}: ffmpeg failed")

    def close(self) -> None:
        """Kill the process; a second call does nothing."""
        if self._redirect:
            self._redirect.close()
        self._ffmpeg.close()


def _hide(address: str, name: str) -> Redirect | None:
    """Return a redirect to an address; log a warning and return None if there can be none."""
    if Redirect.is_supported(address):
        return Redirect(address)
    _warn_of_visible_url(name)
    return None


@functools.cache  # one warning for each source, however often it is opened
def _warn_of_visible_url(name: str) -> None:
    log.warning(
        "%s: other users of this machine can see this URL, with its password or key, in ffmpeg's arguments", name
    )
