"""The station's HTTP API: what it answers, whom it refuses, and that openapi.json says the truth about both."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from genre_edge.errors import ParameterError
from genre_edge.station.history.store import BIN_S
from genre_edge.station.http import app as web
from genre_edge.station.http.app import application
from genre_edge.station.http.guard import Token, check_token
from genre_edge.station.station import Station
from tests.helpers.audio import ArraySource, music
from tests.helpers.bundles import RATE
from tests.helpers.station import QueueSource, eventually, make_station, make_verdict

TOKEN = "correct-horse-battery"
HOSTS = frozenset(["testserver", "localhost"])
OPENAPI: dict[str, Any] = json.loads((Path(web.__file__).parent / "openapi.json").read_text())


@pytest.fixture
def heard() -> Iterator[Station]:
    """A station that has heard some seconds and goes on listening."""
    source = QueueSource()
    one = make_station(source)
    one.start()
    source.feed_music(4)
    eventually(lambda: one.status()["position_s"] == 4.0)
    yield one
    one.stop()
    assert one.join(20)
    one.history.close()


@pytest.fixture
def client(heard: Station) -> Iterator[TestClient]:
    with TestClient(application(heard, None, HOSTS)) as made:
        yield made


@pytest.fixture
def locked(heard: Station) -> Iterator[TestClient]:
    with TestClient(application(heard, Token(TOKEN), None), follow_redirects=False) as made:
        yield made


def check(content: Any, path: str, status: str = "200") -> None:
    """`content` is what openapi.json says of an answer."""
    answer = OPENAPI["paths"][path]["get"]["responses"][status]
    if "$ref" in answer:
        answer = OPENAPI["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    check_schema(content, answer["content"]["application/json"]["schema"])


def check_schema(content: Any, schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator({**schema, "components": OPENAPI["components"]}).validate(content)


# Answers


def test_the_state(client: TestClient, heard: Station) -> None:
    status = client.get("/api/v1/status").json()
    check(status, "/api/v1/status")
    assert status["listening"] is True and status["position_s"] == 4.0 and status["source"] == "queue"
    assert status["verdict"] == heard.verdict


def test_the_state_before_anything_was_heard() -> None:
    with TestClient(application(make_station(QueueSource()), None, None)) as client:
        check(client.get("/api/v1/status").json(), "/api/v1/status")
        silent = client.get("/healthz")
        assert (silent.status_code, silent.json()) == (503, {"listening": False})
        check(silent.json(), "/healthz", "503")
        list(text_string_to_metric_families(client.get("/metrics").text))


def test_the_past(client: TestClient, heard: Station) -> None:
    everything = client.get("/api/v1/history").json()
    check(everything, "/api/v1/history")
    assert everything["verdicts"] == heard.history.verdicts() and len(everything["verdicts"]) >= 6
    newest = client.get("/api/v1/history?limit=2").json()["verdicts"]
    assert newest == everything["verdicts"][-2:]
    future = client.get("/api/v1/history", params={"since": time.time() + 60})
    assert future.json() == {"verdicts": []}


def test_the_day(client: TestClient, heard: Station) -> None:
    now = time.time()
    for genre in ("low", "low", None):
        heard.history.add(make_verdict(now - 7200, genre, None if genre else "silence"))
    day = client.get("/api/v1/day").json()
    check(day, "/api/v1/day")
    start = int(now - 7200) // BIN_S * BIN_S
    assert day["bin_s"] == BIN_S and day["bins"][0] == {"start": start, "genres": {"low": 2}, "none": 1}


def test_health_and_metrics(client: TestClient, heard: Station) -> None:
    healthy = client.get("/healthz")
    assert (healthy.status_code, healthy.json()) == (200, {"listening": True})
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    found = {
        (sample.name, sample.labels.get("heard")): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert found["genre_edge_listening", None] == 1
    assert found["genre_edge_audio_seconds_total", None] == 4.0
    verdicts = {labels: n for (name, labels), n in found.items() if name == "genre_edge_verdicts_total"}
    assert verdicts == heard.verdict_counts
    assert 5e6 < found["genre_edge_resident_memory_bytes", None] < 1e11
    assert found["genre_edge_model_info", None] == 1 and found["genre_edge_lost_events_total", None] == 0


def test_what_fails_is_in_state_and_metrics(
    client: TestClient, heard: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> tuple[str, str | None, set[str]]:
        status, lines = client.get("/api/v1/status").json(), client.get("/metrics").text.splitlines()
        check(status, "/api/v1/status")
        found = {line for line in lines if line.startswith(("genre_edge_history", "genre_edge_mqtt"))}
        return status["history"], status["mqtt"], found

    assert told() == ("memory", None, set())
    monkeypatch.setattr(type(heard.history), "state", "failing")
    monkeypatch.setattr(heard, "mqtt_state", lambda: "failing")
    assert told() == ("failing", "failing", {"genre_edge_history_failing 1.0", "genre_edge_mqtt_failing 1.0"})
    monkeypatch.setattr(type(heard.history), "state", "file")
    monkeypatch.setattr(heard, "mqtt_state", lambda: "connected")
    assert told() == ("file", "connected", {"genre_edge_history_failing 0.0", "genre_edge_mqtt_failing 0.0"})


def test_the_description_describes_every_path(client: TestClient) -> None:
    assert client.get("/openapi.json").json() == OPENAPI
    described = set(OPENAPI["paths"])
    served = {route.path for route in client.app.app.routes}  # type: ignore[attr-defined]
    assert served - described == {"/", "/static/{name}"} and described <= served


def test_the_page_and_its_files(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8" and "genre-edge" in page.text
    for path in sorted((Path(web.__file__).parent / "static").iterdir()):
        answer = client.get(f"/static/{path.name}")
        assert answer.content == path.read_bytes() and answer.headers["cache-control"] == "no-cache"
        again = client.get(f"/static/{path.name}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    for name in ("nothing.js", "..%2fweb.py", "%2e%2e/web.py", "page.html/"):
        assert client.get(f"/static/{name}").status_code == 404


# Refusals


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("limit=0", "limit must be an integer from 1 to 1000, got '0'"),
        ("limit=1001", "limit must be an integer from 1 to 1000, got '1001'"),
        ("limit=1.5", "limit must be an integer from 1 to 1000, got '1.5'"),
        ("limit=", "limit must be an integer from 1 to 1000, got ''"),
        ("limit=" + "9" * 5000, "limit must be an integer from 1 to 1000, got '" + "9" * 40 + "'"),
        ("since=-1", "since must be a number, 0 or more, got '-1'"),
        ("since=nan", "since must be a number, 0 or more, got 'nan'"),
        ("since=inf", "since must be a number, 0 or more, got 'inf'"),
        ("since=1e999", "since must be a number, 0 or more, got '1e999'"),
        ("since=yesterday", "since must be a number, 0 or more, got 'yesterday'"),
        ("since=%D9%A1", "since must be a number, 0 or more, got '١'"),
        ("before=1", "'before' is no parameter here"),
        ("limit=1&limit=2", "a parameter is given twice"),
    ],
)
def test_wrong_parameters(query: str, reason: str, client: TestClient) -> None:
    answer = client.get(f"/api/v1/history?{query}")
    assert (answer.status_code, answer.json()) == (422, {"error": reason})


def test_unknown_paths_and_methods(client: TestClient) -> None:
    for path in ("/nothing", "/api/v1/status/", "/api/v2/status", "/api//v1/status"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        answer = client.request(method, "/api/v1/status")
        assert (answer.status_code, answer.json()) == (405, {"error": "Method Not Allowed"})
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert client.head("/api/v1/status").status_code == 200
    assert client.head("/api/v1/events").status_code == 200


def test_a_fault_is_told_without_its_inside(heard: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard, "status", lambda: 1 / 0)
    with TestClient(application(heard, None, None), raise_server_exceptions=False) as client:
        answer = client.get("/api/v1/status")
    assert (answer.status_code, answer.json()) == (500, {"error": "a fault in the station; its log says more"})


def test_bodies_have_a_limit(client: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"x"

    assert client.request("GET", "/api/v1/status", content=b"x" * 4096).status_code == 200
    for body in (b"x" * 4097, chunks()):
        answer = client.request("GET", "/api/v1/status", content=body)
        assert answer.status_code == 413 and answer.headers["connection"] == "close"
        check(answer.json(), "/api/v1/status", "413")
    odd = client.get("/api/v1/status", headers={"Content-Length": b"\xb2"})
    assert odd.status_code == 413


def test_only_our_own_names_are_answered(client: TestClient) -> None:
    for host in ("testserver", "localhost:8000", "LOCALHOST"):
        assert client.get("/api/v1/status", headers={"Host": host}).status_code == 200
    for host in ("evil.example", "localhost.evil.example", "localhost@evil.example", "127.0.0.1:80", "[::1]", "", "["):
        answer = client.get("/api/v1/status", headers={"Host": host})
        assert answer.status_code == 421
        check(answer.json(), "/api/v1/status", "421")


def test_every_answer_protects_the_browser(
    client: TestClient, locked: TestClient, heard: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [client.get(path) for path in ("/", "/api/v1/status", "/nothing", "/api/v1/history?limit=0", "/metrics")]
    answers += [locked.get("/api/v1/status"), client.post("/"), client.get("/", headers={"Host": "evil.example"})]
    monkeypatch.setattr(heard, "status", lambda: 1 / 0)
    answers.append(TestClient(client.app, raise_server_exceptions=False).get("/api/v1/status"))
    assert [answer.status_code for answer in answers] == [200, 200, 404, 422, 200, 401, 405, 421, 500]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in answer.headers and "server" not in answer.headers
    assert answers[1].headers["cache-control"] == "no-store"


# The token


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    "path", ["/api/v1/status", "/api/v1/history", "/api/v1/day", "/api/v1/events", "/metrics", "/nothing"]
)
def test_without_the_token_nothing_is_told(path: str, locked: TestClient) -> None:
    wrong = [{}, bearer("wrong"), bearer(TOKEN + "x"), bearer(TOKEN[:-1]), {"Authorization": TOKEN}, bearer("é" * 9)]
    wrong += [{"Authorization": f"Basic {TOKEN}"}, {"Cookie": f"genre_edge={TOKEN}"}]
    wrong += [{"Host": "testserver/healthz?"}, {"Host": "testserver/static/x?"}]
    for headers in wrong:
        encoded = {name: value.encode() for name, value in headers.items()}
        answer = locked.get(path, headers=encoded)
        assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Bearer")
        check(answer.json(), "/api/v1/status", "401")
    assert locked.get(path + "?token=" + TOKEN).status_code == 401  # in an address it opens the page alone


def test_the_token_lets_in(locked: TestClient) -> None:
    for headers in (bearer(TOKEN), {"authorization": f"bearer {TOKEN}"}):
        assert locked.get("/api/v1/status", headers=headers).status_code == 200
        assert locked.get("/nothing", headers=headers).status_code == 404


def test_the_page_s_cookie_lets_in_and_is_not_the_token(locked: TestClient) -> None:
    assert locked.get("/").status_code == 200 and not locked.cookies
    assert locked.get("/?token=wrong").status_code == 401 and not locked.cookies
    opened = locked.get(f"/?token={TOKEN}")
    assert (opened.status_code, opened.headers["location"]) == (303, "/")
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower() and TOKEN not in cookie
    assert locked.get("/api/v1/status").status_code == 200
    name, value = next(iter(locked.cookies.items()))
    locked.cookies.set(name, value[:-1] + ("0" if value[-1] != "0" else "1"), domain="testserver.local", path="/")
    locked.cookies.clear()
    assert locked.get("/api/v1/status", headers={"Cookie": f"{name}={value[:-1]}"}).status_code == 401
    assert locked.get("/api/v1/status", headers={"Cookie": f"{name}={value}"}).status_code == 200


def test_without_a_token_the_page_s_address_with_one_still_opens(client: TestClient) -> None:
    assert client.get("/?token=whatever", follow_redirects=False).status_code == 303


@pytest.mark.parametrize("token", ["", "short", "x" * 257, "with a space", "with\nline", "naïve-token", "a&b=cdefgh"])
def test_tokens_that_cannot_travel_are_refused_and_not_told(token: str) -> None:
    with pytest.raises(ParameterError) as caught:
        check_token(token)
    assert not token or token not in str(caught.value)


def test_answers_are_the_same_of_a_source_that_has_ended() -> None:
    one = make_station(ArraySource(music(2, RATE), RATE))
    one.start()
    assert one.join(20)
    with TestClient(application(one, None, None)) as client:
        assert client.get("/healthz").status_code == 503
        check(client.get("/api/v1/status").json(), "/api/v1/status")
