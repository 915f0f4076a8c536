"""The event stream on a real socket: it tells all that happens, and a slow client harms itself alone."""

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from genre_edge.station.http import app as web
from genre_edge.station.http import event_stream as events
from genre_edge.station.http import server
from tests.helpers.server import Running, gone, told
from tests.helpers.station import eventually


@pytest.fixture
def running() -> Iterator[Running]:
    one = Running()
    yield one
    one.stop()


def test_the_stream_tells_all_that_happens(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "STATUS_S", 0.1)
    running.source.feed_music(2)
    running.all_heard()
    with contextlib.closing(told(running.stream())) as stream:
        kind, status = next(stream)
        assert kind == "status" and status["source"] == "queue"
        earlier = [next(stream) for _ in running.station.recent_spectrogram.copy()]
        assert [kind for kind, _ in earlier] == ["frames"] * len(earlier) and earlier[0][1]["first"] == 0
        running.source.feed_music(2)
        found: dict[str, list[dict[str, Any]]] = {"verdict": [], "frames": [], "status": []}
        while len(found["verdict"]) < 3 or len(found["frames"]) < 3 or len(found["status"]) < 2:
            kind, data = next(stream)
            found[kind].append(data)
    known = running.station.history.verdicts()
    assert all(verdict in known for verdict in found["verdict"])
    last = earlier[-1][1]
    width = len(last["columns"]) * 3 // 4 // last["n_mels"]
    assert found["frames"][0]["first"] == last["first"] + width


def test_a_stream_says_when_to_come_back_and_ends_with_the_station() -> None:
    one = Running()
    client = one.stream()
    with client.makefile("rb") as file:
        assert b"retry: 2000\n" in iter(file.readline, b"event: status\n")
    one.stop()
    assert gone(client)


def test_streams_are_limited_and_those_that_go_make_room(running: Running) -> None:
    clients = [running.stream(f"127.0.0.{2 + i % 2}") for i in range(web.MAX_STREAMS)]
    assert all(b" 200 OK" in client.recv(20) for client in clients)
    status, body = running.get("/api/v1/events")
    assert status == 503 and json.loads(body) == {"error": f"{web.MAX_STREAMS} clients are listening already"}
    assert running.get("/api/v1/status")[0] == 200
    clients.pop().close()
    eventually(lambda: running.station.hub.subscribers == web.MAX_STREAMS - 1)
    again = running.stream("127.0.0.3")
    assert b" 200 OK" in again.recv(20)
    for client in [*clients, again]:
        client.close()
    eventually(lambda: running.station.hub.subscribers == 0)


def test_one_address_alone_cannot_take_all_streams(running: Running) -> None:
    clients = [running.stream() for _ in range(web.MAX_STREAMS_OF_ONE)]
    assert all(b" 200 OK" in client.recv(20) for client in clients)
    status, body = running.get("/api/v1/events")
    assert status == 503 and "clients of this address" in json.loads(body)["error"]
    other = running.stream("127.0.0.2")
    assert b" 200 OK" in other.recv(20)
    for client in [*clients, other]:
        client.close()


def test_a_client_that_does_not_read_loses_events_and_delays_nobody(running: Running) -> None:
    asleep = running.stream()
    eventually(lambda: running.station.hub.subscribers == 1)
    while running.station.hub.lost == 0:  # until all buffers between are full
        running.source.feed_music(10)
        running.all_heard()
    running.undisturbed()
    assert running.get("/api/v1/status")[0] == 200
    asleep.close()
    eventually(lambda: running.station.hub.subscribers == 0)


def test_a_client_that_does_not_read_does_not_hold_up_the_end(caplog: pytest.LogCaptureFixture) -> None:
    one = Running()
    asleep = one.stream()
    eventually(lambda: one.station.hub.subscribers == 1)
    while one.station.hub.lost == 0:
        one.source.feed_music(10)
        one.all_heard()
    one.stop()
    assert gone(asleep) and not caplog.records


def test_a_client_that_never_reads_is_cut_off(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SLOW_S", 0.3)
    monkeypatch.setattr(server, "_CHECK_S", 0.05)
    asleep = running.stream()
    eventually(lambda: running.station.hub.subscribers == 1)
    while running.station.hub.subscribers:
        running.source.feed_music(10)
        time.sleep(0.05)
    running.undisturbed()
    asleep.close()
