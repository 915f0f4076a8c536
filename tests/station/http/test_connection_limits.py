"""Limits on connections and idle time, and the parts of uvicorn that they override."""

import asyncio
import http.client
import inspect
import select
from pathlib import Path

import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from genre_edge.station.http import acceptor, connection_limits
from genre_edge.station.http import server as server_module
from genre_edge.station.http.acceptor import MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS, ConnectionLimits
from genre_edge.station.http.connection_limits import (
    IDLE_TIMEOUT_S,
    MAX_SERVED_CONNECTIONS,
    LimitedConnection,
    LimitedServer,
)
from tests.conftest import TIMEOUT_S
from tests.helpers.server import STATUS_REQUEST, RunningServer, is_closed, is_refused, read_events
from tests.helpers.station import eventually

CONNECTION_ATTRIBUTES = ("client", "connections", "cycle", "limit_concurrency", "loop", "transport")


class FakeClock:
    """Stands for the module `time` of `connection_limits`. Each check for idle connections reads it once."""

    def __init__(self) -> None:
        self.now_s, self.n_reads = 1000.0, 0

    def monotonic(self) -> float:
        self.n_reads += 1
        return self.now_s

    def wait_for_check(self) -> None:
        """Wait until the only connection has been checked."""
        before = self.n_reads
        eventually(lambda: self.n_reads > before)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """A clock for idle times that only the test advances. No keep-alive time-out closes connections.

    Must come before `running` in a test's arguments.
    """
    clock = FakeClock()
    monkeypatch.setattr(connection_limits, "time", clock)
    monkeypatch.setattr(connection_limits, "_TICK_INTERVAL_S", 0.005)
    monkeypatch.setattr(server_module, "_KEEP_ALIVE_TIMEOUT_S", TIMEOUT_S)
    return clock


@pytest.fixture
def short_idle_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle time-out of 0.5 s. Must come before `running` in a test's arguments."""
    monkeypatch.setattr(connection_limits, "IDLE_TIMEOUT_S", 0.5)
    monkeypatch.setattr(connection_limits, "_TICK_INTERVAL_S", 0.05)


def missing_internals() -> list[str]:
    """Return the names that `connection_limits` uses and this version of uvicorn lacks."""

    async def app(scope: object, receive: object, send: object) -> None: ...

    loop = asyncio.new_event_loop()
    config = uvicorn.Config(app, log_config=None)
    connection = H11Protocol(config, ServerState(), {}, loop)
    loop.close()
    server = uvicorn.Server(config)
    missing = [f"H11Protocol.{name}" for name in CONNECTION_ATTRIBUTES if not hasattr(connection, name)]
    methods = ("connection_made", "connection_lost", "on_response_complete")
    missing += [f"H11Protocol.{name}" for name in methods if not hasattr(connection, name)]
    cycle = inspect.getsource(RequestResponseCycle.__init__)
    missing += [
        f"RequestResponseCycle.{name}" for name in ("more_body", "response_complete") if f"self.{name} =" not in cycle
    ]
    missing += [
        f"Server.{name}"
        for name in ("main_loop", "on_tick", "should_exit", "server_state", "startup", "shutdown", "started")
        if not hasattr(server, name)
    ]
    if not isinstance(getattr(server.server_state, "connections", None), set):
        missing.append("ServerState.connections")
    return missing


def test_uvicorn_internals() -> None:
    """uvicorn still has the parts that `connection_limits` overrides."""
    missing = missing_internals()
    assert not missing, (
        f"uvicorn {uvicorn.__version__} has no {', '.join(missing)}, which genre_edge.station.http.connection_limits "
        "uses: adapt that module, or lower uvicorn's upper bound in pyproject.toml"
    )


def test_uvicorn_calls_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvicorn still calls the methods that `connection_limits` overrides."""
    called = set()
    methods = {
        LimitedConnection: ("connection_made", "connection_lost", "on_response_complete", "abort_if_idle"),
        LimitedServer: ("startup", "main_loop", "_begin_shutdown"),
    }

    def record(owner: type, name: str) -> None:
        original = getattr(owner, name)

        def method(*arguments: object, **options: object) -> object:
            called.add(name)
            return original(*arguments, **options)

        monkeypatch.setattr(owner, name, method)

    for owner, names in methods.items():
        for name in names:
            record(owner, name)
    monkeypatch.setattr(connection_limits, "_TICK_INTERVAL_S", 0.01)
    running = RunningServer()
    client = http.client.HTTPConnection("127.0.0.1", running.port, timeout=TIMEOUT_S)
    client.request("GET", "/healthz")
    assert client.getresponse().read()
    eventually(lambda: "abort_if_idle" in called)
    client.close()
    running.stop()
    assert called == {name for names in methods.values() for name in names}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nx",
        b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /api",
    ],
    ids=["nothing", "headers", "body", "second request"],
)
def test_incomplete_request_is_idle(data: bytes, short_idle_timeout: None, running: RunningServer) -> None:
    """A connection is closed if the rest of a request does not arrive."""
    assert is_closed(running.connect(data))


def test_keep_alive_connection_is_not_idle(clock: FakeClock, running: RunningServer) -> None:
    """A connection with regular requests outlives the idle time-out, and is closed after the last one."""
    client = http.client.HTTPConnection("127.0.0.1", running.port, timeout=TIMEOUT_S)
    client.connect()
    connected = client.sock
    for _ in range(5):
        client.request("GET", "/healthz")
        assert client.getresponse().read()
        assert client.sock is connected  # http.client would reconnect without an error
        clock.wait_for_check()
        clock.now_s += 0.9 * IDLE_TIMEOUT_S
        clock.wait_for_check()
    clock.now_s += 0.2 * IDLE_TIMEOUT_S
    assert connected.recv(1) == b""
    client.close()


def test_event_stream_is_not_idle(clock: FakeClock, running: RunningServer) -> None:
    """An open event stream, even without events, outlives the idle time-out."""
    client = running.open_stream()
    stream = read_events(client)
    assert next(stream)[0] == "status"
    for _ in range(3):
        clock.wait_for_check()
        clock.now_s += 0.9 * IDLE_TIMEOUT_S
    clock.wait_for_check()
    running.source.feed_music(2)
    assert next(kind for kind, _ in stream if kind != "status") == "frames"
    client.close()


def test_simultaneous_requests(running: RunningServer) -> None:
    """Each of 200 simultaneous requests is answered 200 or 503, or closed; the audio is not delayed."""
    clients = [running.connect(STATUS_REQUEST, address=f"127.0.0.{1 + i % 8}") for i in range(200)]
    running.assert_audio_is_processed()
    statuses = []
    for client in clients:
        try:
            statuses.append(client.recv(12)[9:])
        except ConnectionResetError:
            statuses.append(b"")
    assert set(statuses) <= {b"200", b"503", b""} and statuses.count(b"200") >= MAX_SERVED_CONNECTIONS
    for client in clients:
        client.close()
    eventually(lambda: running.get("/api/v1/status")[0] == 200)


def test_max_connections(running: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    """Connections above the limit wait until others end, and are then answered; the audio is not delayed."""
    idle = [running.connect(address=f"127.0.0.{2 + i % 8}") for i in range(MAX_CONNECTIONS)]
    waiting = [running.connect(STATUS_REQUEST) for _ in range(20)]
    eventually(lambda: caplog.messages)
    running.assert_audio_is_processed()
    assert select.select(waiting, [], [], 0)[0] == []
    for client in idle:
        client.close()
    for client in waiting:
        assert client.recv(12) in (b"HTTP/1.1 200", b"HTTP/1.1 503")
        client.close()
    assert caplog.messages == ["web server: connection limit reached; further connections wait"]


def test_max_connections_per_address(running: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    """One address alone cannot lock out the others."""
    idle = [running.connect(address="127.0.0.2") for _ in range(MAX_CONNECTIONS + 20)]
    for client in idle[MAX_CONNECTIONS_PER_ADDRESS:]:
        assert is_closed(client)
    assert running.get("/api/v1/status")[0] == 200
    assert is_closed(running.connect(address="127.0.0.2"))
    for client in idle:
        client.close()
    eventually(lambda: not is_refused_from(running, "127.0.0.2"))
    assert caplog.messages == [
        "web server: 127.0.0.2 has 32 connections, the limit for one address; closing further ones"
    ]


def is_refused_from(running: RunningServer, address: str) -> bool:
    try:
        with running.connect(STATUS_REQUEST, address=address) as client:
            return is_refused(client)
    except ConnectionError:
        return True


@pytest.mark.parametrize(("limit", "expected"), [(256, MAX_CONNECTIONS), (100, 36), (40, 4)])
def test_limits_without_list_of_descriptors(limit: int, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not list the open descriptors, a plausible number of them is assumed."""
    assert acceptor._count_open_descriptors() > 3
    monkeypatch.setattr(acceptor, "_DESCRIPTORS", Path("/nowhere"))
    monkeypatch.setattr(acceptor.resource, "getrlimit", lambda which: (limit, limit))
    limits = ConnectionLimits.from_descriptors()
    assert limits == ConnectionLimits(expected, max(2, min(MAX_CONNECTIONS_PER_ADDRESS, expected // 2)))
