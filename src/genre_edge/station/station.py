"""The part that listens: one thread from the source to verdicts, and what all others may ask about it."""

import logging
import threading
import time
from collections import Counter, deque
from typing import Any

from genre_edge.audio.block import Block
from genre_edge.audio.level_meter import LevelMeter
from genre_edge.audio.live.queue import TIMEOUT_S
from genre_edge.audio.live.reconnect import ReconnectingSource, RetryPolicy
from genre_edge.audio.source import Source
from genre_edge.classify.classifier import Classifier
from genre_edge.classify.verdict import Verdict
from genre_edge.errors import AudioError, GenreEdgeError
from genre_edge.mel.spectrogram import Frames
from genre_edge.output.text import portable
from genre_edge.station.history.store import History
from genre_edge.station.hub import Event, Hub
from genre_edge.station.spectrogram_columns import EVENT_S, SpectrogramColumns
from genre_edge.system import process as health

log = logging.getLogger("genre_edge")

PICTURE_S = 30.0  # of columns kept for those who come later
FRESH_S = 5.0  # with samples no older than this, the source is being heard
_STUCK_S = RetryPolicy().max_delay_s + 2 * TIMEOUT_S  # without samples or a try for so long, something hangs


class Station:
    """Hears one source in a thread of its own and tells `hub` and `history`, neither of which it waits for.

    Args:
        source: closed by `stop`; a `ReconnectingSource` one is opened in the thread.
        interval_s, window_s: as `Classifier.stream` has them.
    """

    def __init__(
        self,
        classifier: Classifier,
        source: Source,
        history: History,
        interval_s: float = 5.0,
        window_s: float | None = None,
    ) -> None:
        self._classifier, self._source = classifier, source
        self._interval_s, self._window_s = interval_s, window_s
        self.history = history
        self.hub = Hub()
        self.name = portable(source.name)
        self.bundle = classifier.bundle
        self.started = time.time()
        self._started_s = time.monotonic()
        self._columns = SpectrogramColumns(classifier.mel)
        self.picture: deque[Event] = deque(maxlen=round(PICTURE_S / EVENT_S))
        self._cpu = health.CpuMeter()
        self._meter = LevelMeter()
        self.broker: str | None = None  # connected or failing, as Mqtt says; None without one
        self.verdict: dict[str, Any] | None = None  # the newest one
        self.heard: Counter[str] = Counter()  # verdicts by genre, or by reason where there was none
        self._progress: tuple[int, float, int] = (0, 0.0, 0)
        self._progress_s = self._started_s
        self.error: GenreEdgeError | None = None  # why it ended, if not because the source did
        self.ended = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="station", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Close the source, which ends the thread; does not wait for that. Allowed twice."""
        self._stopping = True
        self._source.close()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread. Returns whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            if isinstance(self._source, ReconnectingSource):
                self._source.open()
            if not self._stopping:
                self._listen()
        except Exception as error:  # whatever it is: a service that lives on without its ears would deceive
            if self._stopping:
                return  # closing under a reading thread may raise anything
            if isinstance(error, GenreEdgeError):
                self.error = error
            else:
                log.exception("%s: listening failed", self.name)
                self.error = AudioError(f"{self.name}: listening failed: {error!r}")
        finally:
            self.ended.set()

    def _listen(self) -> None:
        for verdict in self._classifier.stream(
            self._source, self._interval_s, window_s=self._window_s, on_frames=self._on_frames
        ):
            self._on_verdict(verdict)

    def _on_frames(self, block: Block, frames: Frames) -> None:
        if self._stopping:
            raise AudioError(f"{self.name}: stopped")  # a pipe is not ended by closing it
        self._meter(block)
        for data in self._columns.push(block, frames):
            event = Event("frames", data)
            self.picture.append(event)
            self.hub.publish(event)

    def _on_verdict(self, verdict: Verdict) -> None:
        now = time.time()
        self.verdict = verdict.to_dict() | {"source": self.name, "time": round(now, 3)}
        self.heard[verdict.genre or verdict.reason or ""] += 1
        self.history.add(self.verdict)
        self.hub.publish(Event("verdict", self.verdict))

    @property
    def listening(self) -> bool:
        """Whether samples come."""
        fresh = time.monotonic() - self._meter.last_sample_s < FRESH_S
        return self._meter.has_samples and fresh and not self.ended.is_set()

    @property
    def outages(self) -> int:
        """How often the source was gone."""
        return getattr(self._source, "outages", 0)

    def alive(self) -> bool:
        """Whether it hears or at least tries to, as a watchdog wants to know; asked now and then."""
        now = time.monotonic()
        progress = (getattr(self._source, "failures", 0), self._meter.last_sample_s, self._meter.dropped_samples)
        if progress != self._progress:
            self._progress, self._progress_s = progress, now
        return not self.ended.is_set() and now - self._progress_s < _STUCK_S

    def status(self) -> dict[str, Any]:
        """As told at /api/v1/status."""
        verdict, temperature_c, meter = self.verdict, health.temperature_c(), self._meter
        return {
            "source": self.name,
            "listening": self.listening,
            "model": {"name": self.bundle.name, "version": self.bundle.version, "sha256": self.bundle.sha256},
            "labels": self.bundle.labels,
            "position_s": round(meter.end_s, 3),
            "level_db": round(meter.level_db, 1) if meter.has_samples else None,
            "dropped_samples": meter.dropped_samples,
            "lag_ms": verdict.get("lag_ms") if verdict else None,
            "outages": self.outages,
            "history": self.history.state,
            "mqtt": self.broker,
            "cpu_percent": round(self._cpu.percent(), 2),
            "temperature_c": None if temperature_c is None else round(temperature_c, 1),
            "memory_mb": round(health.memory_mb(), 1),
            "uptime_s": round(time.monotonic() - self._started_s, 3),
            "started": round(self.started, 3),
            "verdict": verdict,
        }
