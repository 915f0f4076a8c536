"""A real Mosquitto broker on a loopback port, and a client that records all messages."""

import getpass
import json
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from genre_edge.station.mqtt.broker_address import BrokerAddress
from genre_edge.station.mqtt.client import BrokerClient
from genre_edge.station.mqtt.publisher import MqttPublisher
from genre_edge.station.station import Station
from tests.conftest import TIMEOUT_S
from tests.helpers.station import eventually

# Debian installs it in /usr/sbin, which is not in the PATH of users.
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
requires_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed (apt install mosquitto)")


def free_port() -> int:
    """Return a TCP port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Mosquitto:
    """A broker without persistence; `lines` are added to its configuration."""

    def __init__(self, folder: Path, lines: str = "allow_anonymous true") -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        # Started as root, it would switch to another user, who cannot read the test's files.
        user = f"user {getpass.getuser()}"
        self._config.write_text(f"listener {self.port} 127.0.0.1\npersistence false\n{user}\n{lines}\n")
        self.start()

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", self._config], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        eventually(self._accepts_connections)

    def _accepts_connections(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(TIMEOUT_S)


class MqttSubscriber:
    """A client that subscribes to all topics.

    Attributes:
        topics: the latest message of each topic.
        retained: topics with a retained message.
        log: all messages in order, as (topic, content).
    """

    def __init__(self, port: int, user: str | None = None, password: str | None = None) -> None:
        self.topics: dict[str, Any] = {}
        self.retained: set[str] = set()
        self.log: list[tuple[str, Any]] = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(user, password)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._subscribed = threading.Event()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(TIMEOUT_S)

    def _on_message(self, client: Client, data: object, message: Any) -> None:
        text = message.payload.decode(errors="replace")
        content = json.loads(text) if text.startswith("{") else text
        self.topics[message.topic] = content
        self.log.append((message.topic, content))
        if message.retain:
            self.retained.add(message.topic)

    def publish(self, topic: str, content: str | bytes, retain: bool = False) -> None:
        """Publish a message, which the subscriber also receives."""
        self._client.publish(topic, content, qos=1, retain=retain).wait_for_publish(TIMEOUT_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def start_publisher(station: Station, url: str) -> MqttPublisher:
    """Connect a station to the broker at `url` in the background."""
    client = BrokerClient(BrokerAddress.from_url(url))
    station.mqtt_state = client.state
    publisher = MqttPublisher(station, client)
    publisher.start()
    return publisher
