"""A made-up station for tests of the page: its HTTP API with data that moves, and that can be stopped and restarted.

It speaks what the page needs and nothing else, and under the strictest policy that the page is to live with.
"""

import base64
import contextlib
import json
import math
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
from numpy.typing import NDArray

from tests.conftest import ROOT

STATIC = ROOT / "src" / "genre_edge" / "station" / "http" / "static"
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
LABELS = ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"]
FRAME_S = 1708 / 22050
TICK_S = 0.25  # from one event to the next: quicker than a station, so that tests are
PICTURE = 387  # columns that every new stream begins with: half a minute
MODEL = {"name": "edge", "version": "2", "sha256": "0" * 64}
BIN_S = 900

CHROMIUM = Path("/usr/bin/chromium")
# No sandbox, for containers; the rest keeps it from calling home.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ARGUMENTS += ["--disable-component-update", "--disable-sync"]

Columns = NDArray[np.uint8]  # (columns, bands), the low band first
Heard = tuple[str | None, str | None]  # genre, or why there is none


def humming(columns: int = 400, n_mels: int = 128) -> Columns:
    """A tone that climbs and falls, over noise. Returns `(columns, n_mels)`."""
    noise = np.random.default_rng(0).integers(20, 60, (columns, n_mels))
    tone = 60 + 40 * np.sin(2 * np.pi * np.arange(columns) / 40)
    return (noise + 190 * np.exp(-((np.arange(n_mels) - tone[:, None]) ** 2) / 20)).astype(np.uint8)


def verdict(when: float, heard: Heard, source: str, seconds: float = 5.0) -> dict[str, Any]:
    """A verdict of the last `seconds` before `when`, unix time."""
    genre, reason = heard
    sure = 0.28 if reason else 0.7 + 0.2 * math.sin(when)
    best = genre or "jazz"
    others = [label for label in LABELS if label != best]
    rest = [(label, (1 - sure) * 0.3 * 0.7**i) for i, label in enumerate(others)]
    genres = [] if reason == "silence" else [(best, sure), *rest]
    return {
        "schema_version": 1,
        "source": source,
        "start_s": 100.0,
        "end_s": 100.0 + seconds,
        "genre": genre,
        "confidence": None if reason == "silence" else round(sure, 4),
        "reason": reason,
        "genres": [{"genre": label, "probability": round(share, 4)} for label, share in genres],
        "input": {"rate": 44100, "channels": 2, "resampled_to": 22050},
        "dropped_samples": 0,
        "model": MODEL,
        "segments": [],
        "lag_ms": 12.0,
        "time": when,
    }


class Station:
    """The server on a loopback port, which stays the same over `stop` and `start`. A context manager.

    `heard(unix time)` says what is heard; `status` overrides parts of the status; `past` is what was heard before.
    """

    def __init__(
        self,
        heard: Callable[[float], Heard] = lambda when: ("jazz" if when % 8 < 4 else "rock", None),
        *,
        columns: Columns | None = None,
        past: list[dict[str, Any]] | None = None,
        bins: list[dict[str, Any]] | None = None,
        verdict_s: float = 1.0,
        **status: Any,
    ) -> None:
        self.heard, self.override, self.verdict_s = heard, status, verdict_s
        self.columns = humming() if columns is None else columns
        self.past, self.bins = past or [], bins or []
        self.refuse: dict[str, HTTPStatus] = {}  # by path
        self.ahead_s = 0.0  # of the true time, its clock
        self.mute = False  # events stop, though lines stay open
        self.requests: list[str] = []
        self.port = 0
        self.start()

    def start(self) -> None:
        self.stopping = threading.Event()
        self.began, self.started = time.monotonic(), time.time()
        self.verdicts = list(self.past)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), type("Bound", (Answers,), {"station": self}))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def cut(self) -> None:
        """End all streams of events, but not the station."""
        stopping, self.stopping = self.stopping, threading.Event()
        stopping.set()

    def __enter__(self) -> "Station":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def source(self) -> str:
        return str(self.override.get("source", "USB microphone"))

    def status(self) -> dict[str, Any]:
        up = time.monotonic() - self.began
        return {
            "source": self.source,
            "listening": True,
            "model": MODEL,
            "labels": LABELS,
            "position_s": round(up, 3),
            "level_db": -23.4,
            "dropped_samples": 0,
            "lag_ms": 12.0,
            "outages": 0,
            "history": "file",
            "mqtt": None,
            "cpu_percent": 0.4,
            "temperature_c": 48.3,
            "memory_mb": 74.0,
            "uptime_s": round(up, 3),
            "started": self.started,
            "verdict": self.verdicts[-1] if self.verdicts else None,
        } | self.override

    def listen(self) -> None:
        """Adds a verdict when it is time for one."""
        with self._lock:
            now = time.time() + self.ahead_s
            if not self.verdicts or abs(now - self.verdicts[-1]["time"]) >= self.verdict_s:
                self.verdicts.append(verdict(now, self.heard(now), self.source, self.verdict_s))

    def n_columns(self) -> int:
        """Columns since the start."""
        return int((time.monotonic() - self.began) / FRAME_S)

    def frames(self, first: int, end: int) -> dict[str, Any]:
        """The columns from `first` to before `end`."""
        picked = self.columns[np.arange(first, end) % len(self.columns)]
        text = base64.b64encode(picked.tobytes()).decode()
        return {"first": first, "frame_s": FRAME_S, "n_mels": self.columns.shape[1], "columns": text}


class Answers(BaseHTTPRequestHandler):
    """Answers one connection for the `station` of a subclass."""

    station: Station

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() + self.station.ahead_s if timestamp is None else timestamp)

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.station.requests.append(self.path)
        name = path.rpartition("/")[2]
        if path in self.station.refuse:
            self._send(b"{}", "application/json", self.station.refuse[path])
        elif path == "/api/v1/events":
            self._stream()
        elif path.startswith("/api/v1/"):
            self._send(json.dumps(self._answer(name, query)).encode(), "application/json")
        else:
            self._file(STATIC / (name or "page.html"))

    def _answer(self, name: str, query: str) -> Any:
        if name == "status":
            return self.station.status()
        if name == "day":
            return {"bin_s": BIN_S, "bins": self.station.bins}
        since = float(parse_qs(query)["since"][0])
        return {"verdicts": [verdict for verdict in self.station.verdicts if verdict["time"] >= since]}

    def _file(self, path: Path) -> None:
        if path.is_file():
            self._send(path.read_bytes(), KINDS[path.suffix])
        else:
            self._send(b"", "text/plain", HTTPStatus.NOT_FOUND)

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", "default-src 'self'")
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"retry: 500\n\n")
        station, stopping = self.station, self.station.stopping
        sent, column = len(station.verdicts), max(0, station.n_columns() - PICTURE)
        self._event("status", station.status())
        while not stopping.wait(TICK_S):
            if station.mute:
                continue
            end = station.n_columns()
            self._event("frames", station.frames(column, end))
            self._event("status", station.status())
            column = end
            station.listen()
            for verdict in station.verdicts[sent:]:
                self._event("verdict", verdict)
            sent = len(station.verdicts)

    def _event(self, name: str, data: Any) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())

    def handle(self) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the page went away
            super().handle()

    def log_message(self, *_: object) -> None:
        pass
