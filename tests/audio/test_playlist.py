"""Playlists: entries of each format, and which of them are followed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genre_edge.audio.ffmpeg.playlist import decode, entries, stream_urls

A, B = "http://a.example/live", "https://b.example/live?x=1&y=2"
XSPF = """<?xml version="1.0" encoding="{encoding}"?>
<playlist version="1" xmlns="http://xspf.org/ns/0/"><title>x</title><trackList>
<track><title>one</title><location> http://a.example/live </location></track>
<track><location>https://b.example/live?x=1&amp;y=2</location></track></trackList></playlist>"""


@pytest.mark.parametrize(
    "text",
    [
        f"[playlist]\nNumberOfEntries=2\nFile1={A}\nTitle1=x\nLength1=-1\nFile2={B}\nVersion=2\n",
        f"\n[Playlist]\r\nfile2 = {B}\r\nfile1 = {A}\r\n",
        f"[Reference]\nRef1={A}\nRef2={B}\n",
        f"#EXTM3U\n#EXTINF:-1,A radio\n{A}\n\n#EXTINF:-1,Another\n  {B}  \n",
        f"{A}\r\n{B}\r\n",
        f"# a comment\n{A}\n{B}",
        XSPF.format(encoding="UTF-8"),
        XSPF.format(encoding="ISO-8859-1"),
        XSPF.format(encoding="UTF-8").replace("xmlns=", "xmlns:x="),
        XSPF.format(encoding="UTF-8").partition("</trackList>")[0],
        f'<ASX version="3.0"><REF HREF="{A}"/></Entry>\n<ref  href = \'{B.replace("&", "&amp;")}\'></asx>',
    ],
)
def test_entries(text: str) -> None:
    """Each format gives its entries in order, in any encoding, and with or without line ends of Windows."""
    assert entries(text) == entries(decode(text.encode("utf-8-sig"))) == [A, B]
    assert entries(decode(text.encode("utf-16"))) == [A, B]


@pytest.mark.parametrize(
    ("content_type", "path", "is_list"),
    [("audio/x-mpegurl", "/live", True), ("", "/live.M3U", True), ("text/plain", "/live", False), ("", "", False)],
)
def test_list_without_header(content_type: str, path: str, is_list: bool) -> None:
    """A list of relative entries is recognised by its type or name."""
    assert entries("# x\none.mp3\ntwo.mp3\n", content_type, path) == (["one.mp3", "two.mp3"] if is_list else None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ID3\x03",
        "<html><body>http://a.example/live</body></html>",
        "<rss><playlist/></rss>",
        "{}",
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://a.example/1.ts\n",
        "<",
    ],
)
def test_no_playlist(text: str) -> None:
    """Other content, and HLS, which ffmpeg plays, is no playlist."""
    assert entries(text) is None


def test_empty_playlists() -> None:
    """Playlists without entries are playlists."""
    for text in ("[playlist]\nNumberOfEntries=0", "#EXTM3U\n", "<asx></asx>", "<playlist><trackList/></playlist>"):
        assert entries(text) == []


def test_xspf_entities_are_refused() -> None:
    """Entities, which could name files or grow exponentially, are not expanded."""
    for entity in ('"http://a.example/"', 'SYSTEM "file:///etc/passwd"'):
        doctype = f"<!DOCTYPE playlist [<!ENTITY e {entity}>]>"
        track = "<playlist><trackList><track><location>&e;</location></track></trackList></playlist>"
        assert entries(f'<?xml version="1.0"?>{doctype}{track}') is None


def test_stream_urls() -> None:
    """Only http and https are followed; relative entries belong to the playlist's address."""
    names = [
        "file:///etc/passwd", "/etc/passwd\0", "C:\\music\\a.mp3", "rtsp://a/b", "pipe:0", "concat:a|b", "http://",
        "http://[::1", "ftp://a/b", "HTTP://a/b", "", "javascript:1",
    ]  # fmt: skip
    assert list(stream_urls(names)) == ["HTTP://a/b"]
    assert list(stream_urls(["x.mp3", "/y", "//h/z"], "https://user:pw@radio/dir/list.m3u?key=1")) == [
        "https://user:pw@radio/dir/x.mp3",
        "https://user:pw@radio/y",
        "https://h/z",
    ]


@given(content=st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_entries_of_any_content(content: bytes) -> None:
    """No content raises an exception, behind any beginning."""
    for start in (b"", b"[playlist]\nFile1=", b"#EXTM3U\n", b"<playlist>", b"<?xml version='1.0'?>", b"<asx>"):
        found = entries(decode(start + content), "audio/x-mpegurl", "/x.m3u")
        assert all(url.lower().startswith("http") for url in stream_urls(found or [], "http://radio/list"))


@pytest.mark.parametrize(
    "text",
    [
        "[playlist]\nFile" + "9" * 60_000 + "=http://a\n",
        "[playlist]\n" + " " * 60_000,
        "<asx>" + "<ref " * 12_000,
        "<playlist>" * 6_000,
        "<playlist>" + "<!---->" * 9_000,
    ],
)
def test_entries_of_hostile_content(text: str) -> None:
    """Long numbers, deep nesting and repetitions neither fail nor take long."""
    assert entries(text) == []
