"""/healthz, /metrics and /openapi.json."""

from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from genre_edge.station.http.app import create_app
from genre_edge.station.station import Station
from tests.helpers.openapi import OPENAPI, validate_response
from tests.helpers.station import QueueSource, make_station


def test_healthz(client: TestClient) -> None:
    """A listening station answers 200."""
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"listening": True})


def test_healthz_and_metrics_before_audio() -> None:
    """A station without audio answers 503, and its metrics are valid."""
    with TestClient(create_app(make_station(QueueSource()), None, None)) as client:
        response = client.get("/healthz")
        assert (response.status_code, response.json()) == (503, {"listening": False})
        validate_response(response.json(), "/healthz", "503")
        assert list(text_string_to_metric_families(client.get("/metrics").text))


def test_metrics(client: TestClient, station: Station) -> None:
    """Metrics have Prometheus's format and the station's values."""
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    samples = {
        (sample.name, sample.labels.get("heard")): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }
    assert samples["genre_edge_listening", None] == 1
    assert samples["genre_edge_audio_seconds_total", None] == 4.0
    verdicts = {label: n for (name, label), n in samples.items() if name == "genre_edge_verdicts_total"}
    assert verdicts == station.verdict_counts
    assert 5e6 < samples["genre_edge_resident_memory_bytes", None] < 1e11
    assert samples["genre_edge_model_info", None] == 1 and samples["genre_edge_lost_events_total", None] == 0


def test_openapi_describes_every_route(client: TestClient) -> None:
    """openapi.json describes all routes but the page's."""
    assert client.get("/openapi.json").json() == OPENAPI
    described = set(OPENAPI["paths"])
    routes = {route.path for route in client.app.app.routes}  # type: ignore[attr-defined]
    assert routes - described == {"/", "/static/{name}"} and described <= routes
