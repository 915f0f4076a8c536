"""Opening of a source that the user names: standard input, a file, a sound card or a URL."""

import os
import sys
from pathlib import Path

from genre_edge.audio import microphone
from genre_edge.audio.ffmpeg import playlist
from genre_edge.audio.ffmpeg.network import open_url
from genre_edge.audio.ffmpeg.process import ffmpeg_program
from genre_edge.audio.ffmpeg.url import NETWORK_SCHEMES, is_url, redact_url
from genre_edge.audio.files import open_file
from genre_edge.audio.live.queue import TIMEOUT_S
from genre_edge.audio.live.reconnect import ReconnectingSource, RetryPolicy
from genre_edge.audio.live.threaded import ThreadedSource
from genre_edge.audio.paths import STDIN
from genre_edge.audio.pipe import open_pipe
from genre_edge.audio.source import Source
from genre_edge.audio.suffixes import SUFFIXES
from genre_edge.errors import AudioError, ParameterError
from genre_edge.system.regular_file import open_regular

DEFAULT_DEVICE = "microphone"


def open_source(source: str, raw: str | None, retry: RetryPolicy, *, wait: bool = True) -> Source:
    """Open standard input (`-`), a file, a sound card or a URL. A playlist opens the first stream that it names.

    Args:
        source: `-`, a path, a URL, or a sound card's name or number.
        raw: format of raw PCM on standard input, as ENCODING:RATE:CHANNELS; None for a WAV.
        retry: how a live source is opened again after a failure.
        wait: open a live source before returning; otherwise its `open` must be called.

    Raises:
        AudioError: the source cannot be read as audio.
        ParameterError: `raw` is invalid or does not apply, the URL has an unknown scheme, or several sound cards have
            the name.
        SourceLostError: all attempts of the retry policy failed.
        UnusableSourceError: the URL holds no audio, or the server refuses access.
    """
    if source == STDIN:
        return open_standard_input(raw)
    if raw is not None:
        raise ParameterError("--raw describes standard input: give - as the source")
    if not is_file_path(source):
        return open_live(source, retry, wait=wait)
    path = Path(source)
    if path.suffix.lower() in playlist.SUFFIXES:
        return open_live(_stream_in_playlist(path), retry, wait=wait)
    return open_file(source)


def open_standard_input(raw: str | None) -> Source:
    """Open standard input as a WAV, or as raw PCM in the format `raw`.

    Raises:
        AudioError: the WAV header is missing or damaged.
        ParameterError: `raw` is invalid.
    """
    # A parent may have left the pipe non-blocking; a read without data would then look like the end.
    os.set_blocking(sys.stdin.fileno(), True)
    return open_pipe(sys.stdin.buffer, STDIN, raw)


def _stream_in_playlist(path: Path) -> str:
    """Return the first http or https URL in a playlist; local files that it names are not opened. Raises AudioError."""
    try:
        with open_regular(path) as file:
            text = playlist.decode(file.read(playlist.MAX_BYTES))
    except (OSError, ValueError) as error:
        raise AudioError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    entries = playlist.entries(text, path=str(path))
    if entries is None:
        raise AudioError(f"{path}: not a playlist that can be read; give the address of the stream instead")
    url = next(playlist.stream_urls(entries), None)
    if url is None:
        raise AudioError(f"{path}: the playlist names no http or https stream; files can be given to classify")
    return url


def is_file_path(source: str) -> bool:
    """Return True if a source is a file, existing or not, rather than a sound card or a URL."""
    if source == DEFAULT_DEVICE or source.isdecimal() or "://" in source:
        return False
    exists, suffix = os.path.isfile(source), os.path.splitext(source)[1].lower()  # noqa: PTH113, PTH122 (never raise)
    return exists or os.sep in source or suffix in SUFFIXES | playlist.SUFFIXES


def open_live(source: str, retry: RetryPolicy, *, wait: bool = True) -> ReconnectingSource:
    """Open a sound card or a URL as a source that reconnects.

    Args:
        source: `microphone` (the default sound card), a sound card's name or number, or a URL such as http://... or
            rtsp://...
        retry: how the source is opened again after a failure.
        wait: open the source before returning; otherwise its `open` must be called, and `close` from another thread
            interrupts it.

    Raises:
        ParameterError: the URL has an unknown scheme or control characters, or several sound cards have the name.
        AudioError: sounddevice or ffmpeg, which the source needs, is not installed.
        SourceLostError: all attempts of the retry policy failed. A missing device counts as a failed attempt.
        UnusableSourceError: the URL holds no audio, or the server refuses access.
    """
    if is_url(source):
        name = redact_url(source)
        if not source.isprintable():
            raise ParameterError("the URL contains control characters")
        ffmpeg_program(name)
        return ReconnectingSource(name, lambda: ThreadedSource(lambda: open_url(source, TIMEOUT_S)), retry, wait=wait)
    if "://" in source:
        raise ParameterError(
            f"{redact_url(source)}: unknown URL scheme; supported: {', '.join(sorted(NETWORK_SCHEMES))}"
        )
    microphone.import_sounddevice()
    device = None if source == DEFAULT_DEVICE else source
    if device is not None and not device.isdecimal():
        microphone.check_name(device)

    def open_microphone() -> Source:
        microphone.rescan()
        return microphone.Microphone(device)

    return ReconnectingSource(source, open_microphone, retry, wait=wait)
