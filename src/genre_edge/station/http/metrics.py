"""Prometheus metrics, collected from the station at each scrape."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client.registry import Collector

from genre_edge.station.http.token_throttle import TokenThrottle
from genre_edge.station.station import SILENCE, Station
from genre_edge.system import process

__all__ = ["CONTENT_TYPE", "StationCollector"]


class StationCollector(Collector):
    """Prometheus collector of one station's metrics, with its own registry.

    Args:
        station: the station.
        throttle: counts wrong tokens; None if no token is required.
    """

    def __init__(self, station: Station, throttle: TokenThrottle | None = None) -> None:
        self._station, self._throttle = station, throttle
        self._process = ProcessCollector(registry=None)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus text format; its content type is `CONTENT_TYPE`."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Describe no metrics in advance: their names are unique to this registry."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the current values. A metric without a value has no sample."""
        station = self._station
        status = station.status()
        model, verdict = status["model"], status["verdict"] or {}
        yield _info("genre_edge_model", "Model in use.", model)
        help_text = "1 if samples arrived in the last 5 seconds and the station is not paused, else 0."
        yield _gauge("listening", help_text, float(status["listening"]))
        yield _gauge("paused", "1 if the station is paused, else 0.", float(status["paused"]))
        yield _gauge("start_time_seconds", "Start time of the station in unix seconds.", status["started"])
        yield _counter(
            "audio_seconds",
            "Seconds of audio since the start, with dropped samples and, of a pipe, the time of pauses.",
            status["position_s"],
        )
        yield _counter("dropped_samples", "Samples that were dropped and not classified.", status["dropped_samples"])
        yield _counter("outages", "Times that the source was lost.", status["outages"])
        yield _counters(
            "verdicts", "Verdicts by genre, or by reason for those without a genre.", "heard", station.verdict_counts
        )
        if names := [style.name for style in station.bundle.styles]:
            help_text = "Verdicts by likely style; a verdict may have several or none."
            yield _counters("style_verdicts", help_text, "style", _of(names, station.style_counts))
        if sounds := station.bundle.sounds:
            help_text = "Verdicts by sound: music, silence or another one."
            yield _counters("sound_verdicts", help_text, "sound", _of([*sounds, SILENCE], station.sound_counts))
        yield _gauge("confidence", "Confidence of the latest verdict, from 0 to 1.", verdict.get("confidence"))
        yield _gauge(
            "lag_seconds", "Seconds from the last audio of a verdict to the verdict.", _scaled(status["lag_ms"], 1e-3)
        )
        yield _gauge("level_dbfs", "RMS level in dB relative to a full-scale square wave.", status["level_db"])
        yield _gauge("temperature_celsius", "Temperature of the machine's hottest sensor.", status["temperature_c"])
        yield _gauge(
            "history_failing", "1 if the history file cannot be written, else 0.", _is_failing(status["history"])
        )
        yield _gauge("unsaved_verdicts", "Verdicts that are not in the history file yet.", status["history_unsaved"])
        yield _counter("lost_verdicts", "Verdicts that the history file lacks for good.", status["history_lost"])
        yield _gauge("mqtt_failing", "1 if the MQTT broker is not connected, else 0.", _is_failing(status["mqtt"]))
        yield _gauge(
            "subscribers", "Subscribers of the station's events: event streams and MQTT.", station.hub.subscribers
        )
        yield _counter("lost_events", "Events that slow subscribers lost.", station.hub.lost)
        if self._throttle is not None:
            yield _counter("wrong_tokens", "Requests with a wrong token.", self._throttle.wrong)
            yield _counter("throttled_tokens", "Requests refused after too many wrong tokens.", self._throttle.refused)
        yield from list(self._process.collect()) or _process_metrics()


def _process_metrics() -> Iterator[Metric]:
    """Yield what is known without /proc, under `ProcessCollector`'s names: resident memory is not, only its peak."""
    yield CounterMetricFamily(
        "process_cpu_seconds", "Total user and system CPU time spent in seconds.", process.cpu_s()
    )


def _is_failing(state: str | None) -> float | None:
    return None if state in (None, "memory") else float(state in ("failing", "read_only"))


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _gauge(name: str, help_text: str, value: float | None) -> Metric:
    family = GaugeMetricFamily(f"genre_edge_{name}", help_text)
    if value is not None:
        family.add_metric([], value)
    return family


def _counter(name: str, help_text: str, value: float) -> Metric:
    return CounterMetricFamily(f"genre_edge_{name}", help_text, value=value)


def _info(name: str, help_text: str, labels: dict[str, str]) -> Metric:
    family = GaugeMetricFamily(f"{name}_info", help_text, labels=list(labels))
    family.add_metric(list(labels.values()), 1)
    return family


def _counters(name: str, help_text: str, label: str, counts: Counter[str]) -> Metric:
    family = CounterMetricFamily(f"genre_edge_{name}", help_text, labels=[label])
    for value, count in sorted(counts.copy().items()):
        family.add_metric([value], count)
    return family


def _of(names: list[str], counts: Counter[str]) -> Counter[str]:
    """Return the counts of the names that a model has, also those that are 0."""
    return Counter({name: counts[name] for name in names})
