"""`MqttPublisher`: a station's verdicts and health as retained MQTT messages, Home Assistant discovery, and a pause.

Topics:
    PREFIX/availability   online or offline; offline is also the last will
    PREFIX/verdict        {"id", "time", "heard": genre or reason, "genre", "reason", "confidence",
                          "confidence_percent", ...}
                          "styles" {name: probability}, "style" (the first that includes no other of them, or null),
                          if the model has styles;
                          "sound", "heard_sound" (the sound or "music"), if it tells sounds apart
    PREFIX/health         values from /api/v1/status, every 30 s and when `listening` or `paused` changes
    PREFIX/pause/set      command: ON pauses the station, OFF ends the pause

PREFIX is the prefix in the broker's URL, or genre-edge/NODE, where NODE identifies this machine
(`home_assistant.node_id`). Nothing is queued during an outage; after it, all current values are published again.
A pause lasts until a command or the end of the service. A command that the broker retained is old, so it is ignored.
"""

import logging
import threading
import time
from queue import SimpleQueue
from typing import Any

from paho.mqtt.client import MQTTMessage

from genre_edge.station.mqtt import home_assistant
from genre_edge.station.mqtt.client import AVAILABILITY, BrokerClient
from genre_edge.station.station import SILENCE, Station, heard_sound
from genre_edge.system.log_limit import limit_log

log = logging.getLogger("genre_edge.mqtt")

HEALTH_INTERVAL_S = 30.0
_POLL_S = 1.0  # interval at which `listening` is checked for changes
_MAX_LOGGED = 40  # bytes of an invalid command
_AUDIO_KEYS = ("listening", "level_db", "dropped_samples", "outages", "lag_ms", "position_s")
_SERVICE_KEYS = ("paused", "uptime_s", "history")
_MACHINE_KEYS = ("cpu_percent", "memory_mb", "temperature_c")
_SHARE_KEYS = ("music_share", "not_music_share", "silence_share")
_VERDICT_KEYS = ("id", "genre", "reason", "confidence", "start_s", "end_s", "time", *_SHARE_KEYS)


class MqttPublisher:
    """Publisher of a station's verdicts and health, with its own thread.

    Args:
        station: source of verdicts and health.
        client: connection to the broker; started and closed by the publisher.
        page_url: address of the station's web page in the network; None without one.
    """

    def __init__(self, station: Station, client: BrokerClient, page_url: str | None = None) -> None:
        self._station, self._client, self._page_url = station, client, page_url
        self._wake = threading.Event()
        self._stopping = False
        self._availability_lock = threading.Lock()  # held to publish `online`: none may follow `offline`
        self._all_due = False  # there is a new connection
        self._entity_topics = SimpleQueue[str]()  # of retained discovery messages of an earlier version
        limit_log(log.name)
        self._subscription = station.hub.subscribe({"verdict"}, self._wake.set)
        self._thread = threading.Thread(target=self._run, name="mqtt publisher", daemon=True)

    def start(self) -> None:
        """Connect and publish in the background."""
        address = self._client.address
        self._client.subscribe(home_assistant.pause_topic(address.base_topic), self._on_command)
        for topic in home_assistant.entity_topics(address.node_id):
            self._client.subscribe(topic, self._on_entity)
        self._client.start(self._on_connected)
        self._thread.start()

    def close(self) -> None:
        """Publish `offline` and disconnect; waits at most one second."""
        with self._availability_lock:
            self._stopping = True
        self._wake.set()
        self._subscription.close()
        self._client.close()

    def _run(self) -> None:
        published_s, old_state = time.monotonic(), self._state()
        while True:
            self._wake.wait(_POLL_S)
            self._wake.clear()
            if self._stopping:
                return
            if self._all_due:
                self._all_due = False
                self._publish_all()
            if self._subscription.drain():
                self._publish_verdict()
            now_s, state = time.monotonic(), self._state()
            if state != old_state or now_s - published_s >= HEALTH_INTERVAL_S:
                published_s, old_state = now_s, state
                self._publish_health()
            if not self._entity_topics.empty():
                self._publish_discovery()

    def _state(self) -> tuple[bool, bool]:
        return self._station.listening, self._station.paused

    def _on_connected(self) -> None:
        """Let the publisher's thread publish everything at its next poll.

        By then paho has sent what the last connection did not acknowledge, which is older, and the retained discovery
        messages of an earlier version have arrived.
        """
        self._all_due = True

    def _on_command(self, message: MQTTMessage) -> None:
        """Pause or resume the station."""
        command = {b"ON": self._station.pause, b"OFF": self._station.resume}.get(bytes(message.payload))
        if command is None or message.retain:
            kind = "retained" if message.retain else "invalid"
            log.warning("MQTT: ignoring the %s message %r to %s", kind, message.payload[:_MAX_LOGGED], message.topic)
            return
        command()
        self._wake.set()

    def _on_entity(self, message: MQTTMessage) -> None:
        """Remember a discovery message of an earlier version."""
        if message.retain and message.payload:
            self._entity_topics.put(message.topic)

    def _publish_all(self) -> None:
        """Publish discovery, health and the latest verdict, then `online`; a new broker has none of them."""
        self._publish_discovery()
        self._publish_health()
        self._publish_verdict()
        with self._availability_lock:
            if not self._stopping:
                self._client.publish(AVAILABILITY, "online")

    def _publish_discovery(self) -> None:
        """Publish the discovery message. It replaces those of an earlier version, which are deleted.

        https://www.home-assistant.io/integrations/mqtt/#migration-from-single-component-to-device-based-discovery
        """
        topics = {self._entity_topics.get() for _ in range(self._entity_topics.qsize())}
        for topic in topics:
            self._client.publish_to(topic, home_assistant.MIGRATE, retain=False)
        if topics:
            time.sleep(_POLL_S)  # while Home Assistant releases the entities
        node = self._client.address.node_id
        self._client.publish_to(home_assistant.discovery_topic(node), self._discovery_message())
        for topic in topics:
            self._client.publish_to(topic, "")

    def _discovery_message(self) -> dict[str, Any]:
        status, bundle, address = self._station.status(), self._station.bundle, self._client.address
        return home_assistant.discovery_message(
            address.node_id,
            address.base_topic,
            self._station.labels,
            f"{bundle.name} {bundle.version}",
            has_temperature=status["temperature_c"] is not None,
            styles=[style.name for style in bundle.styles],
            sounds=[*bundle.sounds, SILENCE] if bundle.sounds else [],
            page_url=self._page_url,
        )

    def _publish_verdict(self) -> None:
        verdict = self._station.verdict
        if verdict is None:
            return
        confidence = verdict["confidence"]
        percent = None if confidence is None else round(100 * confidence, 1)
        self._client.publish(
            "verdict",
            {"heard": verdict["genre"] or verdict["reason"], "confidence_percent": percent}
            | {key: verdict.get(key) for key in _VERDICT_KEYS}
            | {
                "genres": {entry["genre"]: entry["probability"] for entry in verdict["genres"]},
                "source": verdict["source"],
            }
            | self._styles_and_sound(verdict),
        )

    def _styles_and_sound(self, verdict: dict[str, Any]) -> dict[str, Any]:
        """Return styles and sound of a verdict, as far as the model has them."""
        bundle, content = self._station.bundle, dict[str, Any]()
        if bundle.styles:
            styles = {entry["style"]: entry["probability"] for entry in verdict["styles"]}
            parents = {entry["parent"] for entry in verdict["styles"]}
            content |= {"styles": styles, "style": next((name for name in styles if name not in parents), None)}
        if bundle.sounds:
            content |= {"sound": verdict["sound"], "heard_sound": heard_sound(verdict)}
        return content

    def _publish_health(self) -> None:
        status = self._station.status()
        self._client.publish("health", {key: status[key] for key in (*_AUDIO_KEYS, *_SERVICE_KEYS, *_MACHINE_KEYS)})
