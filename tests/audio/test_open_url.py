"""open_url: addresses as users paste them, with a server on localhost and the real ffmpeg."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from genre_edge.audio.ffmpeg.network import open_url
from genre_edge.audio.live.reconnect import RetryPolicy
from genre_edge.audio.opening import open_live, open_source
from genre_edge.errors import AudioError, SourceLostError, UnusableSourceError
from tests.conftest import TIMEOUT_S, Cli
from tests.helpers.audio import encode, music
from tests.helpers.live import RATE, RadioServer, ffmpeg_pids
from tests.helpers.rtsp import Camera
from tests.helpers.station import eventually
from tests.helpers.web import Page, WebServer

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")

WAV = encode(music(1, RATE)[:, None], RATE)
LONG_WAV = encode(music(60, RATE)[:, None], RATE)  # more than all buffers hold
RADIO = Page(WAV, "audio/wav")
XSPF = "<playlist version='1' xmlns='http://xspf.org/ns/0/'><trackList><track><location>{}</location></track>"
HTML = "<!DOCTYPE html>\n<html><head><title>Radio</title></head><body>" + "<p>hello" * 2000  # which looks like AMR
StartServer = Callable[..., WebServer]


@pytest.fixture
def serve_pages() -> Iterator[StartServer]:
    servers: list[WebServer] = []

    def start(**pages: Page) -> WebServer:
        """Serve each page under its name; "_" stands for a dot."""
        servers.append(WebServer({"/" + name.replace("_", "."): page for name, page in pages.items()}))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def read_seconds(url: str) -> float:
    with open_url(url, TIMEOUT_S) as source:
        return sum(len(block.samples) for block in source.blocks()) / source.rate


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("x_pls", Page("[playlist]\nFile1=http://{host}/live\nFile2=http://{host}/none\n", "audio/x-scpls")),
        ("x_pls", Page("[playlist]\nFile1=live\n", "text/html")),
        ("x_m3u", Page("#EXTM3U\n#EXTINF:-1,Radio\nhttp://{host}/live\n", "audio/x-mpegurl")),
        ("x_m3u8", Page("live\n", "application/vnd.apple.mpegurl")),
        ("x", Page("file:///etc/passwd\nrtsp://{host}/x\nlive\n", "audio/mpegurl; charset=utf-8")),
        ("x_xspf", Page(XSPF.format("http://{host}/live"), "application/xspf+xml")),
        ("x_asx", Page("<asx version='3.0'><entry><ref href='http://{host}/live'/></entry></asx>", "video/x-ms-asf")),
        ("x", Page(status=302, location="/nested/x.pls")),
    ],
)
def test_playlist_is_followed(serve_pages: StartServer, name: str, page: Page) -> None:
    """The first http entry of a playlist is heard, also behind a redirection and in a nested playlist."""
    server = serve_pages(
        live=RADIO, **{name: page, "nested/x_pls": Page("[playlist]\nFile1=x.m3u"), "nested/x_m3u": Page("../live")}
    )
    assert read_seconds(server.url("/" + name.replace("_", "."))) == pytest.approx(1)
    assert server.requests[-1] == ("/live", "Lavf")


def test_radio_is_requested_once(serve_pages: StartServer) -> None:
    """A radio that ffmpeg plays gets no second request."""
    server = serve_pages(live=RADIO)
    read_seconds(server.url("/live"))
    assert server.requests == [("/live", "Lavf")]


def test_old_radio_server() -> None:
    """A server that answers "ICY 200 OK", which is not HTTP, is heard; if it sends no audio, it is asked again."""
    server = RadioServer(lambda client: client.sendall(b"ICY 200 OK\r\nContent-Type: audio/wav\r\n\r\n" + WAV))
    assert read_seconds(server.url) == pytest.approx(1)
    server.close()
    answers = [lambda client: client.sendall(b"ICY 200 OK\r\n\r\nno audio")] * 4
    server = RadioServer(*answers)
    with pytest.raises(SourceLostError, match="giving up after 2 failed attempts"):
        open_live(server.url, RetryPolicy(initial_delay_s=0.0, tries=2))
    server.close()


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (Page(HTML, "text/html; charset=utf-8"), "no audio at this address: it is a web page"),
        (Page(HTML), "no audio at this address: it is a web page"),
        (Page("<!-- a --> " * 5000, "text/html"), "no audio at this address: it is a web page"),
        (Page("<!-- a -->\n" + HTML), "no audio at this address: it is a web page"),
        (Page("Radio", "text/html"), "no audio at this address: it is a web page"),
        (Page("{}", "application/json"), "no audio at this address: it is application/json"),
        (Page(b"\x89PNG\r\n", "image/png"), "no audio at this address: it is image/png"),
        (Page(status=410), "no audio at this address: 410 Gone"),
        (Page(status=401), "no access: 401 Unauthorized"),
        (
            Page("[playlist]\nFile1=file:///etc/passwd\n", "audio/x-scpls"),
            "no audio at this address: the playlist names no http or https stream",
        ),
    ],
)
def test_address_without_audio(serve_pages: StartServer, page: Page, reason: str) -> None:
    """An address that holds no audio is one error at once, without further attempts."""
    server = serve_pages(x=page)
    with pytest.raises(UnusableSourceError) as caught:
        open_live(server.url("/x?key=secret"), RetryPolicy(tries=30))
    assert str(caught.value) == f"{server.url('/x')}: {reason}"
    assert len(server.requests) <= 3


@pytest.mark.parametrize(
    "page",
    [
        Page(status=503),
        Page(status=500),
        Page(status=404),
        Page(status=403),
        Page(b"\xff" * 3000, "audio/mpeg"),
        Page(),
    ],
)
def test_other_failures_are_retried(serve_pages: StartServer, page: Page) -> None:
    """A server that may recover is asked again."""
    server = serve_pages(x=page)
    with pytest.raises(SourceLostError, match="giving up after 2 failed attempts"):
        open_live(server.url("/x"), RetryPolicy(initial_delay_s=0.0, tries=2))


@pytest.mark.parametrize(
    "content",
    [
        "ffconcat version 1.0\nfile 'file:{path}'\n",
        "ffconcat version 1.0\nfile 'secret.wav'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:{path}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nconcat:{path}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{path}\n#EXT-X-ENDLIST\n",
        "[playlist]\nFile1=file://{path}\n",
        "<playlist><trackList><track><location>file://{path}</location></track></trackList></playlist>",
        "file:{path}\n",
    ],
)
@pytest.mark.parametrize("content_type", ["", "application/vnd.apple.mpegurl", "text/plain"])
def test_content_opens_no_local_file(
    serve_pages: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, content_type: str
) -> None:
    """No content on a server makes ffmpeg or genre-edge open a local file."""
    (tmp_path / "secret.wav").write_bytes(WAV)
    monkeypatch.chdir(tmp_path)
    server = serve_pages(x=Page(content.replace("{path}", f"{tmp_path}/secret.wav"), content_type))
    with pytest.raises(AudioError):
        open_url(server.url("/x"), TIMEOUT_S).close()


def test_silent_server() -> None:
    """A server that sends nothing is one error that names the limit, and the process ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        with pytest.raises(AudioError) as caught:
            open_url(url, 0.5)
    assert str(caught.value) == f"{url}: no audio within 0.5 s" and not ffmpeg_pids()


def test_endless_playlists(serve_pages: StartServer) -> None:
    """Playlists that name each other are an error."""
    server = serve_pages(x=Page("http://{host}/x"))
    with pytest.raises(UnusableSourceError, match="more than 4 playlists in a row"):
        open_url(server.url("/x"), TIMEOUT_S)


def test_missing_page_after_audio_is_retried(serve_pages: StartServer) -> None:
    """Once a radio was heard, a web page in its place is a failed attempt like others."""
    server = serve_pages(live=RADIO)
    source = open_live(server.url("/live"), RetryPolicy(initial_delay_s=0.0, tries=3))
    blocks = source.blocks()
    next(blocks)
    server.pages["/live"] = Page(HTML, "text/html")
    with pytest.raises(SourceLostError, match="it is a web page; giving up after 3 failed attempts"):
        list(blocks)


def test_stream_ends_at_web_page(serve_pages: StartServer, cli: Cli) -> None:
    """`genre-edge stream` ends with exit code 1 and one line."""
    url = serve_pages(x=Page(HTML, "text/html")).url("/x")
    done = cli("stream", url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"genre-edge: {url}: no audio at this address: it is a web page\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("radio.pls", "[playlist]\nFile1=song.ogg\nFile2={}\n"),
        ("radio.M3U", "#EXTM3U\n/music/song.mp3\n{}\n"),
        ("radio.m3u8", "{}\n"),
        ("radio.xspf", XSPF),
    ],
)
def test_playlist_file(serve_pages: StartServer, tmp_path: Path, name: str, content: str) -> None:
    """A playlist in a file gives its first http stream; local files in it are not opened."""
    url = serve_pages(live=RADIO).url("/live")
    (tmp_path / name).write_text(content.format(url))
    with open_source(str(tmp_path / name), None, RetryPolicy(tries=1)) as source:
        assert source.name == url and len(next(source.blocks()).samples) > 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[playlist]\nFile1=song.ogg\n", "the playlist names no http or https stream"),
        (b"", "not a playlist"),
        (bytes(100_000), "not a playlist"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://radio/1.ts\n", "not a playlist"),
    ],
)
def test_playlist_file_without_stream(tmp_path: Path, content: bytes, reason: str) -> None:
    """A playlist file without a stream is one error at once."""
    path = tmp_path / "radio.pls"
    path.write_bytes(content)
    with pytest.raises(AudioError) as caught:
        open_source(str(path), None, RetryPolicy(tries=30))
    assert str(caught.value).startswith(f"{path}: {reason}")


def test_playlist_file_missing_or_special(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing playlist is a file that is missing, not a sound card; a pipe is refused."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo.m3u")
    for name, reason in (("missing.pls", "No such file or directory"), ("./fifo.m3u", "not a regular file")):
        with pytest.raises(AudioError, match=reason):
            open_source(name, None, RetryPolicy(tries=30))


# Cameras


def read_camera(camera: Camera) -> set[str]:
    """Hear a second of a camera; return the tracks of the last connection."""
    with open_url(camera.url, TIMEOUT_S) as source:
        n_samples = 0
        for block in source.blocks():
            n_samples += len(block.samples)
            if n_samples >= source.rate:
                break
    last = "\n".join(camera.requests).rpartition("OPTIONS")[2].split("\n")
    return {line.split()[1] for line in last if line.startswith("SETUP")}


@pytest.mark.parametrize(("needs_video", "tracks"), [(False, {"audio"}), (True, {"audio", "video"})])
def test_camera(needs_video: bool, tracks: set[str]) -> None:
    """A camera is asked for its sound only, and for the picture if it refuses that."""
    camera = Camera(needs_video=needs_video)
    assert read_camera(camera) == tracks
    camera.close()


def test_camera_without_sound() -> None:
    """A camera without a microphone is one error at once."""
    camera = Camera(has_sound=False)
    with pytest.raises(UnusableSourceError, match=r"camera: no audio at this address$"):
        open_live(camera.url, RetryPolicy(tries=30))
    camera.close()


@pytest.mark.parametrize("status", ["410 Gone", "401 Unauthorized"])
def test_camera_refuses(status: str) -> None:
    """A camera's final refusal is one error at once."""
    camera = Camera(status=status)
    with pytest.raises(UnusableSourceError, match=status):
        open_live(camera.url, RetryPolicy(tries=30))
    camera.close()


# Passwords


def command_lines() -> str:
    """Return the arguments of all running ffmpeg processes of this process."""
    return "\n".join(open(f"/proc/{pid}/cmdline").read() for pid in ffmpeg_pids())  # noqa: PTH123


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="needs Linux's /proc")  # noqa: PTH110
def test_password_is_not_in_command_line(serve_pages: StartServer) -> None:
    """ffmpeg logs in with a password that its arguments do not show, and keys in a query arrive unchanged."""
    server = serve_pages(live=Page(LONG_WAV, "audio/wav", is_protected=True))
    with open_url(server.url("/live?key=s%20ecret&a=b", "user:p%40ss"), TIMEOUT_S) as source:
        assert len(next(source.blocks()).samples) > 0
        shown = eventually(command_lines)
        assert "127.0.0.1" in shown and not any(word in shown for word in ("p%40ss", "p@ss", "user", "ecret", "/live"))
    assert source.name == server.url("/live")
    assert {path for path, _ in server.requests} == {"/live?key=s%20ecret&a=b"}


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="needs Linux's /proc")  # noqa: PTH110
def test_key_in_path_is_not_in_command_line(serve_pages: StartServer) -> None:
    """A part of the path that looks like a key does not appear in ffmpeg's arguments."""
    server = serve_pages(**{"live/a81bc81bdead4e5dabff": Page(LONG_WAV, "audio/wav")})
    with open_url(server.url("/live/a81bc81bdead4e5dabff"), TIMEOUT_S) as source:
        assert len(next(source.blocks()).samples) > 0
        shown = eventually(command_lines)
        assert "127.0.0.1" in shown and "a81bc81b" not in shown
    assert [path for path, _ in server.requests] == ["/live/a81bc81bdead4e5dabff"]


def test_protected_playlist(serve_pages: StartServer) -> None:
    """A playlist and its entries on the same server get the password; a wrong one is no access."""
    server = serve_pages(live=Page(WAV, "audio/wav", is_protected=True), x_m3u=Page("live", is_protected=True))
    assert read_seconds(server.url("/x.m3u", "user:p%40ss")) == pytest.approx(1)
    with pytest.raises(UnusableSourceError) as caught:
        open_url(server.url("/x.m3u", "user:wr0ng"), TIMEOUT_S)
    assert str(caught.value) == f"{server.url('/x.m3u')}: no access: 401 Unauthorized"


def test_password_stays_on_its_server(serve_pages: StartServer) -> None:
    """Entries on another server do not get the playlist's password."""
    other = serve_pages(live=Page(WAV, "audio/wav", is_protected=True))
    server = serve_pages(x_m3u=Page(other.url("/live"), is_protected=True))
    with pytest.raises(UnusableSourceError, match=f"{server.host}/x.m3u -> http://{other.host}/live: no access: 401"):
        open_url(server.url("/x.m3u", "user:p%40ss"), TIMEOUT_S)


def test_camera_with_password() -> None:
    """A camera gets the password, which no argument and no message shows."""
    camera = Camera(seconds=5, credentials="user:p@ss")
    url = camera.url.replace("//", "//user:p%40ss@")
    with open_url(url, TIMEOUT_S) as source:
        assert len(next(source.blocks()).samples) > 0
        assert "user" not in eventually(command_lines)
    assert camera.authorizations
    camera.authorizations.clear()
    with pytest.raises(AudioError) as caught:
        open_url(url.replace("p%40ss", "s3cret"), TIMEOUT_S)
    assert str(caught.value) == f"{camera.url}: no access: 401 Unauthorized"
    camera.close()
