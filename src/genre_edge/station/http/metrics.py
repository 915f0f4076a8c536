"""Prometheus metrics, made from the station's own figures at the moment of asking."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client.registry import Collector

from genre_edge.station.station import Station
from genre_edge.system import process as health

__all__ = ["CONTENT_TYPE", "Metrics"]


class Metrics(Collector):
    """One station's metrics, in a registry of their own."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        station = self._station
        status = station.status()
        model = status["model"]
        yield _info("genre_edge_model", "The model that listens.", model)
        yield _gauge("listening", "Whether samples come: 1 or 0.", float(status["listening"]))
        yield _gauge("start_time_seconds", "When the station was started, unix time.", status["started"])
        yield _counter("audio_seconds", "Sound since the start, lost samples included.", status["position_s"])
        yield _counter("dropped_samples", "Samples lost before they were heard.", status["dropped_samples"])
        yield _counter("outages", "How often the source was gone.", status["outages"])
        yield _verdicts(station.verdict_counts)
        yield _gauge("confidence", "Of the newest verdict.", (status["verdict"] or {}).get("confidence"))
        yield _gauge("lag_seconds", "From sound to its verdict.", _scaled(status["lag_ms"], 1e-3))
        yield _gauge("level_dbfs", "Level of the sound, mean square.", status["level_db"])
        yield _counter("cpu_seconds", "Processor time of this process.", health.cpu_s())
        yield _gauge("resident_memory_bytes", "Memory of this process.", _scaled(status["memory_mb"], 1e6))
        yield _gauge("temperature_celsius", "Of the hottest sensor of the machine.", status["temperature_c"])
        yield _gauge(
            "history_failing", "Whether the history's file cannot be used: 1 or 0.", _failing(status["history"])
        )
        yield _gauge("mqtt_failing", "Whether the MQTT broker cannot be reached: 1 or 0.", _failing(status["mqtt"]))
        yield _gauge("subscribers", "Clients of the event stream and other listeners.", station.hub.subscribers)
        yield _counter("lost_events", "Events that slow clients did not get.", station.hub.lost)


def _failing(state: str | None) -> float | None:
    return None if state in (None, "memory") else float(state == "failing")


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _gauge(name: str, text: str, value: float | None) -> Metric:
    """With no sample where there is nothing to tell."""
    family = GaugeMetricFamily(f"genre_edge_{name}", text)
    if value is not None:
        family.add_metric([], value)
    return family


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"genre_edge_{name}", text, value=value)


def _info(name: str, text: str, labels: dict[str, str]) -> Metric:
    family = GaugeMetricFamily(f"{name}_info", text, labels=list(labels))
    family.add_metric(list(labels.values()), 1)
    return family


def _verdicts(heard: Counter[str]) -> Metric:
    family = CounterMetricFamily("genre_edge_verdicts", "Verdicts by genre, or why there was none.", labels=["heard"])
    for name, count in sorted(heard.copy().items()):
        family.add_metric([name], count)
    return family
