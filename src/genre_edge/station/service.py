"""All parts of a running station, started together, watched, and stopped within a moment."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from genre_edge.errors import GenreEdgeError
from genre_edge.station.http.event_stream import end_streams
from genre_edge.station.http.server import Server
from genre_edge.station.mqtt.client import Mqtt
from genre_edge.station.station import Station
from genre_edge.station.systemd import Notifier
from genre_edge.system import signals

log = logging.getLogger("genre_edge")

_TICK_S = 0.25
_STOP_S, _SAVE_S = 1.0, 0.4  # for all threads to end, and then for the history, which waits BUSY_S for a lock


class Service:
    """Runs in the main thread until a signal comes, or the source or the server ends."""

    def __init__(self, station: Station, server: Server, mqtt: Mqtt | None) -> None:
        self._station, self._server, self._mqtt = station, server, mqtt
        self._notifier = Notifier()
        self._signals: list[int] = []
        self._well_told_s = float("-inf")
        self.clean = True  # whether all threads have ended; where not, only the end of the process ends them

    def run(self, ready: Callable[[], None]) -> None:
        """Start all, wait, stop all. `ready` is called when clients are taken.

        Signals are taken from here on; before, they end the program at once, as there is nothing to end well.

        Raises:
            SourceLostError, AudioError: why the source ended, if it did not simply end.
            GenreEdgeError: the server ended, which it should not.
        """
        signals.install(self._on_signal)
        self._server.start()
        self._station.start()
        if self._mqtt is not None:
            self._mqtt.start()
        self._wait(lambda: self._server.started)
        if self._server.started:
            ready()
            self._notifier.tell("READY=1")
        self._wait(lambda: False)
        server_failed = not self._server.alive
        self.clean = self._stop()
        if self._signals:
            return  # what ended after that was ended
        if self._station.error is not None:
            raise self._station.error
        if server_failed:
            raise GenreEdgeError("the web server has ended by itself")

    def _on_signal(self, number: int, frame: Any) -> None:
        self._signals.append(number)  # and no more: it may come in the middle of anything

    def _wait(self, until: Callable[[], bool]) -> None:
        while not (self._signals or until() or self._station.ended.is_set()) and self._server.alive:
            self._tell_watchdog()
            self._station.ended.wait(_TICK_S)

    def _tell_watchdog(self) -> None:
        """systemd hears from us only while the station hears, or at least tries to."""
        limit_s, now = self._notifier.watchdog_s, time.monotonic()
        if limit_s is not None and now - self._well_told_s >= limit_s / 3 and self._station.alive():
            self._well_told_s = now
            self._notifier.tell("WATCHDOG=1")

    def _stop(self) -> bool:
        self._notifier.tell("STOPPING=1")
        clean = _within(_STOP_S, self._stop_station, self._stop_server, *([self._mqtt.close] if self._mqtt else []))
        saved = _within(_SAVE_S, self._station.history.close)
        if unsaved := self._station.history.unsaved:
            log.warning("%d verdicts were not saved", unsaved)
        return saved and clean

    def _stop_station(self) -> None:
        self._station.stop()
        self._station.join()

    def _stop_server(self) -> None:
        end_streams(self._station)
        self._server.stop()
        self._server.join()


def _within(seconds: float, *tasks: Callable[[], object]) -> bool:
    """Do all at the same time, and wait so long at most. Returns whether all are done."""
    end_s = time.monotonic() + seconds
    threads = [threading.Thread(target=task, daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end_s - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)
