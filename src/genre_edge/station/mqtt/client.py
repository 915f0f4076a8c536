"""What is heard, by MQTT: retained messages under a prefix, and Home Assistant discovery.

    PREFIX/availability   online or offline, the latter also as last will
    PREFIX/verdict        {"heard": genre or reason, "genre", "reason", "confidence", "confidence_percent", "time", ...}
    PREFIX/health         the figures of /api/v1/status, every half minute and when listening begins or ends

The prefix is that of the broker's address, or genre-edge/NODE, where NODE identifies this machine
(home_assistant.node_id).
A broker that is away is tried again and again, and told all that counts when it is back; nothing piles up meanwhile.
"""

import contextlib
import json
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from genre_edge.errors import ParameterError
from genre_edge.station.mqtt import home_assistant
from genre_edge.station.station import Station

log = logging.getLogger("genre_edge")

HEALTH_S = 30.0
_FORM = "mqtt://[USER:PASSWORD@]HOST[:PORT][/PREFIX], mqtts for TLS"
_PREFIX = "genre-edge"
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_SHORTEST_S, _LONGEST_S = 1, 60  # between tries
_KEEPALIVE_S = 30
_LOOK_S = 1.0  # between looks at whether it listens
_FAREWELL_S = 0.5
_FIGURES = ("listening", "level_db", "dropped_samples", "outages", "lag_ms", "position_s", "uptime_s", "history")
_MACHINE = ("cpu_percent", "memory_mb", "temperature_c")


@dataclass(frozen=True)
class Broker:
    """Where to publish. Its text form has no password."""

    host: str
    port: int
    tls: bool
    prefix: str  # as it is given, or empty
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def node(self) -> str:
        """By what Home Assistant knows this station."""
        return home_assistant.node_id(self.prefix or _PREFIX)

    @property
    def root(self) -> str:
        """Of all topics; without a given one, each machine has its own."""
        return self.prefix or f"{_PREFIX}/{self.node}"

    @classmethod
    def of_url(cls, url: str) -> "Broker":
        """Raises ParameterError, which does not tell the address, as a password may be in it."""
        try:
            url.encode()  # an argument's stray bytes
            parts = urlsplit(url)
            port = parts.port
            (parts.hostname or "").encode("idna")
        except ValueError:
            raise ParameterError(f"the broker must be {_FORM}; the address has a wrong host or port") from None
        prefix = unquote(parts.path).strip("/")
        if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment or port == 0:
            raise ParameterError(f"the broker must be {_FORM}")
        if len(prefix.encode()) > 200 or not prefix.isprintable() or set("+#$") & set(prefix):
            raise ParameterError("the prefix must be printable, at most 200 bytes, without + # $")
        user, password = (None if part is None else unquote(part) for part in (parts.username, parts.password))
        return cls(parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "mqtts", prefix, user, password)


class Mqtt:
    """Tells one broker about one station, in threads of its own."""

    def __init__(self, station: Station, broker: Broker) -> None:
        self._station, self._broker = station, broker
        self._state = ""  # as last logged
        station.broker = "failing"  # until it is connected
        self._wake = threading.Event()
        self._stopping = False
        self._subscription = station.hub.subscribe({"verdict"}, self._wake.set)
        self._client = self._made()
        self._teller = threading.Thread(target=self._tell, name="mqtt teller", daemon=True)

    def _made(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2)
        if self._broker.user is not None:
            client.username_pw_set(self._broker.user, self._broker.password)
        if self._broker.tls:
            client.tls_set()
        client.will_set(self._topic("availability"), "offline", qos=1, retain=True)
        client.reconnect_delay_set(_SHORTEST_S, _LONGEST_S)
        client.max_queued_messages_set(100)
        client.on_connect = self._on_connect
        client.on_connect_fail = lambda *_: self._log("cannot be reached")
        client.on_disconnect = self._on_disconnect
        return client

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._client.connect_async(self._broker.host, self._broker.port, _KEEPALIVE_S)
        self._client.loop_start()
        self._teller.start()

    def close(self) -> None:
        """Say goodbye, and wait a moment for that at most."""
        self._stopping = True
        self._wake.set()
        self._subscription.close()
        farewell = self._publish("availability", "offline")
        with contextlib.suppress(RuntimeError, ValueError):  # the connection has gone meanwhile
            if farewell is not None:
                farewell.wait_for_publish(_FAREWELL_S)
        self._client.disconnect()
        # A broker that does not answer may hold paho's thread for longer than anybody wants to wait.
        ending = threading.Thread(target=self._client.loop_stop, daemon=True)
        ending.start()
        ending.join(_FAREWELL_S)

    def _tell(self) -> None:
        told_s, listening = time.monotonic(), self._station.listening
        while True:
            self._wake.wait(_LOOK_S)
            self._wake.clear()
            if self._stopping:
                return
            if self._subscription.take():
                self._publish_verdict()
            now_s, now = time.monotonic(), self._station.listening
            if now != listening or now_s - told_s >= HEALTH_S:
                told_s, listening = now_s, now
                self._publish_health()

    def _on_connect(
        self, client: Client, data: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._log(f"refused: {reason}")
            return
        self._log("connected")
        status, bundle = self._station.status(), self._station.bundle
        model = f"{bundle.name} {bundle.version}"
        broker, warm = self._broker, status["temperature_c"] is not None
        for topic, content in home_assistant.messages(broker.node, broker.root, bundle.labels, model, warm).items():
            client.publish(topic, json.dumps(content), qos=1, retain=True)
        self._publish_health()
        self._publish_verdict()
        self._publish("availability", "online")

    def _on_disconnect(
        self, client: Client, data: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure and self._state == "connected" and not self._stopping:
            self._log("connection lost; trying again")

    def _log(self, state: str) -> None:
        """One line a change of state."""
        if state != self._state:
            self._state = state
            self._station.broker = "connected" if state == "connected" else "failing"
            log.warning("MQTT broker %s: %s", self._broker, state)

    def _publish_verdict(self) -> None:
        verdict = self._station.verdict
        if verdict is None:
            return
        confidence = verdict["confidence"]
        told = {name: verdict[name] for name in ("genre", "reason", "confidence", "start_s", "end_s", "time")}
        percent = None if confidence is None else round(100 * confidence, 1)
        self._publish(
            "verdict",
            {"heard": verdict["genre"] or verdict["reason"], "confidence_percent": percent}
            | told
            | {"genres": {one["genre"]: one["probability"] for one in verdict["genres"]}, "source": verdict["source"]},
        )

    def _publish_health(self) -> None:
        status = self._station.status()
        self._publish("health", {name: status[name] for name in (*_FIGURES, *_MACHINE)})

    def _publish(self, name: str, content: Any) -> MQTTMessageInfo | None:
        """Retained; while there is no connection it is dropped, as all is told anew with the next one."""
        if not self._client.is_connected():
            return None
        text = content if isinstance(content, str) else json.dumps(content, allow_nan=False)
        return self._client.publish(self._topic(name), text, qos=1, retain=True)

    def _topic(self, name: str) -> str:
        return f"{self._broker.root}/{name}"
