"""`BrokerClient`: a connection to one MQTT broker that reconnects automatically."""

import contextlib
import json
import logging
import threading
from collections.abc import Callable
from typing import Any, Literal

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from genre_edge.station.mqtt.broker_address import BrokerAddress

log = logging.getLogger("genre_edge")

AVAILABILITY = "availability"
_MIN_RECONNECT_S, _MAX_RECONNECT_S = 1, 60
_KEEPALIVE_S = 30
_MAX_QUEUED_MESSAGES = 100
_CLOSE_TIMEOUT_S = 0.5


class BrokerClient:
    """Client that publishes and receives messages with QoS 1, in paho's thread.

    The topic BASE/availability is set to `offline` by the last will and by `close`. Each change of state is logged.

    Attributes:
        address: the broker's address.
    """

    def __init__(self, address: BrokerAddress) -> None:
        self.address = address
        self._logged_state = ""
        self._closing = False
        self._on_connected: Callable[[], None] = lambda: None
        self._subscriptions: list[str] = []
        self._client = self._create_client()

    def _create_client(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2)
        if self.address.user is not None:
            client.username_pw_set(self.address.user, self.address.password)
        if self.address.tls:
            client.tls_set()
        client.will_set(self._topic(AVAILABILITY), "offline", qos=1, retain=True)
        client.reconnect_delay_set(_MIN_RECONNECT_S, _MAX_RECONNECT_S)
        client.max_queued_messages_set(_MAX_QUEUED_MESSAGES)
        client.on_connect = self._on_connect
        client.on_connect_fail = lambda *_: self._set_state("cannot be reached; retrying")
        client.on_disconnect = self._on_disconnect
        return client

    def state(self) -> Literal["connected", "failing"]:
        """Return the connection state; it is `failing` before the first connection."""
        return "connected" if self._logged_state == "connected" else "failing"

    def subscribe(self, topic_filter: str, on_message: Callable[[MQTTMessage], None]) -> None:
        """Call `on_message` in paho's thread with each message of the matching topics. Must precede `start`."""
        self._subscriptions.append(topic_filter)
        self._client.message_callback_add(topic_filter, lambda client, data, message: on_message(message))

    def start(self, on_connected: Callable[[], None]) -> None:
        """Connect in the background; `on_connected` is called in paho's thread after each connection."""
        self._on_connected = on_connected
        self._client.connect_async(self.address.host, self.address.port, _KEEPALIVE_S)
        self._client.loop_start()

    def publish(self, name: str, content: Any) -> MQTTMessageInfo | None:
        """Publish text, or an object as JSON, to the topic BASE/`name`, retained.

        Without a connection the message is dropped.
        """
        return self.publish_to(self._topic(name), content)

    def publish_to(self, topic: str, content: Any, retain: bool = True) -> MQTTMessageInfo | None:
        """Publish to a complete topic; otherwise like `publish`."""
        if not self._client.is_connected():
            return None
        text = content if isinstance(content, str) else json.dumps(content, allow_nan=False)
        return self._client.publish(topic, text, qos=1, retain=retain)

    def close(self) -> None:
        """Publish `offline` and disconnect; waits at most one second."""
        self._closing = True
        message = self.publish(AVAILABILITY, "offline")
        with contextlib.suppress(RuntimeError, ValueError):  # the connection was lost
            if message is not None:
                message.wait_for_publish(_CLOSE_TIMEOUT_S)
        self._client.disconnect()
        # loop_stop() joins paho's thread, which a broker that does not respond can block for long.
        stopper = threading.Thread(target=self._client.loop_stop, daemon=True)
        stopper.start()
        stopper.join(_CLOSE_TIMEOUT_S)

    def _on_connect(
        self, client: Client, data: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._set_state(f"connection refused: {reason}; retrying")
            return
        self._set_state("connected")
        for topic_filter in self._subscriptions:
            client.subscribe(topic_filter, qos=1)
        self._on_connected()

    def _on_disconnect(
        self, client: Client, data: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure and self._logged_state == "connected" and not self._closing:
            self._set_state("connection lost; reconnecting")

    def _set_state(self, state: str) -> None:
        """Remember the state, and log it if it has changed."""
        if state != self._logged_state:
            self._logged_state = state
            log.warning("MQTT broker %s: %s", self.address, state)

    def _topic(self, name: str) -> str:
        return f"{self.address.base_topic}/{name}"
