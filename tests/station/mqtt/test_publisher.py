"""MqttPublisher with a real Mosquitto: when verdicts and health are published, and with which content."""

from typing import Any

import pytest

from genre_edge.station.mqtt import publisher as publisher_module
from genre_edge.station.mqtt.broker_address import BrokerAddress
from genre_edge.station.mqtt.client import BrokerClient
from genre_edge.station.mqtt.publisher import MqttPublisher
from genre_edge.station.station import Station
from tests.helpers.mqtt import Mosquitto, MqttSubscriber, requires_mosquitto, start_publisher
from tests.helpers.station import QueueSource, eventually, styled_station


@requires_mosquitto
def test_publishes_retained(
    broker: Mosquitto, subscriber: MqttSubscriber, station: Station, source: QueueSource
) -> None:
    """A later subscriber receives availability, verdict, health and discovery; `close` publishes `offline`."""
    publisher = start_publisher(station, f"mqtt://127.0.0.1:{broker.port}/house/music")
    eventually(lambda: subscriber.topics.get("house/music/availability") == "online")
    source.feed_music(2)
    eventually(lambda: station.status()["position_s"] == 2.0)
    eventually(
        lambda: subscriber.topics.get("house/music/verdict", {}).get("time") == (station.verdict or {}).get("time", 0)
    )
    published, verdict = subscriber.topics["house/music/verdict"], station.verdict
    assert verdict is not None
    assert published["heard"] == (verdict["genre"] or verdict["reason"])
    assert published["confidence_percent"] == round(100 * verdict["confidence"], 1)
    assert published["genres"] == {one["genre"]: one["probability"] for one in verdict["genres"]}
    late = MqttSubscriber(broker.port)
    topics = {f"house/music/{name}" for name in ("availability", "verdict", "health")}
    eventually(lambda: topics <= late.retained)
    assert late.topics["house/music/verdict"] == published
    assert sum(topic.startswith("homeassistant/") for topic in late.retained) >= 7
    late.close()
    publisher.close()
    eventually(lambda: subscriber.topics["house/music/availability"] == "offline")


@requires_mosquitto
def test_listening_change(
    broker: Mosquitto,
    subscriber: MqttSubscriber,
    station: Station,
    source: QueueSource,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Health is published when `listening` changes."""
    monkeypatch.setattr(publisher_module, "_POLL_S", 0.02)
    publisher = start_publisher(station, f"mqtt://127.0.0.1:{broker.port}/genre-edge")
    eventually(lambda: subscriber.topics.get("genre-edge/health", {}).get("listening") is False)
    source.feed_music(1)
    eventually(lambda: subscriber.topics["genre-edge/health"]["listening"] is True)
    monkeypatch.setattr("genre_edge.station.station.MAX_SAMPLE_AGE_S", 0.0)
    eventually(lambda: subscriber.topics["genre-edge/health"]["listening"] is False)
    publisher.close()


@requires_mosquitto
def test_health_interval(
    broker: Mosquitto, subscriber: MqttSubscriber, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Health is published in regular intervals."""
    monkeypatch.setattr(publisher_module, "_POLL_S", 0.02)
    monkeypatch.setattr(publisher_module, "HEALTH_INTERVAL_S", 0.05)
    publisher = start_publisher(station, f"mqtt://127.0.0.1:{broker.port}/genre-edge")
    eventually(lambda: sum(topic == "genre-edge/health" for topic, _ in subscriber.log) >= 4)
    assert subscriber.topics["genre-edge/health"]["memory_mb"] > 5
    publisher.close()


def test_no_verdict_yet(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first verdict none is published."""
    published: list[Any] = []
    client = BrokerClient(BrokerAddress("nowhere", 1, False, "p"))
    monkeypatch.setattr(client, "publish", lambda *message: published.append(message))
    MqttPublisher(station, client)._publish_verdict()
    assert published == []


@requires_mosquitto
def test_publishes_styles_and_sounds(broker: Mosquitto, subscriber: MqttSubscriber) -> None:
    """A broker receives the sensors of a model with styles and sounds, and their states."""
    with styled_station() as station:
        publisher = start_publisher(station, f"mqtt://127.0.0.1:{broker.port}/styled")
        eventually(lambda: subscriber.topics.get("styled/availability") == "online")
        publisher.close()
    options = {
        topic.split("/")[3]: content.get("options")
        for topic, content in subscriber.topics.items()
        if "/config" in topic
    }
    assert options["style"] == ["dark", "bass", "bright", "none"]
    assert options["sound"] == ["music", "speech", "noise", "silence"]
    verdict = subscriber.topics["styled/verdict"]
    assert (verdict["heard"], verdict["style"], verdict["heard_sound"]) == ("silence", None, "silence")
