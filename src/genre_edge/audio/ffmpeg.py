"""What needs ffmpeg: some files (m4a, aac, wma and kin), and the network. One child writes WAV into our WAV reader."""

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

FFMPEG_SUFFIXES = frozenset(
    [".m4a", ".m4b", ".mp4", ".aac", ".wma", ".ape", ".wv", ".mpc", ".mka", ".webm", ".alac", ".ac3", ".dsf", ".tta"]
)


# Nothing that reads local files or starts programs: a playlist on a server must not name /etc/passwd.
NETWORK_SCHEMES = frozenset(
    ["http", "https", "icecast", "rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srt", "udp", "mms", "mmsh", "mmst"]
)
_NETWORK_PROTOCOLS = "http,https,httpproxy,rtsp,rtsps,rtmp,rtmps,rtp,rtcp,srtp,srt,udp,tcp,tls,mmsh,mmst,crypto,data"
SCHEME_ALIASES = {"icecast": "http", "mms": "mmsh"}  # what is given away as such; ffmpeg itself only writes to icecast
# What the network lost between a stream's own timestamps, so that time stays true; no sample is changed otherwise.
_GAPS_ARE_SILENCE = ["-af", "aresample=async=1"]

# Names, passwords and keys in addresses: they are in no log and no verdict.
_USER = re.compile(r"//[^/\s]*@")
_QUERY = re.compile(r"(://[^\s?#]*)[?#]\S*")


def is_url(source: str) -> bool:
    """Whether a source is an address that `FfmpegSource.of_url` takes."""
    return source.partition("://")[0].lower() in NETWORK_SCHEMES and "://" in source


def ffmpeg_program(name: str) -> str:
    """Where ffmpeg is. Raises AudioError, in the name of what needs it."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise AudioError(f"{name}: needs ffmpeg, which is not installed (apt install ffmpeg)")
    return found


def redact_url(url: str) -> str:
    """The address as it may stand in logs and verdicts. Of what can be read in two ways, less is told."""
    scheme, _, rest = url.partition("://")
    place = re.split("[?#]", rest, maxsplit=1)[0]
    if "@" in rest[len(place) :]:  # a key, or the end of a password
        return f"{scheme}://..."
    before, at, after = place.rpartition("@")
    if at and (":" in before or "/" not in before):  # else a path that has an @ of its own
        place = after
    return f"{scheme}://{place}"


def _for_ffmpeg(url: str) -> str:
    """The address with a scheme that ffmpeg knows; of capitals it knows none."""
    scheme, _, rest = url.partition("://")
    return f"{SCHEME_ALIASES.get(scheme.lower(), scheme.lower())}://{rest}"


_children: "weakref.WeakSet[subprocess.Popen[bytes]]" = weakref.WeakSet()
_starting = threading.RLock()  # from before there is a child until it is among them


@atexit.register
def kill_children() -> None:
    """End every ffmpeg that still runs, so that none outlives the program; a thread that waits for one goes on.

    The last that is done with them: the lock is kept, so none is started any more.
    """
    _starting.acquire(timeout=1)
    for child in list(_children):
        child.kill()


class FfmpegSource(Source):
    """What one ffmpeg process decodes; it ends with the source.

    `words` are its options and its input; for the `secret` among them stands the name wherever it is told. With
    `patience_s` it is live: a process that gives nothing for so long at its beginning is ended, and a failure later is
    an error; of a file, what was heard before it counts.
    """

    def __init__(self, name: str, words: list[str], patience_s: float | None = None, secret: str | None = None) -> None:
        self.name, self._secret = name, secret
        ffmpeg = ffmpeg_program(name)
        self._complaints = StderrTail()
        command = [ffmpeg, "-nostdin", "-v", "error", *words, "-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "wav", "-"]
        try:
            with blocked(), _starting:  # no interrupt comes between a child and its being known
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._complaints.child_end
                )
                _children.add(self._process)
        except OSError as error:
            self._complaints.close()
            raise AudioError(f"{name}: ffmpeg cannot be started: {error.strerror}") from None
        self._complaints.child_has_it()
        assert self._process.stdout is not None
        self._live = patience_s is not None
        impatience = None if patience_s is None else threading.Timer(patience_s, self._process.kill)
        if impatience:
            impatience.daemon = True  # the program need not wait for it
            impatience.start()
        try:
            self._wav = WavSource(self._process.stdout, self.name)
        except AudioError as error:
            text = self._last_error() or str(error)  # before the child complains of us
            self._end()
            self._complaints.close()
            raise AudioError(text) from None
        finally:
            if impatience:
                impatience.cancel()
        self.rate, self.channels = self._wav.rate, self._wav.channels

    @classmethod
    def of_file(cls, path: Path) -> "FfmpegSource":
        """A file that libsndfile does not know. Raises AudioError."""
        # "file:" and the whitelist: a name or a playlist inside the file must not become a network request.
        return cls(str(path), ["-protocol_whitelist", "file", "-i", f"file:{path}"])

    @classmethod
    def of_url(cls, url: str, patience_s: float) -> "FfmpegSource":
        """A radio or a camera; a server that gives no sound for `patience_s` is given up. Raises AudioError."""
        address = _for_ffmpeg(url)
        words = ["-protocol_whitelist", _NETWORK_PROTOCOLS, "-i", address, *_GAPS_ARE_SILENCE]
        return cls(redact_url(url), words, patience_s, address)

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
        line = self._complaints.last_line()
        if self._secret:
            line = line.replace(self._secret, self.name)
        line = _QUERY.sub(r"\1", _USER.sub("//", line))
        return f"{self.name}: ffmpeg: {line}" if line else ""

    def blocks(self) -> Iterator[Block]:
        position = 0
        for block in self._wav.blocks():
            position += len(block.samples)
            self._complaints.read()
            yield block
        if self._process.wait() != 0:
            text = self._last_error() or f"{self.name}: ffmpeg failed"
            if position == 0 or self._live:
                raise AudioError(text)
            log.warning("%s; heard %.1f s", text, position / self.rate)

    def close(self) -> None:
        self._process.kill()
        self._end()
        self._complaints.close()
