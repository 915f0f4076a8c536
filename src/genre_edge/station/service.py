"""`Service`: starts and supervises the parts of a station, and shuts them down within about a second."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from genre_edge.errors import GenreEdgeError
from genre_edge.station.http.event_stream import end_streams
from genre_edge.station.http.server import Server
from genre_edge.station.mqtt.publisher import MqttPublisher
from genre_edge.station.station import Station
from genre_edge.station.systemd import Notifier
from genre_edge.system import signals

log = logging.getLogger("genre_edge")

_POLL_S = 0.25
_STOP_TIMEOUT_S = 1.0
_SAVE_TIMEOUT_S = 0.4  # more than two SQLite busy timeouts: of the writer thread, then of the last flush


class Service:
    """Service that runs a station in the main thread until a signal arrives, or the source or the server ends.

    Args:
        station: the station to run.
        server: the web server.
        mqtt: the MQTT publisher; None without MQTT.

    Attributes:
        clean: True if all threads have ended; otherwise only exiting the process ends them.
    """

    def __init__(self, station: Station, server: Server, mqtt: MqttPublisher | None) -> None:
        self._station, self._server, self._mqtt = station, server, mqtt
        self._notifier = Notifier()
        self._signals: list[int] = []
        self._watchdog_notified_s = float("-inf")
        self.clean = True

    def run(self, ready: Callable[[], None]) -> None:
        """Start all parts, wait for the end, and stop all parts. Installs handlers for the termination signals.

        Args:
            ready: called once the server accepts connections.

        Raises:
            SourceLostError, AudioError: the source failed.
            GenreEdgeError: the server ended unexpectedly.
        """
        signals.install(self._on_signal)
        self._server.start()
        self._station.start()
        if self._mqtt is not None:
            self._mqtt.start()
        self._wait(lambda: self._server.started)
        if self._server.started:
            ready()
            self._notifier.notify("READY=1")
        self._wait(lambda: False)
        server_failed = not self._server.alive
        self.clean = self._stop()
        if self._signals:
            return  # errors after a signal are part of the shutdown
        if self._station.error is not None:
            raise self._station.error
        if server_failed:
            raise GenreEdgeError("the web server ended unexpectedly")

    def _on_signal(self, number: int, frame: Any) -> None:
        self._signals.append(number)  # nothing more: a signal handler may interrupt any code

    def _wait(self, until: Callable[[], bool]) -> None:
        while not (self._signals or until() or self._station.ended.is_set()) and self._server.alive:
            try:
                self._notify_watchdog()
                self._station.ended.wait(_POLL_S)
            except (MemoryError, RuntimeError):  # no memory for a lock
                time.sleep(_POLL_S)

    def _notify_watchdog(self) -> None:
        """Send WATCHDOG=1 three times in each watchdog timeout, as long as the station makes progress."""
        timeout_s, now = self._notifier.watchdog_s, time.monotonic()
        if timeout_s is None or now - self._watchdog_notified_s < timeout_s / 3:
            return
        if self._station.is_progressing():
            self._watchdog_notified_s = now
            self._notifier.notify("WATCHDOG=1")

    def _stop(self) -> bool:
        """Stop all parts, then save the history. Return True if all threads have ended."""
        self._notifier.notify("STOPPING=1")
        stops = [self._stop_station, self._stop_server, *([self._mqtt.close] if self._mqtt else [])]
        stopped = _run_within(_STOP_TIMEOUT_S, *stops)
        saved = _run_within(_SAVE_TIMEOUT_S, self._station.history.close)
        if unsaved := self._station.history.unsaved + self._station.history.lost:
            log.warning("%d verdicts were not saved", unsaved)
        return saved and stopped

    def _stop_station(self) -> None:
        self._station.stop()
        self._station.join()

    def _stop_server(self) -> None:
        end_streams(self._station)
        self._server.stop()
        self._server.join()


def _run_within(timeout_s: float, *tasks: Callable[[], object]) -> bool:
    """Run the tasks in parallel and wait at most `timeout_s`. Return True if all have finished."""
    deadline_s = time.monotonic() + timeout_s
    threads = []
    for task in tasks:
        try:
            thread = threading.Thread(target=task, daemon=True)
            thread.start()
            threads.append(thread)
        except (MemoryError, RuntimeError):  # no more threads
            task()
    for thread in threads:
        thread.join(max(0.0, deadline_s - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)
