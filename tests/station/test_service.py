"""Service: signals, failures and hangs of its parts that tests of the process (test_cli_serve.py) cannot cause."""

import signal
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from genre_edge.errors import AudioError, GenreEdgeError, SourceLostError
from genre_edge.station import service as service_module
from genre_edge.station.history.verdict_history import VerdictHistory
from genre_edge.station.http.app import create_app
from genre_edge.station.http.server import Server, bind
from genre_edge.station.service import Service
from genre_edge.station.station import Station
from genre_edge.station.systemd import Notifier
from genre_edge.system import signals
from tests.conftest import TIMEOUT_S
from tests.helpers.server import RunningServer
from tests.helpers.station import QueueSource, eventually, make_station


@pytest.fixture(autouse=True)
def restore_handlers() -> Iterator[None]:
    """Restore the signal handlers that Service replaces."""
    before = {number: signal.getsignal(number) for number in signals.TERMINATION_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll quickly, and allow slow machines a long shutdown."""
    monkeypatch.setattr(service_module, "_POLL_S", 0.01)
    monkeypatch.setattr(service_module, "_STOP_TIMEOUT_S", TIMEOUT_S)
    monkeypatch.setattr(service_module, "_SAVE_TIMEOUT_S", TIMEOUT_S)


def make_parts(source: QueueSource, history: VerdictHistory | None = None) -> tuple[Station, Server]:
    """Return a station and its server, not started."""
    station = make_station(source, history)
    return station, Server(create_app(station, None, None), bind("127.0.0.1", 0))


def test_signal(caplog: pytest.LogCaptureFixture) -> None:
    """A signal ends all threads without a warning."""
    station, server = make_parts(QueueSource())
    service = Service(station, server, None)
    service.run(lambda: signal.raise_signal(signal.SIGTERM))
    assert service.clean and station.ended.is_set() and not server.alive and not caplog.records


def test_source_error() -> None:
    """An error of the source ends the server and is raised."""
    source = QueueSource()
    station, server = make_parts(source)
    with pytest.raises(AudioError, match="queue: broken"):
        Service(station, server, None).run(lambda: source.fail(AudioError("queue: broken")))
    assert not server.alive


def test_server_ends() -> None:
    """A server that ends by itself ends the station and is an error."""
    station, server = make_parts(QueueSource())
    with pytest.raises(GenreEdgeError, match="the web server ended unexpectedly"):
        Service(station, server, None).run(server.stop)
    assert station.ended.is_set()


def test_source_lost_history_locked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With a locked history file, all threads end, and the source's error and the unsaved verdicts are reported."""
    path = tmp_path / "h.db"
    source = QueueSource()
    station, server = make_parts(source, VerdictHistory(path))
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    source.feed_music(2)
    source.fail(SourceLostError("queue: given up"))
    service = Service(station, server, None)
    with pytest.raises(SourceLostError, match="queue: given up"):
        service.run(lambda: None)
    blocker.close()
    assert service.clean and station.verdict_counts.total() >= 3
    assert caplog.messages[-1] == f"{station.verdict_counts.total()} verdicts were not saved"


class UnclosableSource(QueueSource):
    """Ignores `close`, as a pipe without a writer does."""

    def close(self) -> None:
        pass


def test_source_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that does not end in time is reported by `clean`."""
    monkeypatch.setattr(service_module, "_STOP_TIMEOUT_S", 0.2)
    source = UnclosableSource()
    station, server = make_parts(source)
    service = Service(station, server, None)
    service.run(lambda: signal.raise_signal(signal.SIGINT))
    assert not service.clean
    QueueSource.close(source)
    assert station.join(TIMEOUT_S)


def test_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd's watchdog is notified only while the station makes progress."""
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    monkeypatch.setattr(signals, "install", lambda handler: None)  # works in the main thread only
    states: list[str] = []
    monkeypatch.setattr(Notifier, "notify", lambda self, *lines: states.extend(lines))
    station, server = make_parts(QueueSource())
    progressing = threading.Event()
    progressing.set()
    checks: list[bool] = []

    def is_progressing() -> bool:
        checks.append(progressing.is_set())
        return checks[-1]

    monkeypatch.setattr(station, "is_progressing", is_progressing)
    service = Service(station, server, None)
    thread = threading.Thread(target=service.run, args=(lambda: None,))
    thread.start()
    eventually(lambda: states.count("WATCHDOG=1") >= 3 and "READY=1" in states)
    progressing.clear()
    eventually(lambda: checks[-2:] == [False, False])  # the last notification has been sent
    notifications = states.count("WATCHDOG=1")
    eventually(lambda: checks[-10:] == [False] * 10)
    assert states.count("WATCHDOG=1") == notifications
    service._on_signal(signal.SIGTERM, None)
    thread.join(TIMEOUT_S)
    assert states[-1] == "STOPPING=1"


def test_server_stop_while_starting() -> None:
    """A server may be stopped several times, and before it has started."""
    running = RunningServer()
    for _ in range(3):
        running.server.stop()
    assert running.server.join(TIMEOUT_S)
    running.stop()
