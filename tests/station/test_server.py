"""The station on a real socket, and clients that are too many, too slow or up to no good."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from genre_edge.errors import GenreEdgeError
from genre_edge.station.http import app as web
from genre_edge.station.http import event_stream as events
from genre_edge.station.http import server
from genre_edge.station.http.server import Server, bind, local_names
from genre_edge.station.station import Station
from tests.helpers.audio import ArraySource, music
from tests.helpers.bundles import RATE
from tests.helpers.server import Running, gone, refused, told
from tests.helpers.station import eventually, make_station

TOKEN = "correct-horse-battery"


@pytest.fixture
def running() -> Iterator[Running]:
    one = Running()
    yield one
    one.stop()


@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nx",
        b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /api",
    ],
)
def test_a_request_that_does_not_come_is_not_waited_for(
    words: bytes, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SLOW_S", 0.3)
    monkeypatch.setattr(server, "_CHECK_S", 0.05)
    assert gone(running.connect(words))


def test_who_asks_again_and_again_keeps_the_connection(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SLOW_S", 0.3)
    monkeypatch.setattr(server, "_CHECK_S", 0.05)
    client = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    client.connect()
    first, end_s = client.sock, time.monotonic() + 1.5
    while time.monotonic() < end_s:
        client.request("GET", "/healthz")
        assert client.getresponse().read()
        assert client.sock is first  # http.client would connect anew without a word
        time.sleep(0.03)
    client.close()


def test_a_stream_lives_longer_than_the_patience_with_requests(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SLOW_S", 0.2)
    monkeypatch.setattr(server, "_CHECK_S", 0.05)
    monkeypatch.setattr(events, "STATUS_S", 0.1)
    with contextlib.closing(told(running.stream())) as stream:
        start = time.monotonic()
        while time.monotonic() - start < 1:
            assert next(stream)[0] == "status"


def test_two_hundred_clients_are_served_or_refused(running: Running) -> None:
    request = b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    clients = [running.connect(request, address=f"127.0.0.{1 + i % 8}") for i in range(200)]
    running.undisturbed()
    answers = []
    for client in clients:
        try:
            answers.append(client.recv(12)[9:])
        except ConnectionResetError:
            answers.append(b"")
    assert set(answers) <= {b"200", b"503", b""} and answers.count(b"200") >= server.MAX_CLIENTS
    for client in clients:
        client.close()
    eventually(lambda: running.get("/api/v1/status")[0] == 200)


def test_connections_that_say_nothing_are_no_more_than_the_limit(running: Running) -> None:
    idle = [running.connect(address=f"127.0.0.{2 + i % 8}") for i in range(server.MAX_CONNECTIONS + 20)]
    for client in idle[server.MAX_CONNECTIONS :]:
        assert gone(client)
    assert refused(running.connect(b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
    running.undisturbed()
    for client in idle:
        client.close()
    eventually(lambda: _served(running))


def test_one_address_alone_shuts_nobody_out(running: Running) -> None:
    request = b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    idle = [running.connect(address="127.0.0.2") for _ in range(server.MAX_CONNECTIONS + 20)]
    for client in idle[server.MAX_OF_ONE_ADDRESS :]:
        assert gone(client)
    assert running.get("/api/v1/status")[0] == 200
    assert refused(running.connect(request, address="127.0.0.2"))
    for client in idle:
        client.close()
    eventually(lambda: not refused(running.connect(request, address="127.0.0.2")))


def _served(running: Running) -> bool:
    try:
        return running.get("/api/v1/status")[0] == 200
    except (ConnectionError, http.client.HTTPException):
        return False


@pytest.mark.parametrize(
    ("words", "answer"),
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
)
def test_what_is_no_request_is_refused(
    words: bytes, answer: bytes, running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    client = running.connect(words)
    assert client.recv(12) == answer and gone(client)
    assert not caplog.records  # strangers cannot fill the log


def test_a_web_socket_is_not_spoken(running: Running) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n"
    client = running.connect(b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n", upgrade)
    assert b" 200 OK" in client.recv(20)
    client.close()


def test_the_token_on_a_real_socket() -> None:
    one = Running(TOKEN)
    assert one.get("/api/v1/status")[0] == 401
    assert one.get("/api/v1/status", {"Authorization": f"Bearer {TOKEN}"})[0] == 200
    one.stop()


def test_hammered_by_threads_while_it_hears(running: Running) -> None:
    def hammer(path: str) -> Callable[[], None]:
        def work() -> None:
            for _ in range(20):
                statuses.append(running.get(path)[0])

        return work

    statuses: list[int] = []
    paths = ["/api/v1/status", "/api/v1/history", "/api/v1/day", "/metrics", "/", "/healthz"]
    threads = [threading.Thread(target=hammer(path)) for path in paths]
    for thread in threads:
        thread.start()
    running.source.feed_music(20)
    for thread in threads:
        thread.join()
    assert len(statuses) == 120 and set(statuses) <= {200, 503}
    running.all_heard()


def test_an_address_that_cannot_be_served_is_told() -> None:
    taken = bind("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with pytest.raises(GenreEdgeError, match=f"127.0.0.1 port {port}: Address already in use"):
        bind("127.0.0.1", port)
    with pytest.raises(GenreEdgeError, match=r"^no\.such\.host\.invalid: "):
        bind("no.such.host.invalid", 1)
    with pytest.raises(GenreEdgeError, match=r": no name of a host$"):
        bind("x" * 64 + ".org", 1)
    taken.close()


def test_the_address_in_words() -> None:
    one = Running()
    assert one.server.url == f"http://127.0.0.1:{one.port}/" and one.server.alive
    one.stop()
    assert not one.server.alive
    if socket.has_ipv6:
        with contextlib.suppress(GenreEdgeError), bind("::1", 0) as listener:
            finished: Station = make_station(ArraySource(music(1, RATE), RATE))
            served = Server(web.application(finished, None, None), listener)
            assert served.url == f"http://[::1]:{listener.getsockname()[1]}/"


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("127.0.0.1", {"localhost", "127.0.0.1", "[::1]"}),
        ("127.8.8.8", {"localhost", "127.0.0.1", "[::1]", "127.8.8.8"}),
        ("LocalHost", {"localhost", "127.0.0.1", "[::1]"}),
        ("0.0.0.0", None),
    ],
)
def test_names_of_a_socket_that_only_this_machine_reaches(host: str, names: set[str] | None) -> None:
    with bind(host, 0) as listener:
        assert local_names(listener, host) == names
