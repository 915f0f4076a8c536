"""What an address holds that ffmpeg cannot play: a playlist, a web page, or nothing."""

import re
import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPResponse
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from genre_edge.audio.ffmpeg import playlist
from genre_edge.audio.ffmpeg.url import FINAL_STATUS, ffmpeg_url
from genre_edge.errors import UnusableSourceError

_TIMEOUT_S = 5.0
_HTML = re.compile(r"(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_NO_AUDIO_TYPE = re.compile(
    r"(?:text|image|font)/[\w.+-]+|application/(?:json|javascript|pdf|xml|[\w.-]+\+(?:json|xml))"
)


class _RedirectHandler(urllib.request.HTTPRedirectHandler):
    max_redirections = 5


def is_probeable(url: str) -> bool:
    """Return True if `playlist_entry` can examine a URL."""
    return ffmpeg_url(url).startswith(("http:", "https:"))


def playlist_entry(url: str, name: str) -> str | None:
    """Return the first http or https entry of the playlist at an address.

    Only the headers and at most `playlist.MAX_BYTES` of the content are read.

    Args:
        url: URL for which `is_probeable` is True.
        name: name of the source in errors.

    Returns:
        The entry's URL; None if the address holds something else, which may be audio, or does not answer.

    Raises:
        UnusableSourceError: the address holds no audio, or refuses access.
    """
    try:
        parts = urlsplit(ffmpeg_url(url))
        host = parts.netloc.rpartition("@")[2]
        path, query = quote(parts.path, safe="/%:=&~+!$,;'@()*"), quote(parts.query, safe="/%:=&?~+!$,;'@()*[]")
        address = urlunsplit((parts.scheme, host, path, query, ""))
        opener = _opener(address, unquote(parts.username or ""), unquote(parts.password or ""))
        with opener.open(address, timeout=_TIMEOUT_S) as response:
            final_url, content_type = response.url, response.headers.get("Content-Type", "")
            content = _read(response)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in FINAL_STATUS:
            raise UnusableSourceError(f"{name}: {FINAL_STATUS[error.code]}") from None
        return None
    except (OSError, HTTPException, ValueError):
        return None  # ffmpeg's error says why; old radio servers answer "ICY 200 OK", which is not HTTP
    if "@" in parts.netloc and urlsplit(final_url).netloc == host:  # entries on the same server need the password
        final_url = final_url.replace(f"//{host}", f"//{parts.netloc}", 1)
    return _first_entry(content, content_type.partition(";")[0].strip().lower(), final_url, name)


def _first_entry(content: bytes, content_type: str, url: str, name: str) -> str | None:
    """Return the first http or https entry of a playlist, None if it may be audio. Raises UnusableSourceError."""
    text = playlist.decode(content)
    if _HTML.match(text.lstrip()):
        raise UnusableSourceError(f"{name}: no audio at this address: it is a web page")
    entries = playlist.entries(text, content_type, urlsplit(url).path)
    if entries is not None:
        if (entry := next(playlist.stream_urls(entries, url), None)) is not None:
            return entry
        raise UnusableSourceError(f"{name}: no audio at this address: the playlist names no http or https stream")
    if _NO_AUDIO_TYPE.fullmatch(content_type) and not text.startswith("#EXTM3U"):
        kind = "a web page" if content_type == "text/html" else content_type
        raise UnusableSourceError(f"{name}: no audio at this address: it is {kind}")
    return None


def _opener(url: str, user: str, password: str) -> urllib.request.OpenerDirector:
    """Return an opener that knows http and https only, follows redirections, and logs in at the URL's server."""
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if user:
        passwords.add_password(None, url, user, password)  # any realm
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        _RedirectHandler(),
        urllib.request.HTTPBasicAuthHandler(passwords),
        urllib.request.HTTPDigestAuthHandler(passwords),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "genre-edge"), ("Accept", "*/*")]
    return opener


def _read(response: HTTPResponse) -> bytes:
    """Read the content's beginning; a radio would send for ever, and a slow server a byte at a time."""
    content, deadline_s = b"", time.monotonic() + _TIMEOUT_S
    while len(content) < playlist.MAX_BYTES and time.monotonic() < deadline_s:
        if not (data := response.read1(playlist.MAX_BYTES - len(content))):
            break
        content += data
    return content
