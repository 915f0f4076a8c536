"""Live sources over long times: a thousand disconnections, unstable stations and overruns."""

import logging
import os
import random
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from genre_edge import Classifier
from genre_edge.audio.block import Block
from genre_edge.audio.live.queue import BoundedBlockQueue
from genre_edge.audio.live.reconnect import ReconnectingSource, RetryPolicy
from genre_edge.audio.opening import open_live
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError, SourceLostError
from tests.conftest import TIMEOUT_S
from tests.helpers.audio import music
from tests.helpers.live import RATE, RadioServer, ffmpeg_pids, wav_response


class Clock:
    """Simulated clock; `now_s` is advanced by waiting and by audio."""

    now_s = 1000.0


@dataclass(frozen=True)
class SimulatedRetryPolicy(RetryPolicy):
    """A retry policy on a simulated clock, which waiting and audio advance."""

    clock: Clock = field(default_factory=Clock)

    def delay_s(self, failures: int) -> float:
        self.clock.now_s += super().delay_s(failures)
        return 0.0


class ShortConnection(Source):
    """A connection that yields a few blocks and then ends or fails."""

    name, rate, channels = "station", 100, 1

    def __init__(self, station: "UnstableStation") -> None:
        self._station = station

    def blocks(self) -> Iterator[Block]:
        for position in range(0, self.rate * self._station.rng.randrange(3, 7), self.rate):
            self._station.clock.now_s += 1
            samples = np.zeros(self.rate, dtype=np.float32)
            yield Block(samples, self.rate, position, 0, self._station.clock.now_s)
        self._station.disconnect()

    def close(self) -> None:
        self._station.open = 0


class UnstableStation:
    """A station that is available for seconds, then unavailable for a random time, and finally for good."""

    def __init__(self, n_connections: int) -> None:
        self.clock, self.rng = Clock(), random.Random(6)
        self.open = self.most_open = 0
        self._remaining, self._available_from_s = n_connections, 0.0
        self.outages_s: list[float] = []

    def connect(self) -> Source:
        if self._remaining == 0 or self.clock.now_s < self._available_from_s:
            raise AudioError("station: connection refused")
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        return ShortConnection(self)

    def disconnect(self) -> None:
        self._remaining -= 1
        self.outages_s.append(self.rng.choice([0.0, self.rng.expovariate(1 / 5), self.rng.expovariate(1 / 300)]))
        self._available_from_s = self.clock.now_s + self.outages_s[-1]
        if self.rng.random() < 0.5:
            raise AudioError("station: connection reset")


def test_reconnecting_source_survives_1000_outages(caplog: pytest.LogCaptureFixture) -> None:
    """Every outage is counted, logged twice and explained by dropped samples; one connection is open at a time."""
    caplog.set_level(logging.INFO)
    station = UnstableStation(1000)
    policy = SimulatedRetryPolicy(tries=100, stable_s=1.9, clock=station.clock)
    blocks: list[Block] = []
    with ReconnectingSource("station", station.connect, policy) as source, pytest.raises(SourceLostError):
        blocks.extend(source.blocks())
    assert station.most_open == 1 and station.open == 0
    assert source.outages == len(station.outages_s) == 1000

    ends = [block.position + len(block.samples) for block in blocks]
    assert [block.position - block.dropped for block in blocks] == [0, *ends[:-1]]  # no unexplained gap
    first_s, last_s = blocks[0].arrived_s - 1, blocks[-1].arrived_s
    assert ends[-1] == pytest.approx((last_s - first_s) * ShortConnection.rate, abs=len(station.outages_s))
    gaps_s = [block.dropped / ShortConnection.rate for block in blocks if block.dropped]
    assert len(gaps_s) == 999
    for gap_s, outages_s in zip(gaps_s, station.outages_s, strict=False):  # reconnected within the back-off
        longest_wait_s = min(policy.max_delay_s, outages_s / (1 - policy.jitter) + policy.initial_delay_s)
        assert outages_s - 0.01 <= gap_s <= outages_s + longest_wait_s + 0.01

    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1000 + 999  # each outage, each reconnection
    assert all(line.endswith("; trying again") for line in lines[::2])
    assert all(line.startswith("station: connected again after ") for line in lines[1::2])


def test_reconnecting_source_backs_off_from_unstable_station(caplog: pytest.LogCaptureFixture) -> None:
    """Connections of five seconds: few attempts, few log lines, every gap counted, and a final error."""
    clock, opened = Clock(), 0

    class FiveSecondConnection(Source):
        name, rate, channels = "station", 100, 1

        def blocks(self) -> Iterator[Block]:
            for position in range(0, 500, 100):
                clock.now_s += 1
                yield Block(np.zeros(100, dtype=np.float32), 100, position, 0, clock.now_s)
            raise AudioError("station: connection reset")

    def connect() -> Source:
        nonlocal opened
        opened += 1
        return FiveSecondConnection()

    blocks: list[Block] = []
    with (
        ReconnectingSource("station", connect, SimulatedRetryPolicy(tries=30, clock=clock)) as source,
        pytest.raises(SourceLostError) as end,
    ):
        blocks.extend(source.blocks())
    assert str(end.value) == "station: connection reset; giving up after 30 failed attempts"
    assert opened == source.outages == 30
    assert caplog.messages[0] == "station: connection reset; trying again"
    assert caplog.messages[1].startswith("station: connected again after ")
    unstable = "connection is unstable; suppressing messages until it has been steady for 60 s"
    assert caplog.messages[2:] == [f"station: connection reset; {unstable}"]
    assert len([block for block in blocks if block.dropped]) == 29
    total = blocks[-1].position + len(blocks[-1].samples)
    assert total / 100 == pytest.approx(blocks[-1].arrived_s - blocks[0].arrived_s + 1, abs=0.5)


def test_reconnecting_source_resets_after_stable_connection(caplog: pytest.LogCaptureFixture) -> None:
    """After 60 s of audio, the count of failed attempts and the suppression of messages are reset."""
    clock, lengths_s = Clock(), [10, 20, 5, 61, 10]

    class Connection(Source):
        name, rate, channels = "station", 100, 1

        def blocks(self) -> Iterator[Block]:
            for second in range(lengths_s.pop(0)):
                clock.now_s += 1
                yield Block(np.zeros(100, dtype=np.float32), 100, 100 * second, 0, clock.now_s)

    def connect() -> Source:
        if not lengths_s:
            raise AudioError("station: connection refused")
        return Connection()

    policy = SimulatedRetryPolicy(initial_delay_s=1.0, jitter=0.0, tries=4, clock=clock)
    with ReconnectingSource("station", connect, policy) as source, pytest.raises(SourceLostError):
        for _ in source.blocks():
            pass
    ended = "station: the source has ended"
    assert caplog.messages == [
        f"{ended}; trying again",
        "station: connected again after 1.0 s",
        f"{ended}; connection is unstable; suppressing messages until it has been steady for 60 s",
        "station: connection is stable again; missed 7.0 s",
        f"{ended}; trying again",
        "station: connected again after 1.0 s",
        f"{ended}; connection is unstable; suppressing messages until it has been steady for 60 s",
    ]


def open_here() -> tuple[int, int]:
    """Return the numbers of this process's descriptors and Python threads, without the one that starts all ffmpegs."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(TIMEOUT_S)  # a cancelled timer thread ends as soon as it runs
    threads = [thread for thread in threading.enumerate() if thread.name != "ffmpeg starter"]
    return len(os.listdir("/proc/self/fd")), len(threads)  # noqa: PTH208


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")
@pytest.mark.slow
def test_ffmpeg_is_restarted_ten_times(caplog: pytest.LogCaptureFixture) -> None:
    """The server drops the connection or ffmpeg is killed, alternately; no descriptor or process leaks."""

    def play_then_stall(caller: socket.socket) -> None:
        wav_response(5)(caller)
        caller.recv(1)

    server = RadioServer(*[wav_response(0.5), play_then_stall] * 5)
    alive, killed, watching = [], 0, True

    def watch() -> None:
        while watching:
            alive.append(len(ffmpeg_pids()))
            time.sleep(0.002)

    before = open_here()
    watcher = threading.Thread(target=watch)
    watcher.start()
    policy = RetryPolicy(initial_delay_s=0.02, max_delay_s=0.1, tries=5, stable_s=0.0)
    with open_live(server.url, policy) as source, pytest.raises(SourceLostError):
        for _ in source.blocks():
            if server.n_requests == 2 * (killed + 1):
                os.kill(ffmpeg_pids()[0], signal.SIGKILL)
                killed += 1
    watching = False
    watcher.join()
    after = open_here()
    server.close()
    assert after == before
    assert set(alive) == {0, 1} and not ffmpeg_pids()
    assert killed == 5 and source.outages == 10
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 10 + 9, lines
    assert all(line.endswith("; trying again") for line in lines[::2])


class OverrunCard(Source):
    """A sound card whose bounded queue overflows; `injected` counts the samples that did not fit."""

    name, rate, channels = "card", RATE, 1
    CAPACITY, BLOCK = 20, RATE // 10  # blocks, samples

    def __init__(self, samples: np.ndarray, seed: int) -> None:
        self._blocks = np.split(samples, len(samples) // self.BLOCK)
        self._rng = random.Random(seed)
        self.injected = 0

    def blocks(self) -> Iterator[Block]:
        queue = BoundedBlockQueue(self.name, self.rate, self.CAPACITY * self.BLOCK / self.rate, timeout_s=1.0)
        reader = queue.blocks()
        while self._blocks:
            n = self._rng.choice([1, 5, 20, 21, 33, 150])
            n = min(n, len(self._blocks) - self.CAPACITY) or self.CAPACITY  # never drop the end
            burst, self._blocks = self._blocks[:n], self._blocks[n:]
            for samples in burst:
                queue.put(samples)
            self.injected += self.BLOCK * max(0, len(burst) - self.CAPACITY)
            for _ in burst[: self.CAPACITY]:
                yield next(reader)
        queue.end()
        yield from reader


@pytest.mark.parametrize("seed", range(3))
def test_stream_counts_dropped_samples_exactly(seed: int) -> None:
    """Verdicts report every sample that the full queue dropped, in non-decreasing totals."""
    samples = music(300, RATE)
    card = OverrunCard(samples, seed)
    verdicts = list(Classifier().stream(card, interval_s=2))
    assert card.injected > 50 * RATE
    assert verdicts[-1].dropped_samples == card.injected
    dropped = [verdict.dropped_samples for verdict in verdicts]
    assert dropped == sorted(dropped) and len(set(dropped)) > 10
    assert verdicts[-1].end_s <= 300
