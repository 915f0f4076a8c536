"""Redirect: a hidden URL for this user's processes only."""

import http.client
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from genre_edge.audio.ffmpeg import redirect
from genre_edge.audio.ffmpeg.redirect import Redirect
from tests.conftest import TIMEOUT_S
from tests.helpers.station import eventually

SECRET = "http://user:p%40ss@radio.example/live?key=1"
pytestmark = pytest.mark.skipif(not redirect._SOCKETS.exists(), reason="needs Linux's /proc")


@pytest.fixture
def server() -> Iterator[Redirect]:
    redirection = Redirect(SECRET)
    yield redirection
    redirection.close()


def request(url: str, first_line: str = "", headers: str = "") -> bytes:
    """Send a request; return the whole answer."""
    host, port = url.split("/")[2].split(":")
    first_line = first_line or f"GET /{url.split('/')[3]} HTTP/1.1"
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as client:
        client.sendall(f"{first_line}\r\n{headers}\r\n".encode())
        return b"".join(iter(lambda: client.recv(4096), b""))


def test_redirect_http(server: Redirect) -> None:
    """HTTP requests, any number, are redirected."""
    for _ in range(3):
        connection = http.client.HTTPConnection(server.url.split("/")[2], timeout=TIMEOUT_S)
        connection.request("GET", server.url[server.url.index("/", 8) :])
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Location"]) == (302, SECRET)
        connection.close()


def test_redirect_rtsp(server: Redirect) -> None:
    """RTSP requests are redirected, with their sequence number."""
    answer = request(server.url, f"OPTIONS rtsp://127.0.0.1/{server.url.split('/')[3]} RTSP/1.0", "CSeq: 17\r\n")
    assert answer.startswith(b"RTSP/1.0 302 ") and b"\r\nCSeq: 17\r\n" in answer and SECRET.encode() in answer


def test_redirect_refuses_other_paths(server: Redirect) -> None:
    """A program that does not know the path, such as a browser, gets nothing."""
    for target in ("/", "/x", "rtsp://127.0.0.1/", "/" + 16 * "0"):
        assert request(server.url, f"GET {target} HTTP/1.1") == b""


def test_redirect_refuses_other_users(server: Redirect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection of another user, or of nobody that the system knows, gets nothing."""
    uid = os.getuid()
    monkeypatch.setattr(redirect.os, "getuid", lambda: uid + 1)
    with suppress(ConnectionResetError):
        assert request(server.url) == b""
    monkeypatch.undo()
    assert SECRET.encode() in request(server.url)


def test_redirect_close(server: Redirect) -> None:
    """Closing ends the thread and refuses connections; a second call does nothing."""
    n_threads = threading.active_count()
    server.close()
    server.close()
    eventually(lambda: threading.active_count() < n_threads)
    with pytest.raises(OSError):
        request(server.url)


@pytest.mark.parametrize(
    ("url", "supported"), [("https://a", True), ("rtsps://a", True), ("rtmp://a", False), ("srt://a", False)]
)
def test_is_supported(url: str, supported: bool) -> None:
    """Only protocols with redirections that ffmpeg follows are supported."""
    assert Redirect.is_supported(url) == supported


def test_is_supported_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not tell whose a connection is, nothing is redirected."""
    monkeypatch.setattr(redirect, "_SOCKETS", Path("/nowhere"))
    assert not Redirect.is_supported("https://a")
