"""A fake station for tests of the web page: the parts of the HTTP API that the page uses, with synthetic data.

It sends the strictest content security policy that the page has to work under.
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
CONTENT_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
LABELS = ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"]
FRAME_S = 1708 / 22050
EVENT_INTERVAL_S = 0.1  # shorter than a station's, for fast tests
INITIAL_COLUMNS = 387  # at the beginning of each event stream: half a minute
MODEL = {"name": "edge", "version": "2", "sha256": "0" * 64}
BIN_S = 900

CHROMIUM = Path("/usr/bin/chromium")
# No sandbox, for containers; the other options stop requests to Google.
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
CHROMIUM_OPTIONS += ["--disable-component-update", "--disable-sync"]

Columns = NDArray[np.uint8]  # (columns, bands), the low band first
Outcome = tuple[str | None, str | None]  # genre or None, reason or None


def sweeping_tone(columns: int = 400, n_mels: int = 128) -> Columns:
    """Return a tone of varying pitch with noise: `(columns, n_mels)`."""
    noise = np.random.default_rng(0).integers(20, 60, (columns, n_mels))
    tone = 60 + 40 * np.sin(2 * np.pi * np.arange(columns) / 40)
    levels: Columns = (noise + 190 * np.exp(-((np.arange(n_mels) - tone[:, None]) ** 2) / 20)).astype(np.uint8)
    return levels


def make_verdict(when: float, outcome: Outcome, source: str, seconds: float = 5.0) -> dict[str, Any]:
    """Return a verdict about the `seconds` before `when` (unix seconds)."""
    genre, reason = outcome
    confidence = 0.28 if reason else 0.7 + 0.2 * math.sin(when)
    best = genre or "jazz"
    other_labels = [label for label in LABELS if label != best]
    others = [(label, (1 - confidence) * 0.3 * 0.7**i) for i, label in enumerate(other_labels)]
    genres = [] if reason == "silence" else [(best, confidence), *others]
    return {
        "schema_version": 2,
        "source": source,
        "start_s": 100.0,
        "end_s": 100.0 + seconds,
        "genre": genre,
        "confidence": None if reason == "silence" else round(confidence, 4),
        "reason": reason,
        "genres": [{"genre": label, "probability": round(probability, 4)} for label, probability in genres],
        "styles": [],
        "sound": "silence" if reason == "silence" else None,
        "input": {"rate": 44100, "channels": 2, "resampled_to": 22050},
        "dropped_samples": 0,
        "model": MODEL,
        "segments": [],
        "lag_ms": 12.0,
        "time": when,
    }


def make_styles(*names: str) -> list[dict[str, Any]]:
    """Return the styles of a verdict, most probable first."""
    return [{"style": name, "parent": None, "probability": round(0.9 * 0.8**i, 4)} for i, name in enumerate(names)]


class FakeStation:
    """A server on a loopback port, which stays the same when it is restarted. A context manager.

    Args:
        outcome: returns the outcome of a verdict at a time in unix seconds.
        columns: the spectrogram, repeated without end.
        past: verdicts before the start.
        bins: the histogram of /api/v1/day.
        fields: fields of all verdicts that differ from `make_verdict`'s.
        verdict_s: seconds between verdicts.
        status: fields of the status that differ from the defaults.
    """

    def __init__(
        self,
        outcome: Callable[[float], Outcome] = lambda when: ("jazz" if when % 8 < 4 else "rock", None),
        *,
        columns: Columns | None = None,
        past: list[dict[str, Any]] | None = None,
        bins: list[dict[str, Any]] | None = None,
        fields: dict[str, Any] | None = None,
        verdict_s: float = 1.0,
        **status: Any,
    ) -> None:
        self.outcome, self.status_overrides, self.verdict_s = outcome, status, verdict_s
        self.columns = sweeping_tone() if columns is None else columns
        self.past, self.bins, self.fields = past or [], bins or [], fields or {}
        self.error_statuses: dict[str, HTTPStatus] = {}  # by path
        self.clock_offset_s = 0.0
        self.stalled = False  # event streams stay open without events
        self.requests: list[str] = []
        self.close_pages: list[Callable[[], None]] = []
        self.port = 0
        self.start()

    def start(self) -> None:
        self.stopping = threading.Event()
        self.started_s, self.started = time.monotonic(), time.time()
        self.verdicts = list(self.past)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", self.port), type("Handler", (RequestHandler,), {"station": self})
        )
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def close_streams(self) -> None:
        """Close all event streams; the station keeps running."""
        stopping, self.stopping = self.stopping, threading.Event()
        stopping.set()

    def __enter__(self) -> "FakeStation":
        return self

    def __exit__(self, *_: object) -> None:
        for close in self.close_pages:  # before their requests fail
            close()
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def source(self) -> str:
        return str(self.status_overrides.get("source", "USB microphone"))

    def status(self) -> dict[str, Any]:
        uptime_s = time.monotonic() - self.started_s
        return {
            "source": self.source,
            "listening": True,
            "paused": False,
            "model": MODEL,
            "labels": LABELS,
            "position_s": round(uptime_s, 3),
            "level_db": -23.4,
            "dropped_samples": 0,
            "lag_ms": 12.0,
            "outages": 0,
            "history": "file",
            "history_unsaved": 0,
            "history_lost": 0,
            "mqtt": None,
            "cpu_percent": 0.4,
            "temperature_c": 48.3,
            "memory_mb": 74.0,
            "uptime_s": round(uptime_s, 3),
            "started": self.started,
            "verdict": self.verdicts[-1] if self.verdicts else None,
        } | self.status_overrides

    def add_verdict_if_due(self) -> None:
        """Add a verdict if `verdict_s` seconds have passed since the last one."""
        with self._lock:
            now = time.time() + self.clock_offset_s
            if not self.verdicts or abs(now - self.verdicts[-1]["time"]) >= self.verdict_s:
                verdict = make_verdict(now, self.outcome(now), self.source, self.verdict_s)
                self.verdicts.append(verdict | self.fields)

    def n_columns(self) -> int:
        """Return the number of columns since the start."""
        return int((time.monotonic() - self.started_s) / FRAME_S)

    def frames(self, first: int, end: int) -> dict[str, Any]:
        """Return a `frames` event with the columns from `first` up to, not including, `end`."""
        selected = self.columns[np.arange(first, end) % len(self.columns)]
        text = base64.b64encode(selected.tobytes()).decode()
        return {"first": first, "frame_s": FRAME_S, "n_mels": self.columns.shape[1], "columns": text}


class RequestHandler(BaseHTTPRequestHandler):
    """Handles the requests of one connection. Subclasses set `station`."""

    station: FakeStation

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() + self.station.clock_offset_s if timestamp is None else timestamp)

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.station.requests.append(self.path)
        name = path.rpartition("/")[2]
        if path in self.station.error_statuses:
            self._send(b"{}", "application/json", self.station.error_statuses[path])
        elif path == "/api/v1/events":
            self._send_events()
        elif path.startswith("/api/v1/"):
            self._send(json.dumps(self._content(name, query)).encode(), "application/json")
        else:
            self._send_file(STATIC / (name or "page.html"))

    def _content(self, name: str, query: str) -> Any:
        if name == "status":
            return self.station.status()
        if name == "day":
            return {"bin_s": BIN_S, "bins": self.station.bins}
        since = float(parse_qs(query)["since"][0])
        return {"verdicts": [verdict for verdict in self.station.verdicts if verdict["time"] >= since]}

    def _send_file(self, path: Path) -> None:
        if path.is_file():
            self._send(path.read_bytes(), CONTENT_TYPES[path.suffix])
        else:
            self._send(b"", "text/plain", HTTPStatus.NOT_FOUND)

    def _send(self, body: bytes, content_type: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", "default-src 'self'")
        self.end_headers()
        self.wfile.write(body)

    def _send_events(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"retry: 200\n\n")
        station, stopping = self.station, self.station.stopping
        sent, column = len(station.verdicts), max(0, station.n_columns() - INITIAL_COLUMNS)
        self._send_event("status", station.status())
        while not stopping.wait(EVENT_INTERVAL_S):
            if station.stalled:
                continue
            end = station.n_columns()
            self._send_event("frames", station.frames(column, end))
            self._send_event("status", station.status())
            column = end
            station.add_verdict_if_due()
            for verdict in station.verdicts[sent:]:
                self._send_event("verdict", verdict)
            sent = len(station.verdicts)

    def _send_event(self, name: str, data: Any) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())

    def handle(self) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the page was closed
            super().handle()

    def log_message(self, *_: object) -> None:
        pass
