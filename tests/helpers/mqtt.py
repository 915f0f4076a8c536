"""A real Mosquitto on a loopback port, and somebody who hears all that it is told."""

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

from tests.helpers.station import eventually

# Debian keeps it where users have no PATH.
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
real_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed (apt install mosquitto)")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Mosquitto:
    """A broker that forgets all when it stops; `lines` are added to its configuration."""

    def __init__(self, folder: Path, lines: str = "allow_anonymous true") -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        # As root it would become another user, who may not read what tests write.
        user = f"user {getpass.getuser()}"
        self._config.write_text(f"listener {self.port} 127.0.0.1\npersistence false\n{user}\n{lines}\n")
        self.start()

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", self._config], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        eventually(self._answers)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


class Ear:
    """Subscribes to everything; `topics` has the newest message of each topic, and `log` all of them in order."""

    def __init__(self, port: int, user: str | None = None, password: str | None = None) -> None:
        self.topics: dict[str, Any] = {}
        self.retained: set[str] = set()
        self.log: list[tuple[str, Any]] = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(user, password)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._heard
        self._client.reconnect_delay_set(1, 1)
        self._ready = threading.Event()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(20)

    def _heard(self, client: Client, data: object, message: Any) -> None:
        text = message.payload.decode()
        content = json.loads(text) if text.startswith("{") else text
        self.topics[message.topic] = content
        self.log.append((message.topic, content))
        if message.retain:
            self.retained.add(message.topic)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
