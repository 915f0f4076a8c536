"""/api/v1: status, history and day; the event stream is in test_event_stream.py."""

import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from genre_edge.station.history.store import BIN_S
from genre_edge.station.history.verdict_history import VerdictHistory
from genre_edge.station.http.app import create_app
from genre_edge.station.station import Station
from tests.conftest import TIMEOUT_S
from tests.helpers.audio import ArraySource, music
from tests.helpers.bundles import RATE
from tests.helpers.openapi import validate_response
from tests.helpers.station import QueueSource, make_station, make_verdict, styled_station


def test_status(client: TestClient, station: Station) -> None:
    """The status conforms to its description and has the newest verdict."""
    status = client.get("/api/v1/status").json()
    validate_response(status, "/api/v1/status")
    assert status["listening"] is True and status["position_s"] == 4.0 and status["source"] == "queue"
    assert status["verdict"] == station.verdict


def test_status_before_audio() -> None:
    """A station without audio has a valid status."""
    with TestClient(create_app(make_station(QueueSource()), None, None)) as client:
        validate_response(client.get("/api/v1/status").json(), "/api/v1/status")


def test_status_after_end_of_source() -> None:
    """After the end of its source, a station has a valid status and is not healthy."""
    station = make_station(ArraySource(music(2, RATE), RATE))
    station.start()
    assert station.join(TIMEOUT_S)
    with TestClient(create_app(station, None, None)) as client:
        assert client.get("/healthz").status_code == 503
        validate_response(client.get("/api/v1/status").json(), "/api/v1/status")


def test_history(client: TestClient, station: Station) -> None:
    """`limit` and `since` select verdicts."""
    response = client.get("/api/v1/history").json()
    validate_response(response, "/api/v1/history")
    assert response["verdicts"] == station.history.verdicts() and len(response["verdicts"]) >= 6
    newest = client.get("/api/v1/history?limit=2").json()["verdicts"]
    assert newest == response["verdicts"][-2:]
    future = client.get("/api/v1/history", params={"since": time.time() + 60})
    assert future.json() == {"verdicts": []}


def test_history_by_id(client: TestClient, station: Station) -> None:
    """A verdict is found by its id, in the file and among those that are not stored yet."""
    now = round(time.time(), 3)
    twins = [make_verdict(now) | {"id": f"{now:.3f}-{suffix}"} for suffix in ("0001", "0002")]
    for twin in twins:
        station.history.add(twin)
    for _ in range(2):
        for verdict in (*twins, station.history.verdicts()[0]):
            response = client.get("/api/v1/history", params={"id": verdict["id"]}).json()
            validate_response(response, "/api/v1/history")
            assert response["verdicts"] == [verdict]
        station.history.flush()
    later = {"id": twins[0]["id"], "since": now + 1}
    assert client.get("/api/v1/history", params=later).json() == {"verdicts": []}
    assert client.get(f"/api/v1/history?id={now:.3f}-0003").json() == {"verdicts": []}


@pytest.mark.parametrize("query", ["id=", "id=1", "id=1.000-012g", "id=-1.000-0123", "id=1.000-0123%0A"])
def test_history_invalid_id(client: TestClient, query: str) -> None:
    """A text that is no id is refused."""
    response = client.get(f"/api/v1/history?{query}")
    assert response.status_code == 422
    validate_response(response.json(), "/api/v1/history", "422")


def test_history_of_styled_model() -> None:
    """Verdicts with styles and sounds conform to their description."""
    with styled_station() as station, TestClient(create_app(station, None, None)) as client:
        response = client.get("/api/v1/history").json()
        validate_response(response, "/api/v1/history")
        assert {verdict["sound"] for verdict in response["verdicts"]} == {None, "speech", "silence"}
        assert [style["style"] for style in response["verdicts"][0]["styles"]] == ["bass", "dark"]


def test_history_of_earlier_version(tmp_path: Path) -> None:
    """A file with verdicts of schema 1 is read, and verdicts of schema 2 follow them."""
    old = make_verdict(time.time() - 60) | {"schema_version": 1}
    del old["id"], old["styles"], old["sound"]
    history = VerdictHistory(tmp_path / "history.db")
    history.add(old)
    history.close()
    with (
        styled_station(history=VerdictHistory(tmp_path / "history.db")) as station,
        TestClient(create_app(station, None, None)) as client,
    ):
        response = client.get("/api/v1/history").json()
        validate_response(response, "/api/v1/history")
        assert response["verdicts"][0] == old and response["verdicts"][1]["schema_version"] == 2
        assert len(response["verdicts"]) == 1 + station.verdict_counts.total()


def test_day(client: TestClient, station: Station) -> None:
    """The histogram counts genres and verdicts without a genre."""
    now = time.time()
    for genre in ("low", "low", None):
        station.history.add(make_verdict(now - 7200, genre, None if genre else "silence"))
    day = client.get("/api/v1/day").json()
    validate_response(day, "/api/v1/day")
    start = int(now - 7200) // BIN_S * BIN_S
    assert day["bin_s"] == BIN_S and day["bins"][0] == {"start": start, "genres": {"low": 2}, "none": 1}


def test_failures_in_status_and_metrics(client: TestClient, station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status and metrics report the states of history and MQTT alike."""

    def states() -> tuple[str, str | None, set[str]]:
        status, lines = client.get("/api/v1/status").json(), client.get("/metrics").text.splitlines()
        validate_response(status, "/api/v1/status")
        samples = {line for line in lines if line.startswith(("genre_edge_history", "genre_edge_mqtt"))}
        return status["history"], status["mqtt"], samples

    assert states() == ("memory", None, set())
    monkeypatch.setattr(type(station.history), "state", "failing")
    monkeypatch.setattr(station, "mqtt_state", lambda: "failing")
    assert states() == ("failing", "failing", {"genre_edge_history_failing 1.0", "genre_edge_mqtt_failing 1.0"})
    monkeypatch.setattr(type(station.history), "state", "read_only")
    assert states() == ("read_only", "failing", {"genre_edge_history_failing 1.0", "genre_edge_mqtt_failing 1.0"})
    monkeypatch.setattr(type(station.history), "state", "file")
    monkeypatch.setattr(station, "mqtt_state", lambda: "connected")
    assert states() == ("file", "connected", {"genre_edge_history_failing 0.0", "genre_edge_mqtt_failing 0.0"})


def test_lost_verdicts_in_status_and_metrics(
    client: TestClient, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status and metrics count the verdicts that are not saved."""
    monkeypatch.setattr(type(station.history), "unsaved", 7)
    monkeypatch.setattr(type(station.history), "lost", 3)
    status, lines = client.get("/api/v1/status").json(), client.get("/metrics").text.splitlines()
    validate_response(status, "/api/v1/status")
    assert (status["history_unsaved"], status["history_lost"]) == (7, 3)
    assert {"genre_edge_unsaved_verdicts 7.0", "genre_edge_lost_verdicts_total 3.0"} <= set(lines)
