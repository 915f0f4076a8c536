"""Service: what happens when a part fails or hangs, which processes of tests/test_cli_serve.py cannot show."""

import signal
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genre_edge.errors import AudioError, GenreEdgeError, SourceLostError
from genre_edge.station import service
from genre_edge.station.history.store import History
from genre_edge.station.http.app import application
from genre_edge.station.http.server import Server, bind
from genre_edge.station.service import Service
from genre_edge.station.station import Station
from genre_edge.station.systemd import Notifier
from genre_edge.system import signals
from tests.helpers.server import Running
from tests.helpers.station import HandFed, eventually, station


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Service takes the signals; give them back."""
    before = {number: signal.getsignal(number) for number in signals.TERMINATION_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def parts(source: HandFed) -> tuple[Station, Server]:
    one = station(source)
    return one, Server(application(one, None, None), bind("127.0.0.1", 0))


def soon(what: Any, *arguments: Any) -> None:
    threading.Timer(0.3, what, arguments).start()


def test_a_signal_ends_all(caplog: pytest.LogCaptureFixture) -> None:
    one, server = parts(HandFed())
    ready = threading.Event()
    soon(signal.raise_signal, signal.SIGTERM)
    running = Service(one, server, None)
    running.run(ready.set)
    assert running.clean and ready.is_set() and one.ended.is_set() and not server.alive and not caplog.records


def test_a_source_that_fails_ends_all_and_is_told() -> None:
    source = HandFed()
    one, server = parts(source)
    soon(source.fail, AudioError("hand: broken"))
    with pytest.raises(AudioError, match="hand: broken"):
        Service(one, server, None).run(lambda: None)
    assert not server.alive


def test_a_server_that_fails_ends_all_and_is_told() -> None:
    one, server = parts(HandFed())
    soon(server.stop)
    with pytest.raises(GenreEdgeError, match="the web server has ended by itself"):
        Service(one, server, None).run(lambda: None)
    assert one.ended.is_set()


def test_a_source_that_is_lost_while_the_history_is_locked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing hangs, why it ended is told, and so is what is lost."""
    path = tmp_path / "h.db"
    source, history = HandFed(), History(path)
    one = station(source, history)
    server = Server(application(one, None, None), bind("127.0.0.1", 0))
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    source.music(2)
    source.fail(SourceLostError("hand: given up"))
    running = Service(one, server, None)
    with pytest.raises(SourceLostError, match="hand: given up"):
        running.run(lambda: None)
    blocker.close()
    assert running.clean and one.heard.total() >= 3
    assert caplog.messages[-1] == f"{one.heard.total()} verdicts were not saved"


class Deaf(HandFed):
    """Cannot be closed, as a pipe that nobody writes to."""

    def close(self) -> None:
        pass


def test_a_source_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_STOP_S", 0.2)
    source = Deaf()
    one, server = parts(source)
    soon(signal.raise_signal, signal.SIGINT)
    running = Service(one, server, None)
    running.run(lambda: None)
    assert not running.clean
    HandFed.close(source)
    assert one.join(20)


def test_the_watchdog_is_told_only_while_there_is_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    monkeypatch.setattr(service, "_TICK_S", 0.01)
    told: list[tuple[str, ...]] = []
    monkeypatch.setattr(Notifier, "tell", lambda self, *lines: told.append(lines))
    one, server = parts(HandFed())
    alive = [True]
    monkeypatch.setattr(one, "alive", lambda: alive[0])
    runner = Service(one, server, None)
    monkeypatch.setattr(service.signals, "install", lambda _: None)
    thread = threading.Thread(target=runner.run, args=(lambda: None,))
    thread.start()
    eventually(lambda: told.count(("WATCHDOG=1",)) >= 3 and ("READY=1",) in told)
    alive[0] = False
    eventually(lambda: _quiet(told))
    runner._on_signal(signal.SIGTERM, None)
    thread.join(20)
    assert told[-1] == ("STOPPING=1",)


def _quiet(told: list[tuple[str, ...]]) -> bool:
    before = len(told)
    threading.Event().wait(0.3)
    return len(told) == before


@pytest.mark.parametrize(
    ("micros", "pid", "expected"),
    [("2000000", "", 2.0), ("2000000", "1", None), ("0", "", None), ("", "", None), ("-5", "", None), ("x", "", None)],
)
def test_how_long_systemd_waits(micros: str, pid: str, expected: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", micros)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert Notifier().watchdog_s == expected


def test_a_server_is_asked_to_end_before_it_began() -> None:
    one = Running()
    for _ in range(3):
        one.server.stop()
    assert one.server.join(10)
    one.stop()
