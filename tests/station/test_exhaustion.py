"""A station that serves while descriptors, threads, memory or processes run out: it goes on, and loses no audio."""

import builtins
import errno
import http.client
import io
import itertools
import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from genre_edge.audio.block import Block
from genre_edge.audio.level_meter import LevelMeter
from genre_edge.audio.pipe import PcmSource
from genre_edge.classify.frontend import FrontEnd
from genre_edge.mel.spectrogram import Frames
from genre_edge.station.http.connection_limits import LimitedServer
from genre_edge.station.resumable import ResumableBlocks
from genre_edge.station.station import Station
from genre_edge.system.log_limit import MAX_RECORDS
from tests.conftest import TIMEOUT_S
from tests.helpers.audio import music
from tests.helpers.bundles import RATE
from tests.helpers.server import RunningServer
from tests.helpers.station import QueueSource, eventually, make_station

PATHS = ["/", "/static/page.js", "/api/v1/status", "/api/v1/history", "/api/v1/day", "/metrics"]
MAX_LOG_LINES = 4 * MAX_RECORDS  # a bound on all loggers, whatever fails


class Injection:
    """Lets every `n`-th call of a function fail, but not in the test's own thread."""

    def __init__(self, n: int, error: Callable[[], Exception]) -> None:
        self._n, self._error = n, error
        self._calls = itertools.count(1)
        self.enabled, self.n_failed = False, 0

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            is_injected = self.enabled and threading.current_thread() is not threading.main_thread()
            if is_injected and next(self._calls) % self._n == 0:
                self.n_failed += 1
                raise self._error()
            return function(*arguments, **options)

        return call


def no_descriptors() -> Exception:
    return OSError(errno.EMFILE, "Too many open files")


def no_threads() -> Exception:
    return RuntimeError("can't start new thread")


def no_memory() -> Exception:
    return MemoryError()


INJECTIONS: dict[str, tuple[object, str, Callable[[], Exception]]] = {
    "accept": (socket.socket, "accept", no_descriptors),
    "open": (builtins, "open", no_descriptors),
    "thread": (threading.Thread, "start", no_threads),
    "memory in JSON": (json, "dumps", no_memory),
    "memory in numpy": (np, "concatenate", no_memory),
    "memory of the meter": (np, "dot", no_memory),
    "memory of the tick": (LimitedServer, "on_tick", no_memory),
}


def request_all(running: RunningServer) -> list[int | None]:
    """Request every path; return the status codes, None for a dropped connection."""
    statuses: list[int | None] = []
    for path in PATHS:
        try:
            statuses.append(running.get(path)[0])
        except (OSError, http.client.HTTPException):
            statuses.append(None)
    return statuses


# After three threads have started, the station starts no more of them.
CASES = [(kind, n) for kind in INJECTIONS for n in (1, 2, 5) if (kind, n) != ("thread", 5)]


@pytest.mark.parametrize(("kind", "n"), CASES)
def test_injected_failures(
    kind: str, n: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests may fail while every n-th call fails; afterwards all is as before, and all audio is accounted for."""
    owner, name, error = INJECTIONS[kind]
    injection = Injection(n, error)
    monkeypatch.setattr(owner, name, injection.wrap(getattr(owner, name)))
    monkeypatch.setattr("genre_edge.station.http.connection_limits._TICK_INTERVAL_S", 0.05)
    running = RunningServer()
    statuses: list[int | None] = []

    def request_until_failure() -> None:
        while not (injection.n_failed and statuses):
            statuses.extend(request_all(running))

    injection.enabled = True
    running.source.feed_music(6)
    requests = threading.Thread(target=request_until_failure)
    requests.start()
    eventually(lambda: injection.n_failed)
    eventually(running.source._queue.empty)
    injection.enabled = False
    requests.join()
    running.assert_audio_is_processed()
    eventually(lambda: request_all(running) == [200] * len(PATHS))
    dropped = running.station.status()["dropped_samples"]
    running.stop()
    assert set(statuses) <= {200, 500, 503, None}
    assert dropped == 0 or kind in ("memory in numpy", "memory of the meter")
    assert running.station.error is None and len(caplog.records) <= MAX_LOG_LINES
    assert not any(record.exc_info for record in caplog.records)


def test_descriptor_burst(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Hundreds of connections of one address cost one log line, and at most its limit of descriptors."""
    running = RunningServer()
    accepted: list[socket.socket] = []
    n_open: list[int] = []
    original = socket.socket.accept

    def accept(self: socket.socket) -> tuple[socket.socket, Any]:
        client, address = original(self)
        accepted.append(client)
        n_open.append(sum(one.fileno() >= 0 for one in accepted))
        return client, address

    monkeypatch.setattr(socket.socket, "accept", accept)
    clients = []
    try:
        for _ in range(600):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", running.port))
            clients.append(client)
        running.assert_audio_is_processed()
        eventually(lambda: caplog.messages)
        eventually(lambda: is_served_from(running, "127.0.0.2"))
    finally:
        for client in clients:
            client.close()
    eventually(lambda: request_all(running) == [200] * len(PATHS))
    running.stop()
    assert len(n_open) > 32 and max(n_open) <= 64
    assert caplog.messages == [
        "web server: 127.0.0.1 has 32 connections, the limit for one address; closing further ones"
    ]


def is_served_from(running: RunningServer, address: str) -> bool:
    with running.connect(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", address=address) as client:
        return client.recv(12).startswith(b"HTTP/1.1 ")


def test_server_restarts_after_loop_failure(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The web server starts again if its main loop fails, or stops ticking; the audio goes on."""
    monkeypatch.setattr("genre_edge.station.http.connection_limits._TICK_INTERVAL_S", 0.05)
    monkeypatch.setattr("genre_edge.station.http.server._RESTART_DELAY_S", 0.01)
    running = RunningServer()
    eventually(lambda: running.get("/healthz")[0] in (200, 503))
    monkeypatch.setattr("genre_edge.station.http.connection_limits._TICK_INTERVAL_S", 1e6)  # the timer is lost
    ticking = running.server._server
    eventually(lambda: running.server.poll() or running.server._server is not ticking)
    monkeypatch.setattr("genre_edge.station.http.connection_limits._TICK_INTERVAL_S", 0.05)
    running.assert_audio_is_processed()
    eventually(lambda: request_all(running) == [200] * len(PATHS))
    running.stop()
    assert sum("starting again" in message for message in caplog.messages) >= 1


# The audio path


class FailingStream:
    """A byte stream; every `n`-th read fails with MemoryError before it takes anything."""

    def __init__(self, data: bytes, n: int) -> None:
        self._data, self._injection = memoryview(data), Injection(n, no_memory)

    def read(self, n: int) -> bytes:
        self._injection.enabled = True
        return self._injection.wrap(self._take)(n)  # type: ignore[no-any-return]

    def _take(self, n: int) -> bytes:
        part, self._data = bytes(self._data[: min(n, 3500)]), self._data[min(n, 3500) :]
        return part


@pytest.mark.parametrize("n", [2, 3, 7])
def test_pipe_continues_after_shortage(n: int, caplog: pytest.LogCaptureFixture) -> None:
    """A pipe that lacks memory now and then is read to its end, sample by sample."""
    samples = music(12, RATE)
    whole = make_station(PcmSource(io.BytesIO(samples.astype("<f4").tobytes()), "pipe", "f32le", RATE, 1))
    whole.start()
    stream = FailingStream(samples.astype("<f4").tobytes(), n)
    station = make_station(PcmSource(stream, "pipe", "f32le", RATE, 1))  # type: ignore[arg-type]
    station.start()
    assert station.join(TIMEOUT_S) and whole.join(TIMEOUT_S)
    status = station.status()
    assert verdicts(station) == verdicts(whole) != []
    assert station.error is None and status["dropped_samples"] == 0
    assert status["position_s"] == pytest.approx(len(samples) / RATE, abs=1e-3)
    assert 1 <= len(caplog.messages) <= MAX_RECORDS


def verdicts(station: Station) -> list[dict[str, Any]]:
    """Return what was heard, without times."""
    keys = ("start_s", "end_s", "genre", "reason", "genres", "dropped_samples")
    return [{key: verdict[key] for key in keys} for verdict in station.history.verdicts()]


@pytest.mark.parametrize("is_counted", [False, True])
def test_failed_block_counts_as_dropped(is_counted: bool) -> None:
    """A block whose consumer fails is reported as dropped by the next one; each sample is counted once."""
    source = QueueSource()
    for dropped in (0, 5, 0, 0):
        source.feed(music(0.1, RATE), dropped)
    source.close()
    blocks, meter, n_blocks = ResumableBlocks(source), LevelMeter(), 0

    def consume(fail_at: int) -> None:
        nonlocal n_blocks
        for block in blocks.blocks():
            n_blocks += 1
            if n_blocks == fail_at and not is_counted:
                raise MemoryError
            meter(block)
            blocks.mark_counted()
            if n_blocks == fail_at:
                raise MemoryError

    for fail_at in (2, 4):
        with pytest.raises(MemoryError):
            consume(fail_at)
    consume(0)
    n = len(music(0.1, RATE))
    assert meter.dropped_samples == 5 + 2 * n and meter.end_s == source.position / RATE


def test_last_verdict_after_shortage(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the source ends before the first verdict after a shortage, the last one starts at the block that was lost."""
    push = FrontEnd._push

    def fail_once(front_end: FrontEnd, block: Block) -> Frames:
        if block.position == 2 * RATE:
            raise MemoryError
        return push(front_end, block)

    monkeypatch.setattr(FrontEnd, "_push", fail_once)
    source = QueueSource()
    source.feed_music(2)
    source.feed_music(0.2)
    source.close()
    station = make_station(source)
    station.start()
    assert station.join(TIMEOUT_S) and station.error is None
    last = verdicts(station)[-1]
    assert (last["start_s"], last["end_s"], last["dropped_samples"]) == (2.0, 2.2, RATE // 10)


def test_other_errors_end_the_station() -> None:
    """Only a shortage is survived: other errors of the classification end the station as before."""
    source = QueueSource()
    station = make_station(source)
    station.start()
    source.fail(ValueError("a bug"))
    assert station.join(TIMEOUT_S) and "a bug" in str(station.error)
