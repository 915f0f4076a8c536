"""HTTP server that simulates a radio station with outages and errors, and the ffmpeg processes that read from it."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

from tests.helpers.audio import encode, music

RATE = 22050
Response = Callable[[socket.socket], None]


class RadioServer:
    """HTTP server on localhost: answers requests with `responses` in order, then closes connections without one.

    Attributes:
        url: address of the station.
        n_requests: number of connections so far.
    """

    def __init__(self, *responses: Response) -> None:
        self._responses, self.n_requests = list(responses), 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/live"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self.n_requests += 1
            with client:
                client.recv(4096)
                try:
                    if self._responses:
                        self._responses.pop(0)(client)
                except OSError:
                    pass  # the client has disconnected

    def close(self) -> None:
        self._server.close()


def wav_response(seconds: float, rate: int = RATE) -> Response:
    """Response with a float WAV of music, then the end of the connection."""
    wav = encode(music(seconds, rate)[:, None], rate, subtype="FLOAT")

    def respond(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: audio/wav\r\n\r\n" + wav)

    return respond


def child_pids(parent: int | None = None, name: str = "") -> list[int]:
    """Return the running child processes of this process, or of `parent`, whose program name contains `name`."""
    pids = []
    parent = threading.main_thread().native_id if parent is None else parent
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = path.read_text().split(" ", 1)
        except OSError:
            continue
        program, rest = rest.rsplit(")", 1)
        if name in program and int(rest.split()[1]) == parent and rest.split()[0] != "Z":
            pids.append(int(pid))
    return pids


def ffmpeg_pids(parent: int | None = None) -> list[int]:
    """Return the running ffmpeg processes that this process, or `parent`, has started."""
    return child_pids(parent, "ffmpeg")
