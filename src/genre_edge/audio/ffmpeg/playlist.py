"""Playlists that name streams: PLS, M3U, XSPF and ASX. HLS playlists are streams themselves, which ffmpeg reads."""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urljoin, urlsplit
from xml.parsers import expat

MAX_BYTES = 1 << 16
SUFFIXES = frozenset([".pls", ".m3u", ".m3u8", ".xspf", ".asx", ".wax", ".ram"])
_LIST_TYPES = frozenset(
    ["audio/x-mpegurl", "audio/mpegurl", "application/x-mpegurl", "application/mpegurl", "audio/x-pn-realaudio"]
)
_LIST_SUFFIXES = (".m3u", ".m3u8", ".ram")
_URL_LINE = re.compile(r"https?://\S", re.IGNORECASE)
_PLS = re.compile(r"\[(?:playlist|reference)\]", re.IGNORECASE)
_PLS_ENTRY = re.compile(r"^[ \t]*(?:file|ref)(\d{1,9})[ \t]*=(.*)$", re.IGNORECASE | re.MULTILINE)
_ASX_ENTRY = re.compile(r"<(?:ref|entryref)\s[^>]{0,200}?href\s*=\s*[\"']([^\"']*)[\"']", re.IGNORECASE)
_XSPF_LOCATION = ["playlist", "trackList", "track", "location"]


def decode(content: bytes) -> str:
    """Return the text of a playlist. Bytes that are no valid text are replaced."""
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    return content.decode("utf-8-sig", "replace")


def entries(text: str, content_type: str = "", path: str = "") -> list[str] | None:
    """Return the entries of a playlist in order, empty if it has none; None for anything else, such as HLS.

    Args:
        text: the first `MAX_BYTES` at most.
        content_type: MIME type in lower case, without parameters. It and the path identify lists without a header.
        path: of the file, or of the URL.
    """
    text = text.lstrip()
    if text.startswith("#EXTM3U") and "\n#EXT-X-" in text:
        return None
    if _PLS.match(text):
        return [entry.strip() for _, entry in sorted(_PLS_ENTRY.findall(text), key=lambda found: int(found[0]))]
    if text[:4].lower() == "<asx":
        return [entry.replace("&amp;", "&").strip() for entry in _ASX_ENTRY.findall(text)]
    if text.startswith("<"):
        return _xspf_entries(text)
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    is_named_list = content_type in _LIST_TYPES or path.lower().endswith(_LIST_SUFFIXES)
    if text.startswith("#EXTM3U") or is_named_list or (lines and _URL_LINE.match(lines[0])):
        return lines
    return None


def _xspf_entries(text: str) -> list[str] | None:
    """Return the locations of an XSPF playlist; None if the text is no XSPF. A damaged end is ignored."""
    opened: list[str] = []  # names of the elements that are open
    root: list[str] = []
    found: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        opened.append(name.rpartition(" ")[2])
        if len(opened) == 1:
            root.append(opened[0])
        if opened == _XSPF_LOCATION:
            found.append("")

    def add_text(data: str) -> None:
        if opened == _XSPF_LOCATION:
            found[-1] += data

    def refuse(*arguments: object) -> None:
        raise ValueError("a document type may define entities, which name files or grow without limit")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.CharacterDataHandler = start, add_text
    parser.EndElementHandler = lambda name: opened.pop()
    parser.StartDoctypeDeclHandler = refuse
    with suppress(expat.ExpatError, ValueError):
        parser.Parse(text, True)
    return [entry.strip() for entry in found] if root == ["playlist"] else None


def stream_urls(names: list[str], base: str = "") -> Iterator[str]:
    """Yield the http and https URLs among a playlist's entries.

    Args:
        names: the entries.
        base: URL of the playlist, to which entries are relative; "" skips relative ones.
    """
    for name in names:
        try:
            url = urljoin(base, name) if base else name
            if urlsplit(url).scheme.lower() in ("http", "https") and urlsplit(url).hostname and url.isprintable():
                yield url
        except ValueError:
            continue  # not a URL, such as an unclosed bracket
