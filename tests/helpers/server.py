"""A station behind its HTTP server on a loopback port, and raw clients for it."""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

from genre_edge.station.http.app import create_app
from genre_edge.station.http.event_stream import end_streams
from genre_edge.station.http.middleware.host import AllowedHosts
from genre_edge.station.http.middleware.token import Token
from genre_edge.station.http.server import Server, bind
from tests.conftest import TIMEOUT_S
from tests.helpers.bundles import RATE
from tests.helpers.station import QueueSource, eventually, make_station

Event = tuple[str, dict[str, Any]]
STATUS_REQUEST = b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class RunningServer:
    """A started station with a `QueueSource`, and its started server."""

    def __init__(self, token: str | None = None) -> None:
        self.source = QueueSource()
        self.station = make_station(self.source)
        self.listener = bind("127.0.0.1", 0)
        self.port = self.listener.getsockname()[1]
        app = create_app(self.station, Token(token) if token else None, AllowedHosts(frozenset(["127.0.0.1"])))
        self.server = Server(app, self.listener)
        self.station.start()
        self.server.start()

    def stop(self) -> None:
        """Stop both and wait for their threads."""
        self.station.stop()
        end_streams(self.station)
        self.server.stop()
        assert self.server.join(TIMEOUT_S) and self.station.join(TIMEOUT_S)
        self.station.history.close()

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Return the status code and the body of a GET request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request("GET", path, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.read()

    def connect(self, *data: bytes, address: str = "127.0.0.1") -> socket.socket:
        """Open a connection from `address`, any in 127.0.0.0/8, and send `data`."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S, source_address=(address, 0))
        client.sendall(b"".join(data))
        return client

    def open_stream(self, address: str = "127.0.0.1") -> socket.socket:
        """Request the event stream, without reading the response."""
        return self.connect(b"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", address=address)

    def assert_audio_is_processed(self) -> None:
        """Feed a second of audio and wait until it has been processed."""
        self.source.feed_music(1)
        self.wait_until_processed()

    def wait_until_processed(self) -> None:
        """Wait until all of the audio fed has been processed."""
        eventually(lambda: abs(self.station.status()["position_s"] - self.source.position / RATE) < 0.002)


def read_events(client: socket.socket) -> Iterator[Event]:
    """Yield the kind and the data of each event of a stream."""
    with client.makefile("rb") as file:
        assert file.readline() == b"HTTP/1.1 200 OK\r\n"
        for line in file:
            if line.startswith(b"event: "):
                yield line[7:].strip().decode(), json.loads(next(file).removeprefix(b"data: "))


def is_closed(client: socket.socket) -> bool:
    """Read until the server closes the connection; a time-out raises TimeoutError."""
    client.settimeout(TIMEOUT_S)
    with contextlib.suppress(ConnectionResetError):
        while client.recv(1 << 20):
            pass
    return True


def is_refused(client: socket.socket) -> bool:
    """Return whether the response is 503 or the connection is closed without one."""
    try:
        return b" 503 " in client.recv(64) or not client.recv(1)
    except ConnectionResetError:
        return True
