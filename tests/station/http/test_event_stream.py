"""Server-sent events over a socket: content, limits, and clients that read slowly or not at all."""

import contextlib
import json
import time
from typing import Any

import pytest

from genre_edge.station.http import connection_limits, event_stream
from genre_edge.station.http.event_stream import MAX_STREAMS, MAX_STREAMS_PER_ADDRESS
from tests.helpers.server import RunningServer, is_closed, read_events
from tests.helpers.station import eventually


@pytest.fixture
def frequent_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status events every 0.1 s. Must come before `running` in a test's arguments."""
    monkeypatch.setattr(event_stream, "STATUS_INTERVAL_S", 0.1)


def overflow_subscription(running: RunningServer) -> None:
    """Feed audio until all buffers on the way to a client that does not read are full, and it loses events."""
    eventually(lambda: running.station.hub.subscribers == 1)
    while running.station.hub.lost == 0:
        running.source.feed_music(10)
        running.wait_until_processed()


def test_event_kinds(frequent_status: None, running: RunningServer) -> None:
    """A stream begins with the status and the recent frames; then new frames follow without a gap."""
    running.source.feed_music(2)
    running.wait_until_processed()
    with contextlib.closing(read_events(running.open_stream())) as stream:
        kind, status = next(stream)
        assert kind == "status" and status["source"] == "queue"
        recent = [next(stream) for _ in running.station.recent_spectrogram.copy()]
        assert [kind for kind, _ in recent] == ["frames"] * len(recent) and recent[0][1]["first"] == 0
        running.source.feed_music(2)
        received: dict[str, list[dict[str, Any]]] = {"verdict": [], "frames": [], "status": []}
        while len(received["verdict"]) < 3 or len(received["frames"]) < 3 or len(received["status"]) < 2:
            kind, data = next(stream)
            received[kind].append(data)
    stored = running.station.history.verdicts()
    assert all(verdict in stored for verdict in received["verdict"])
    last = recent[-1][1]
    n_columns = len(last["columns"]) * 3 // 4 // last["n_mels"]
    assert received["frames"][0]["first"] == last["first"] + n_columns


def test_retry_and_end() -> None:
    """A stream sets the reconnection delay and ends with the station."""
    running = RunningServer()
    client = running.open_stream()
    with client.makefile("rb") as file:
        assert b"retry: 2000\n" in iter(file.readline, b"event: status\n")
    running.stop()
    assert is_closed(client)


def test_max_streams(running: RunningServer) -> None:
    """One more stream is answered 503, until another one is closed."""
    clients = [running.open_stream(f"127.0.0.{2 + i % 2}") for i in range(MAX_STREAMS)]
    assert all(b" 200 OK" in client.recv(20) for client in clients)
    status, body = running.get("/api/v1/events")
    assert status == 503 and json.loads(body) == {"error": f"all {MAX_STREAMS} event streams are in use"}
    assert running.get("/api/v1/status")[0] == 200
    clients.pop().close()
    eventually(lambda: running.station.hub.subscribers == MAX_STREAMS - 1)
    another = running.open_stream("127.0.0.3")
    assert b" 200 OK" in another.recv(20)
    for client in [*clients, another]:
        client.close()
    eventually(lambda: running.station.hub.subscribers == 0)


def test_max_streams_per_address(running: RunningServer) -> None:
    """One more stream of an address is answered 503; other addresses are served."""
    clients = [running.open_stream() for _ in range(MAX_STREAMS_PER_ADDRESS)]
    assert all(b" 200 OK" in client.recv(20) for client in clients)
    status, body = running.get("/api/v1/events")
    assert status == 503 and "event streams of this address" in json.loads(body)["error"]
    other = running.open_stream("127.0.0.2")
    assert b" 200 OK" in other.recv(20)
    for client in [*clients, other]:
        client.close()


def test_slow_client_loses_events(running: RunningServer) -> None:
    """A client that does not read delays neither the audio nor other clients."""
    client = running.open_stream()
    overflow_subscription(running)
    running.assert_audio_is_processed()
    assert running.get("/api/v1/status")[0] == 200
    client.close()
    eventually(lambda: running.station.hub.subscribers == 0)


def test_shutdown_with_slow_client(caplog: pytest.LogCaptureFixture) -> None:
    """A client that does not read does not delay the shutdown."""
    running = RunningServer()
    client = running.open_stream()
    overflow_subscription(running)
    running.stop()
    assert is_closed(client) and not caplog.records


def test_unread_stream_is_idle(running: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection of a client that does not read is aborted after the idle time-out."""
    monkeypatch.setattr(connection_limits, "IDLE_TIMEOUT_S", 0.3)
    monkeypatch.setattr(connection_limits, "_TICK_INTERVAL_S", 0.05)
    client = running.open_stream()
    eventually(lambda: running.station.hub.subscribers == 1)
    while running.station.hub.subscribers:
        running.source.feed_music(10)
        time.sleep(0.05)
    running.assert_audio_is_processed()
    client.close()
