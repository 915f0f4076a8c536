"""`open_url`: a network stream as users name it, which may be the address of a playlist or a camera."""

import time

from genre_edge.audio.ffmpeg.source import FfmpegSource, UnknownContentError
from genre_edge.audio.ffmpeg.url import ffmpeg_url, redact_url
from genre_edge.errors import AudioError, UnusableSourceError

_MAX_PLAYLISTS = 4  # that name each other


def open_url(url: str, timeout_s: float) -> FfmpegSource:
    """Open a network stream, or the first http or https stream that a playlist names.

    Only if the server sends what ffmpeg cannot play is the address requested again: it may be a playlist or a web page.

    Args:
        url: URL for which `is_url` is True.
        timeout_s: seconds that ffmpeg may take until the first audio.

    Raises:
        AudioError: ffmpeg is missing, cannot be started, or gets no audio within `timeout_s`.
        UnusableSourceError: the server's answer shows that further attempts are pointless.
        OSError, RuntimeError: no socket or thread is available.
    """
    name, deadline_s = redact_url(url), time.monotonic() + 3 * timeout_s
    for _ in range(_MAX_PLAYLISTS + 1):
        try:
            return _open_stream(url, timeout_s, name)
        except UnknownContentError:
            from genre_edge.audio.ffmpeg import probe  # loads TLS, which other sources do not need

            entry = probe.playlist_entry(url, name) if probe.is_probeable(url) else None
            if entry is None or time.monotonic() > deadline_s:
                raise
        url, name = entry, f"{redact_url(url)} -> {redact_url(entry)}"
    raise UnusableSourceError(f"{name}: no audio at this address: more than {_MAX_PLAYLISTS} playlists in a row")


def _open_stream(url: str, timeout_s: float, name: str) -> FfmpegSource:
    """Open the stream at a URL: of a camera the sound only, which saves it the picture; some refuse that."""
    started_s = time.monotonic()
    if ffmpeg_url(url).startswith(("rtsp:", "rtsps:")):
        try:
            return FfmpegSource.from_url(url, timeout_s, name, ["-allowed_media_types", "audio"])
        except UnusableSourceError:
            raise
        except AudioError:
            if time.monotonic() - started_s >= timeout_s:
                raise
    return FfmpegSource.from_url(url, timeout_s, name)
