"""A station on a real socket, and clients that say what a test lets them say."""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

from genre_edge.station.http import app as web
from genre_edge.station.http.event_stream import end_streams
from genre_edge.station.http.guard import Token
from genre_edge.station.http.server import Server, bind
from tests.helpers.bundles import RATE
from tests.helpers.station import QueueSource, eventually, make_station

Event = tuple[str, dict[str, Any]]


class Running:
    """A station that listens to what a test feeds, and its server."""

    def __init__(self, token: str | None = None) -> None:
        self.source = QueueSource()
        self.station = make_station(self.source)
        self.listener = bind("127.0.0.1", 0)
        self.port = self.listener.getsockname()[1]
        app = web.application(self.station, Token(token) if token else None, frozenset(["127.0.0.1"]))
        self.server = Server(app, self.listener)
        self.station.start()
        self.server.start()

    def stop(self) -> None:
        self.station.stop()
        end_streams(self.station)
        self.server.stop()
        assert self.server.join(10) and self.station.join(10)
        self.station.history.close()

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def connect(self, *words: bytes, address: str = "127.0.0.1") -> socket.socket:
        """A client that says this and no more; `address`, its own, is any of 127.0.0.0/8."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(address, 0))
        client.sendall(b"".join(words))
        return client

    def stream(self, address: str = "127.0.0.1") -> socket.socket:
        """A client of the event stream that does not read it yet."""
        return self.connect(b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", address=address)

    def undisturbed(self) -> None:
        """The audio path goes on whatever clients do."""
        self.source.feed_music(1)
        self.all_heard()

    def all_heard(self) -> None:
        """Wait until all that was fed is heard."""
        eventually(lambda: abs(self.station.status()["position_s"] - self.source.position / RATE) < 0.002)


def told(client: socket.socket) -> Iterator[Event]:
    """The events of a stream as they come."""
    with client.makefile("rb") as file:
        assert file.readline() == b"HTTP/1.1 200 OK\r\n"
        for line in file:
            if line.startswith(b"event: "):
                yield line[7:].strip().decode(), json.loads(next(file).removeprefix(b"data: "))


def gone(client: socket.socket) -> bool:
    """Whether the server has hung up."""
    client.settimeout(20)
    try:
        while client.recv(1 << 20):
            pass
    except ConnectionResetError:
        pass
    return True


def refused(client: socket.socket) -> bool:
    """Whether the first answer was 503, or none at all."""
    try:
        return b" 503 " in client.recv(64) or not client.recv(1)
    except ConnectionResetError:
        return True
