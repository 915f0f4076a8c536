"""/healthz, /metrics and /openapi.json."""

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import ProcessCollector
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from genre_edge.station.http.app import create_app
from genre_edge.station.http.metrics import StationCollector
from genre_edge.station.http.token_throttle import TokenThrottle
from genre_edge.station.station import Station
from tests.helpers.bundles import STYLED, edited_bundle
from tests.helpers.openapi import OPENAPI, validate_response
from tests.helpers.station import QueueSource, make_station, styled_station


def test_healthz(client: TestClient) -> None:
    """A listening station answers 200."""
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"listening": True, "paused": False})


def test_healthz_while_paused(client: TestClient, station: Station) -> None:
    """A paused station is healthy, though it is not listening; the metrics have the pause."""
    station.pause()
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"listening": False, "paused": True})
    validate_response(response.json(), "/healthz")
    assert "genre_edge_paused 1.0" in client.get("/metrics").text.splitlines()
    station.resume()
    assert "genre_edge_paused 0.0" in client.get("/metrics").text.splitlines()


def test_healthz_and_metrics_before_audio() -> None:
    """A station without audio answers 503, and its metrics are valid."""
    with TestClient(create_app(make_station(QueueSource()), None, None)) as client:
        response = client.get("/healthz")
        assert (response.status_code, response.json()) == (503, {"listening": False, "paused": False})
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
    assert samples["genre_edge_model_info", None] == 1 and samples["genre_edge_lost_events_total", None] == 0


@pytest.mark.parametrize(
    ("proc", "names"),
    [
        ("/proc", ["cpu_seconds_total", "max_fds", "open_fds", "resident_memory_bytes", "start_time_seconds"]),
        ("/nowhere", ["cpu_seconds_total"]),
    ],
)
def test_metrics_of_process(proc: str, names: list[str], station: Station) -> None:
    """The metrics have prometheus_client's names. Without /proc only the CPU time is known."""
    collector = StationCollector(station)
    collector._process = ProcessCollector(proc=proc, registry=None)
    text = collector.exposition().decode()
    families = text_string_to_metric_families(text)
    samples = {sample.name: sample.value for family in families for sample in family.samples}
    found = {name.removeprefix("process_"): samples[name] for name in samples if name.startswith("process_")}
    assert set(names) <= set(found) and text.count("# TYPE process_cpu_seconds_total ") == 1
    assert ("resident_memory_bytes" in found) == ("resident_memory_bytes" in names)
    assert found["cpu_seconds_total"] > 0 and 5e6 < found.get("resident_memory_bytes", 1e7) < 1e11


def test_metrics_are_documented(station: Station) -> None:
    """docs/live.md names every metric."""
    page = (Path(__file__).parents[4] / "docs" / "live.md").read_text()
    text = StationCollector(station, TokenThrottle()).exposition().decode()
    names = re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)
    assert len(names) > 20 and [name for name in names if f"`{name}`" not in page] == []


def samples(station: Station, name: str) -> dict[str, float]:
    """Return the samples of a metric with one label, by its value."""
    families = text_string_to_metric_families(StationCollector(station).exposition().decode())
    return {
        value: sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
        for value in sample.labels.values()
    }


def test_metrics_of_styles_and_sounds() -> None:
    """All styles and sounds of the model are counted, also those that did not occur."""
    with styled_station() as station:
        assert samples(station, "genre_edge_style_verdicts_total") == {"dark": 6, "bass": 6, "bright": 0}
        expected = {"music": 6, "speech": 6, "noise": 0, "silence": 6}
        assert samples(station, "genre_edge_sound_verdicts_total") == expected


def test_metrics_without_styles_and_sounds(station: Station) -> None:
    """A model without styles and sounds has no metrics of them."""
    text = StationCollector(station).exposition().decode()
    assert "genre_edge_verdicts_total{" in text and "style" not in text and "sound" not in text


def test_metrics_escape_names(tmp_path: Path) -> None:
    """Names of a model are escaped, and other names are not exported."""
    name = 'a"} 1 \\n\\'

    def rename(content: dict[str, Any]) -> None:
        content["styles"][2]["name"] = content["sounds"][1] = name

    station = make_station(QueueSource(), model=edited_bundle(tmp_path / "named", rename, STYLED))
    station.style_counts.update([name, "unknown"])
    assert samples(station, "genre_edge_style_verdicts_total") == {"dark": 0, "bass": 0, name: 1}
    assert set(samples(station, "genre_edge_sound_verdicts_total")) == {"music", name, "noise", "silence"}


def test_openapi_describes_every_route(client: TestClient) -> None:
    """openapi.json describes all routes but the page's."""
    assert client.get("/openapi.json").json() == OPENAPI
    described = set(OPENAPI["paths"])
    routes = {route.path for route in client.app.app.routes}  # type: ignore[attr-defined]
    assert routes - described == {"/", "/static/{name}"} and described <= routes
