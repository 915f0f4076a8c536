"""The server on a loopback socket: binding, invalid requests, load."""

import asyncio
import contextlib
import errno
import socket
import struct
import threading
from collections.abc import Callable

import pytest

from genre_edge.errors import GenreEdgeError, ParameterError
from genre_edge.station.http.app import create_app
from genre_edge.station.http.connection_limits import LimitedConnection
from genre_edge.station.http.server import Server, bind
from tests.helpers.audio import ArraySource, music
from tests.helpers.bundles import RATE
from tests.helpers.server import RunningServer, is_closed
from tests.helpers.station import make_station
from tests.station.http.conftest import TOKEN


@pytest.mark.parametrize(
    ("data", "status_line"),
    [
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 300_000 + b"\r\n\r\n", b"HTTP/1.1 400"),
        (b"GET /" + b"x" * 300_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"HTTP/1.1 400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"HTTP/1.1 400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"HTTP/1.1 400"),
        (b"GET /\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"HTTP/1.1 400"),
        (b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.1 421"),
        (b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n\r\n", b"HTTP/1.1 413"),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", b"HTTP/1.1 413"),
    ],
    ids=[
        "long header",
        "long path",
        "TLS",
        "no host",
        "two hosts",
        "raw byte",
        "HTTP/1.0",
        "long body",
        "chunked body",
    ],
)
def test_invalid_request(
    data: bytes, status_line: bytes, running: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    """An invalid request is answered and its connection closed. It is not logged: clients must not fill the log."""
    client = running.connect(data)
    assert client.recv(12) == status_line and is_closed(client)
    assert not caplog.records


@pytest.mark.parametrize("path", ["..%2fapp.py", "../app.py", "%2e%2e/openapi.json", "..%5capp.py", "%2fetc/hosts.js"])
def test_static_path_traversal(path: str, running: RunningServer) -> None:
    """A path that the client sends without normalising it leads to no file outside static/."""
    client = running.connect(f"GET /static/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    assert client.recv(12) == b"HTTP/1.1 404" and is_closed(client)


def test_websocket_upgrade_is_ignored(running: RunningServer) -> None:
    """A WebSocket upgrade is answered as an ordinary request."""
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n"
    client = running.connect(b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n", upgrade)
    assert b" 200 OK" in client.recv(20)
    client.close()


def test_token() -> None:
    """A server with a token requires it."""
    running = RunningServer(TOKEN)
    assert running.get("/api/v1/status")[0] == 401
    assert running.get("/api/v1/status", {"Authorization": f"Bearer {TOKEN}"})[0] == 200
    running.stop()


def test_concurrent_requests_and_audio(running: RunningServer) -> None:
    """All routes can be requested from many threads while audio is processed."""

    def request_repeatedly(path: str) -> Callable[[], None]:
        def work() -> None:
            for _ in range(20):
                statuses.append(running.get(path)[0])

        return work

    statuses: list[int] = []
    paths = ["/api/v1/status", "/api/v1/history", "/api/v1/day", "/metrics", "/", "/healthz"]
    threads = [threading.Thread(target=request_repeatedly(path)) for path in paths]
    for thread in threads:
        thread.start()
    running.source.feed_music(20)
    for thread in threads:
        thread.join()
    assert len(statuses) == 120 and set(statuses) <= {200, 503}
    running.wait_until_processed()


def test_bind_errors() -> None:
    """A port in use and an invalid host name are errors that name the address."""
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    with pytest.raises(GenreEdgeError, match=f"127.0.0.1 port {port}: Address already in use"):
        bind("127.0.0.1", port)
    with pytest.raises(GenreEdgeError, match=r"^no\.such\.host\.invalid: "):
        bind("no.such.host.invalid", 1)
    with pytest.raises(GenreEdgeError, match=r": invalid host name$"):
        bind("x" * 64 + ".org", 1)
    listener.close()


def test_accepted_socket_options() -> None:
    """Accepted sockets inherit TCP_NODELAY, without which each keep-alive request takes 40 ms longer."""
    with bind("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        accepted.close()


def test_url() -> None:
    """The URL has the bound port, and brackets around an IPv6 address."""
    running = RunningServer()
    assert running.server.url == f"http://127.0.0.1:{running.port}/" and running.server.alive
    running.stop()
    assert not running.server.alive
    if socket.has_ipv6:
        with contextlib.suppress(GenreEdgeError), bind("::1", 0) as listener:
            station = make_station(ArraySource(music(1, RATE), RATE))
            server = Server(create_app(station, None, None), listener)
            assert server.url == f"http://[::1]:{listener.getsockname()[1]}/"


def test_network_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loopback address is no address for other machines; a server on all addresses has this machine's name."""
    monkeypatch.setattr(socket, "gethostname", lambda: "Pi.example.org")
    station = make_station(ArraySource(music(1, RATE), RATE))
    for host, url in (("127.0.0.1", None), ("0.0.0.0", "http://pi.local:{}/")):
        with bind(host, 0) as listener:
            found = Server(create_app(station, None, None), listener).network_url
            assert found == (url and url.format(listener.getsockname()[1]))


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_bind_public_address(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address of other machines is refused before a socket is opened."""
    monkeypatch.setattr(socket, "create_server", lambda *_, **__: pytest.fail("a socket was opened"))
    with pytest.raises(ParameterError, match=f"other machines can connect to {host}: set --token"):
        bind(host, 0, allow_public=False)


def test_bind_privileged_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that needs privileges is an error with the way out."""

    def refuse(*_: object, **__: object) -> socket.socket:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(GenreEdgeError, match=r"127\.0\.0\.1 port 80: Permission denied; ports below 1024"):
        bind("127.0.0.1", 80)


def test_backlog(running: RunningServer) -> None:
    """At most 128 connections wait in the kernel, whatever uvicorn's default is."""
    assert running.get("/healthz")  # it accepts
    assert 0 < max_backlog(running.listener) <= 128


def max_backlog(listener: socket.socket) -> int:
    """Return the limit of a listener's accept queue: tcpi_sacked of struct tcp_info (linux/tcp.h)."""
    return int(struct.unpack_from("I", listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 28)[0])


def test_served_connections_have_no_delay(running: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's own connections have TCP_NODELAY."""
    options = []
    original = LimitedConnection.connection_made

    def connection_made(self: LimitedConnection, transport: asyncio.Transport) -> None:
        accepted = transport.get_extra_info("socket")
        options.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        original(self, transport)

    monkeypatch.setattr(LimitedConnection, "connection_made", connection_made)
    assert running.get("/api/v1/status")[0] == 200
    assert options and all(options)
