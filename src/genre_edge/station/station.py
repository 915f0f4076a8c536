"""`Station`: classification of one source in its own thread, with the current state for other threads."""

import contextlib
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

from genre_edge.audio.block import Block
from genre_edge.audio.level_meter import LevelMeter
from genre_edge.audio.live.queue import TIMEOUT_S
from genre_edge.audio.live.reconnect import RetryPolicy
from genre_edge.audio.source import Source
from genre_edge.classify.classifier import Classifier
from genre_edge.classify.verdict import Verdict
from genre_edge.errors import AudioError, GenreEdgeError
from genre_edge.mel.spectrogram import Frames
from genre_edge.output.text import portable
from genre_edge.station.history import verdict_id
from genre_edge.station.history.verdict_history import VerdictHistory
from genre_edge.station.hub import Event, Hub
from genre_edge.station.resumable import Pause, PausedError, ResumableBlocks
from genre_edge.station.spectrogram_columns import EVENT_S, SpectrogramColumns
from genre_edge.system import machine, process
from genre_edge.system.log_limit import limit_log
from genre_edge.system.shortage import describe_shortage

log = logging.getLogger("genre_edge")
shortage_log = logging.getLogger("genre_edge.station")

SPECTROGRAM_S = 30.0  # seconds of the spectrogram that a new client receives
MAX_SAMPLE_AGE_S = 5.0  # `listening` is false once the newest sample is older
MUSIC, SILENCE = "music", "silence"  # sounds of verdicts, besides those of the model
MAX_GENRES = 20  # of a verdict, or as many as the model has: a vocabulary of styles may have hundreds
_STALL_TIMEOUT_S = RetryPolicy().max_delay_s + 2 * TIMEOUT_S  # without samples or reconnection attempts


def heard_sound(verdict: dict[str, Any]) -> str | None:
    """Return what the audio of a verdict is: music, silence or another sound; None if the audio is too short."""
    sound: str | None = verdict.get("sound")
    return sound or (None if verdict["reason"] == "too_short" else MUSIC)


class Station:
    """Station that classifies one source in a thread and publishes to `hub` and `history`, which never block it.

    Args:
        classifier: only the station's thread may use it.
        source: opened by the station's thread, closed by `stop`.
        history: receives the verdicts; closed by the caller.
        interval_s, window_s: see `Classifier.stream`.
        mqtt_state: see the attribute.

    Attributes:
        bundle: the classifier's model bundle.
        ended: set when the thread has ended.
        error: the error that ended the thread; None if the source ended or `stop` was called.
        history: stores the verdicts.
        labels: the names that a verdict's genre may have.
        hub: publishes `verdict` and `frames` events.
        mqtt_state: returns the state of the MQTT connection, `connected` or `failing`; None without MQTT.
        recent_spectrogram: the `frames` events of the last `SPECTROGRAM_S` seconds.
        verdict: the latest verdict in the schema of /api/v1/history; None before the first.
        verdict_counts: number of verdicts by genre, or by reason for those without a genre.
        style_counts: number of verdicts by style that they list.
        sound_counts: number of verdicts by `heard_sound`.
    """

    def __init__(
        self,
        classifier: Classifier,
        source: Source,
        history: VerdictHistory,
        interval_s: float = 5.0,
        window_s: float | None = None,
        mqtt_state: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._classifier, self._source = classifier, source
        self._interval_s, self._window_s = interval_s, window_s
        self.mqtt_state = mqtt_state
        self._name = portable(source.name)
        self.history = history
        self.hub = Hub()
        self.bundle, self.labels = classifier.bundle, classifier.labels
        self.verdict: dict[str, Any] | None = None
        self.verdict_counts: Counter[str] = Counter()
        self.style_counts: Counter[str] = Counter()
        self.sound_counts: Counter[str] = Counter()
        self._max_genres = max(MAX_GENRES, len(self.bundle.labels))
        self.recent_spectrogram: deque[Event] = deque(maxlen=round(SPECTROGRAM_S / EVENT_S))
        self._columns = SpectrogramColumns(classifier.mel)
        self._meter = LevelMeter()
        self._cpu = process.CpuMeter()
        self._start_time = time.time()
        self._started_s = time.monotonic()
        self._progress: tuple[int, float, int] = (0, 0.0, 0)
        self._progress_s = self._started_s  # monotonic clock of the last change of `_progress`
        self.error: GenreEdgeError | None = None
        self.ended = threading.Event()
        self._pause = Pause()
        limit_log(shortage_log.name)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="station", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Close the source, which ends the thread; does not wait for it. A second call does nothing."""
        self._stopping = True
        self._source.close()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread, at most `timeout_s` seconds. Return True if it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def paused(self) -> bool:
        """True between `pause` and `resume`."""
        return self._pause.active

    def pause(self) -> None:
        """Stop classifying until `resume`: a sound card or URL is closed, and samples of a pipe are discarded.

        For one thread at a time, as `resume`; does not wait.
        """
        if not self._pause.active:
            self._pause.count += 1
            self._pause.active = True
            self._source.suspend()
            log.warning("%s: paused", self._name)

    def resume(self) -> None:
        """Classify again after `pause`."""
        if self._pause.active:
            self._pause.active = False
            self._source.resume()
            log.warning("%s: resumed", self._name)

    def _run(self) -> None:
        try:
            self._source.open()
            if not self._stopping:
                self._classify()
        except Exception as error:  # any error ends the service: without this thread it would only seem healthy
            if self._stopping:
                return  # closing a source while a thread reads it may raise any error
            if isinstance(error, GenreEdgeError):
                self.error = error
            else:
                log.exception("%s: classification failed", self._name)
                self.error = AudioError(f"{self._name}: classification failed: {error!r}")
        finally:
            self.ended.set()

    def _classify(self) -> None:
        """Classify the source. Continue after a pause, and after a shortage of memory with the next block."""
        self._blocks = blocks = ResumableBlocks(
            self._source, lambda error: self._log_shortage(error, "reading again"), self._pause
        )
        while True:
            try:
                for verdict in self._classifier.stream(
                    blocks, self._interval_s, window_s=self._window_s, on_frames=self._on_frames
                ):
                    with self._tolerate("a verdict is lost"):
                        self._on_verdict(verdict)
                return
            except PausedError:
                self._columns.resynchronise()
            except Exception as error:
                if self._stopping or blocks.is_over or describe_shortage(error) is None:
                    raise
                self._log_shortage(error, "starting again with the next samples")

    def _on_frames(self, block: Block, frames: Frames) -> None:
        if self._stopping:
            raise AudioError(f"{self._name}: stopped")  # closing a pipe does not end its iteration
        self._meter(block)
        self._blocks.mark_counted()
        with self._tolerate("a part of the spectrogram is lost", self._columns.resynchronise):
            for data in self._columns.push(block, frames):
                event = Event("frames", data)
                self.recent_spectrogram.append(event)
                self.hub.publish(event)

    def _on_verdict(self, verdict: Verdict) -> None:
        if self._pause.active:
            return  # the last block before the pause
        now = round(time.time(), 3)
        own = {"id": verdict_id.create(now), "source": self._name, "time": now}
        own["dropped_samples"] = self._meter.dropped_samples  # those before a restart of the classifier, too
        self.verdict = verdict.to_dict(self._max_genres) | own
        self.verdict_counts[verdict.genre or verdict.reason or ""] += 1
        self.style_counts.update(entry.style for entry in verdict.styles)
        if (sound := heard_sound(self.verdict)) is not None:
            self.sound_counts[sound] += 1
        self.history.add(self.verdict)
        self.hub.publish(Event("verdict", self.verdict))

    @contextlib.contextmanager
    def _tolerate(self, consequence: str, clean_up: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Log a shortage in the context instead of raising it."""
        try:
            yield
        except Exception as error:
            if describe_shortage(error) is None:
                raise
            clean_up()
            self._log_shortage(error, consequence)

    def _log_shortage(self, error: BaseException, consequence: str) -> None:
        with contextlib.suppress(MemoryError):  # a log record needs memory, too
            shortage_log.warning("%s: %s; %s", self._name, describe_shortage(error), consequence)

    @property
    def listening(self) -> bool:
        """True while samples are classified: the newest one is at most `MAX_SAMPLE_AGE_S` seconds old."""
        is_recent = time.monotonic() - self._meter.last_sample_s < MAX_SAMPLE_AGE_S
        return self._meter.has_samples and is_recent and not (self.paused or self.ended.is_set())

    @property
    def outages(self) -> int:
        """Number of times that a live source was lost."""
        return self._source.outages

    def is_progressing(self) -> bool:
        """Return True if samples arrive, the source is being reconnected, or the station is paused.

        A watchdog polls this.
        """
        now = time.monotonic()
        progress = (self._source.failures, self._meter.last_sample_s, self._meter.dropped_samples)
        if progress != self._progress or self.paused:
            self._progress, self._progress_s = progress, now
        return not self.ended.is_set() and now - self._progress_s < _STALL_TIMEOUT_S

    def status(self) -> dict[str, Any]:
        """Return the current state in the schema of /api/v1/status (openapi.json)."""
        verdict, temperature_c, meter = self.verdict, machine.temperature_c(), self._meter
        return {
            "source": self._name,
            "listening": self.listening,
            "paused": self.paused,
            "model": {"name": self.bundle.name, "version": self.bundle.version, "sha256": self.bundle.sha256},
            "labels": self.labels,
            "position_s": round(meter.end_s, 3),
            "level_db": round(meter.level_db, 1) if meter.has_samples else None,
            "dropped_samples": meter.dropped_samples,
            "lag_ms": verdict.get("lag_ms") if verdict else None,
            "outages": self.outages,
            "history": self.history.state,
            "history_unsaved": self.history.unsaved,
            "history_lost": self.history.lost,
            "mqtt": self.mqtt_state(),
            "cpu_percent": round(self._cpu.percent(), 2),
            "temperature_c": None if temperature_c is None else round(temperature_c, 1),
            "memory_mb": round(process.memory_mb(), 1),
            "uptime_s": round(time.monotonic() - self._started_s, 3),
            "started": round(self._start_time, 3),
            "verdict": verdict,
        }
