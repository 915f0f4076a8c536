"""A radio on this machine that misbehaves as it is told, and the ffmpeg processes that listen to it."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

from tests.helpers.audio import encode, music

RATE = 22050
Answer = Callable[[socket.socket], None]


class Radio:
    """Answers its first caller with the first of `answers`, and so on; afterwards it hangs up."""

    def __init__(self, *answers: Answer) -> None:
        self._answers, self.calls = list(answers), 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/live"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._server.accept()
            except OSError:
                return
            self.calls += 1
            with caller:
                caller.recv(4096)
                try:
                    if self._answers:
                        self._answers.pop(0)(caller)
                except OSError:
                    pass  # the listener has gone

    def close(self) -> None:
        self._server.close()


def sound(seconds: float, rate: int = RATE) -> Answer:
    wav = encode(music(seconds, rate)[:, None], rate, subtype="FLOAT")

    def answer(caller: socket.socket) -> None:
        caller.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: audio/wav\r\n\r\n" + wav)

    return answer


def ffmpegs(parent: int | None = None) -> list[int]:
    """The ffmpeg processes that are alive and this process's, or another one's, children."""
    found = []
    parent = threading.main_thread().native_id if parent is None else parent
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = path.read_text().split(" ", 1)
        except OSError:
            continue
        name, rest = rest.rsplit(")", 1)
        if "ffmpeg" in name and int(rest.split()[1]) == parent and rest.split()[0] != "Z":
            found.append(int(pid))
    return found
