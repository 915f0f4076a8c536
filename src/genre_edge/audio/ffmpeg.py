"""Decoding by ffmpeg: file formats that libsndfile does not support, and network streams.

Each source is one child process that writes WAV to a pipe, which `WavSource` reads.
"""

import atexit
import logging
import re
import shutil
import subprocess
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

from genre_edge.audio.block import Block
from genre_edge.audio.pipe import WavSource
from genre_edge.audio.source import Source
from genre_edge.audio.stderr_tail import StderrTail
from genre_edge.errors import AudioError
from genre_edge.system.signals import blocked

log = logging.getLogger("genre_edge")

# No protocol that reads local files or starts programs: a playlist on a server must not name /etc/passwd.
NETWORK_SCHEMES = frozenset(
    ["http", "https", "icecast", "rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srt", "udp", "mms", "mmsh", "mmst"]
)
_NETWORK_PROTOCOLS = "http,https,httpproxy,rtsp,rtsps,rtmp,rtmps,rtp,rtcp,srtp,srt,udp,tcp,tls,mmsh,mmst,crypto,data"
SCHEME_ALIASES = {"icecast": "http", "mms": "mmsh"}  # ffmpeg writes to icecast:// but cannot read it, and has no mms://
# Fill gaps in a stream's own timestamps with silence, so that positions stay correct; other samples do not change.
_FILL_GAPS = ["-af", "aresample=async=1"]

# Credentials and keys in URLs, which must not appear in messages
_CREDENTIALS = re.compile(r"//[^/\s]*@")
_QUERY = re.compile(r"(://[^\s?#]*)[?#]\S*")


def is_url(source: str) -> bool:
    """Return True if a source is a URL with a scheme that `FfmpegSource.from_url` supports."""
    return source.partition("://")[0].lower() in NETWORK_SCHEMES and "://" in source


def ffmpeg_program(name: str) -> str:
    """Return the path of the ffmpeg program.

    Args:
        name: the source that needs ffmpeg; the error names it.

    Raises:
        AudioError: ffmpeg is not installed.
    """
    path = shutil.which("ffmpeg")
    if path is None:
        raise AudioError(f"{name}: needs ffmpeg, which is not installed (apt install ffmpeg)")
    return path


def redact_url(url: str) -> str:
    """Return a URL without credentials, query and fragment, for logs and verdicts; only the scheme if ambiguous."""
    scheme, _, rest = url.partition("://")
    location = re.split("[?#]", rest, maxsplit=1)[0]
    if "@" in rest[len(location) :]:  # part of a query, or of a password
        return f"{scheme}://..."
    before, at, after = location.rpartition("@")
    if at and (":" in before or "/" not in before):  # otherwise the @ is part of the path
        location = after
    return f"{scheme}://{location}"


def _ffmpeg_url(url: str) -> str:
    """Replace the scheme with ffmpeg's name for it, in lower case."""
    scheme, _, rest = url.partition("://")
    return f"{SCHEME_ALIASES.get(scheme.lower(), scheme.lower())}://{rest}"


_children: "weakref.WeakSet[subprocess.Popen[bytes]]" = weakref.WeakSet()
_children_lock = threading.Lock()  # held while a child is started and registered
_shutting_down = False  # checked under the lock; if True, no child is started


@atexit.register
def kill_child_processes() -> None:
    """Kill all running ffmpeg processes and refuse to start new ones, so that none outlives the program."""
    global _shutting_down
    _shutting_down = True
    acquired = _children_lock.acquire(timeout=1)  # a start in progress may hang, for example on a failed disk
    for child in list(_children):
        child.kill()
    if acquired:
        _children_lock.release()


class FfmpegSource(Source):
    """Source decoded by one ffmpeg process. Use `from_file` or `from_url`.

    Args:
        name: name in messages and verdicts.
        arguments: ffmpeg's input options, input and filters.
        start_timeout_s: None for a file: a failure after the first samples is a warning. Otherwise the source is live:
            any failure is an error, and the process is killed if it has written no header after this time in
            seconds.
        secret: the argument that is replaced with `name` in messages.

    Raises:
        AudioError: ffmpeg is missing, cannot be started, or finds no audio.
    """

    def __init__(
        self, name: str, arguments: list[str], start_timeout_s: float | None = None, secret: str | None = None
    ) -> None:
        self.name, self._secret = name, secret
        self._is_live = start_timeout_s is not None
        output = ["-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "wav", "-"]
        command = [ffmpeg_program(name), "-nostdin", "-v", "error", *arguments, *output]
        self._stderr = StderrTail()
        try:
            self._start(command)
        except AudioError:
            self._stderr.close()
            raise
        self._stderr.close_write_fd()
        self._wav = self._read_header(start_timeout_s)
        self.rate, self.channels = self._wav.rate, self._wav.channels

    @classmethod
    def from_file(cls, path: Path) -> "FfmpegSource":
        """Open a file in a format that libsndfile does not support.

        Raises:
            AudioError: ffmpeg is missing, cannot be started, or finds no audio.
        """
        # "file:" and the whitelist: a name or a playlist inside the file must not become a network request.
        return cls(str(path), ["-protocol_whitelist", "file", "-i", f"file:{path}"])

    @classmethod
    def from_url(cls, url: str, timeout_s: float) -> "FfmpegSource":
        """Open a network stream.

        Args:
            url: URL for which `is_url` is True.
            timeout_s: seconds to wait for the first audio.

        Raises:
            AudioError: ffmpeg is missing, cannot be started, or gets no audio within `timeout_s`.
        """
        address = _ffmpeg_url(url)
        arguments = ["-protocol_whitelist", _NETWORK_PROTOCOLS, "-i", address, *_FILL_GAPS]
        return cls(redact_url(url), arguments, timeout_s, address)

    def _start(self, command: list[str]) -> None:
        """Start and register the child process. Raises AudioError."""
        try:
            with blocked(), _children_lock:  # no interrupt between start and registration
                if _shutting_down:
                    raise AudioError(f"{self.name}: ffmpeg is not started: the program is shutting down")
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._stderr.write_fd
                )
                _children.add(self._process)
        except OSError as error:
            raise AudioError(f"{self.name}: ffmpeg cannot be started: {error.strerror}") from None

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
            message = self._last_error() or str(error)  # before the child reports the closed pipe as an error
            self._stop()
            self._stderr.close()
            raise AudioError(message) from None
        finally:
            if timer:
                timer.cancel()

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
        if self._secret:
            line = line.replace(self._secret, self.name)
        line = _QUERY.sub(r"\1", _CREDENTIALS.sub("//", line))
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
        self._process.kill()
        self._stop()
        self._stderr.close()
