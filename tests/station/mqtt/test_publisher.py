"""MqttPublisher with a real Mosquitto: when verdicts and health are published, and with which content."""

import json
import logging
from typing import Any

import pytest

from genre_edge.station.mqtt import home_assistant
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
    discovery = home_assistant.discovery_topic(home_assistant.node_id("house/music"))
    topics = {discovery, *(f"house/music/{name}" for name in ("availability", "verdict", "health"))}
    eventually(lambda: topics == late.retained)
    assert late.topics["house/music/verdict"] == published and published["id"] == verdict["id"]
    assert late.topics[discovery]["cmps"]["genre"]["state_topic"] == "house/music/verdict"
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


def test_close_while_publishing(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last availability is `offline` if the publisher is closed while its thread publishes everything."""
    published: list[tuple[str, Any]] = []
    client = BrokerClient(BrokerAddress("nowhere", 1, False, "p"))
    publisher = MqttPublisher(station, client)

    def publish(name: str, content: Any) -> None:
        published.append((name, content))
        if name == "health":
            publisher.close()

    monkeypatch.setattr(client, "publish", publish)
    publisher._publish_all()
    assert [content for name, content in published if name == "availability"][-1] == "offline"


@requires_mosquitto
def test_publishes_styles_and_sounds(broker: Mosquitto, subscriber: MqttSubscriber) -> None:
    """A broker receives the sensors of a model with styles and sounds, and their states."""
    with styled_station() as station:
        publisher = start_publisher(station, f"mqtt://127.0.0.1:{broker.port}/styled")
        discovery = home_assistant.discovery_topic(home_assistant.node_id("styled"))
        eventually(lambda: subscriber.topics.get("styled/availability") == "online")
        publisher.close()
    components = subscriber.topics[discovery]["cmps"]
    assert components["style"]["options"] == ["dark", "bass", "bright", "none"]
    assert components["sound"]["options"] == ["music", "speech", "noise", "silence"]
    verdict = subscriber.topics["styled/verdict"]
    assert (verdict["heard"], verdict["style"], verdict["heard_sound"]) == ("silence", None, "silence")


# Migration from one discovery message for each entity


@requires_mosquitto
def test_migration(
    broker: Mosquitto, subscriber: MqttSubscriber, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entities of an earlier version are unloaded, announced with the device, and their messages deleted, in order.

    Messages of other devices, and of entities that a user has added to the device, are kept.
    """
    monkeypatch.setattr(publisher_module, "_POLL_S", 0.02)
    node = home_assistant.node_id("genre-edge")
    discovery = home_assistant.discovery_topic(node)
    old = [f"homeassistant/sensor/{node}/genre/config", f"homeassistant/binary_sensor/{node}/music/config"]
    own = [f"homeassistant/button/{node}/my_own_button/config", f"homeassistant/binary_sensor/{node}/genre/config"]
    others = ["homeassistant/sensor/genre_edge_other/genre/config", *own]
    for topic in [*old, *others]:
        subscriber.publish(topic, json.dumps({"unique_id": topic}), retain=True)
    eventually(lambda: set(others) <= set(subscriber.topics))
    publisher = start_publisher(station, f"mqtt://127.0.0.1:{broker.port}/genre-edge")
    eventually(lambda: all(subscriber.topics[topic] == "" for topic in old))
    eventually(lambda: discovery in subscriber.topics)
    for topic in old:
        contents = [content for name, content in subscriber.log if name in (topic, discovery)]
        assert contents[-3] == {"migrate_discovery": True} and "cmps" in contents[-2] and contents[-1] == ""
    assert [subscriber.topics[topic] for topic in others] == [{"unique_id": topic} for topic in others]
    late = MqttSubscriber(broker.port)
    eventually(lambda: {discovery, *others} <= late.retained)
    assert not late.retained & set(old)
    late.close()
    publisher.close()


@requires_mosquitto
def test_no_migration(
    broker: Mosquitto, subscriber: MqttSubscriber, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without messages of an earlier version, the device's message is published once for each connection."""
    monkeypatch.setattr(publisher_module, "_POLL_S", 0.02)
    monkeypatch.setattr(publisher_module, "HEALTH_INTERVAL_S", 0.05)
    publisher = start_publisher(station, f"mqtt://127.0.0.1:{broker.port}/genre-edge")
    eventually(lambda: sum(topic == "genre-edge/health" for topic, _ in subscriber.log) >= 8)
    publisher.close()
    discovery = [topic for topic, _ in subscriber.log if topic.startswith("homeassistant/")]
    assert discovery == [home_assistant.discovery_topic(home_assistant.node_id("genre-edge"))]


# Pause


@requires_mosquitto
def test_pause(broker: Mosquitto, subscriber: MqttSubscriber, station: Station, source: QueueSource) -> None:
    """ON pauses the station and OFF ends the pause; the health message follows at once, retained."""
    publisher = start_publisher(station, f"mqtt://127.0.0.1:{broker.port}/genre-edge")
    eventually(lambda: subscriber.topics.get("genre-edge/availability") == "online")
    source.feed_music(2)
    eventually(lambda: "genre-edge/verdict" in subscriber.topics)
    assert subscriber.topics["genre-edge/health"]["paused"] is False
    for command, paused in (("ON", True), ("ON", True), ("OFF", False)):
        subscriber.publish("genre-edge/pause/set", command)
        eventually(lambda paused=paused: station.paused == paused)
        eventually(lambda paused=paused: subscriber.topics["genre-edge/health"]["paused"] == paused)
        assert subscriber.topics["genre-edge/health"]["listening"] is False or not paused
    late = MqttSubscriber(broker.port)
    eventually(lambda: "genre-edge/health" in late.retained)
    assert late.topics["genre-edge/health"]["paused"] is False
    late.close()
    publisher.close()


@requires_mosquitto
def test_pause_survives_reconnect(broker: Mosquitto, subscriber: MqttSubscriber, station: Station) -> None:
    """The pause lasts while the broker is away, and is published to the new broker."""
    publisher = start_publisher(station, f"mqtt://127.0.0.1:{broker.port}/genre-edge")
    eventually(lambda: subscriber.topics.get("genre-edge/availability") == "online")
    subscriber.publish("genre-edge/pause/set", "ON")
    eventually(lambda: station.paused)
    broker.stop()
    eventually(lambda: station.status()["mqtt"] == "failing")
    broker.start()
    late = MqttSubscriber(broker.port)
    eventually(lambda: late.topics.get("genre-edge/availability") == "online")
    assert station.paused and late.topics["genre-edge/health"]["paused"] is True
    late.close()
    publisher.close()


@requires_mosquitto
def test_retained_command_ignored(
    broker: Mosquitto, subscriber: MqttSubscriber, station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    """A command that the broker retained is not carried out; a new one is."""
    subscriber.publish("genre-edge/pause/set", "ON", retain=True)
    eventually(lambda: "genre-edge/pause/set" in subscriber.topics)
    publisher = start_publisher(station, f"mqtt://127.0.0.1:{broker.port}/genre-edge")
    eventually(lambda: "ignoring the retained message b'ON' to genre-edge/pause/set" in caplog.text)
    assert not station.paused
    subscriber.publish("genre-edge/pause/set", "ON", retain=True)
    eventually(lambda: station.paused)
    publisher.close()


@requires_mosquitto
def test_invalid_command_ignored(
    broker: Mosquitto, subscriber: MqttSubscriber, station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    """Other contents change nothing and are logged, one line each, shortened; many are suppressed."""
    caplog.set_level(logging.WARNING)
    publisher = start_publisher(station, f"mqtt://127.0.0.1:{broker.port}/genre-edge")
    eventually(lambda: subscriber.topics.get("genre-edge/availability") == "online")
    for content in (b"", b"on", b"{}", b"\xff\x00" + 5000 * b"x", *[b"true"] * 50):
        subscriber.publish("genre-edge/pause/set", content)
    subscriber.publish("genre-edge/pause/set", "ON")
    eventually(lambda: station.paused)
    publisher.close()
    lines = [record.message for record in caplog.records if "ignoring" in record.message]
    assert lines[1] == "MQTT: ignoring the invalid message b'on' to genre-edge/pause/set"
    assert len(lines) == 5 and max(map(len, lines)) < 200
