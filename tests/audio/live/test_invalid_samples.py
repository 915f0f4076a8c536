"""InvalidSampleFilter: invalid samples of a live source are dropped and counted, and do not end the stream."""

import json
import math
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest

from genre_edge.audio.block import Block
from genre_edge.audio.live.invalid_samples import InvalidSampleFilter
from genre_edge.audio.live.reconnect import ReconnectingSource, RetryPolicy
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError, SourceLostError
from tests.helpers.audio import BlockSource, encode, music, noise
from tests.helpers.bundles import RATE, tiny
from tests.helpers.live import RadioServer


def with_invalid(samples: np.ndarray, index: int, value: float = math.nan) -> np.ndarray:
    """Return a copy in which one sample is invalid."""
    samples = samples.copy()
    samples[index] = value
    return samples


def block(samples: np.ndarray, position: int, dropped: int = 0, arrived_s: float = 0.0) -> Block:
    return Block(samples, RATE, position, dropped, arrived_s)


@pytest.mark.parametrize("value", [math.nan, math.inf, -2e6])
def test_filter_drops_block(value: float, caplog: pytest.LogCaptureFixture) -> None:
    """A block with an invalid sample becomes an empty block at its end that counts the samples as dropped."""
    invalid_filter = InvalidSampleFilter("radio", 60.0)
    valid = block(noise(100), 0)
    assert invalid_filter.process(valid) is valid
    dropped = invalid_filter.process(block(with_invalid(noise(100), 7, value), 150, 50))
    assert (dropped.position, dropped.dropped, len(dropped.samples)) == (250, 150, 0)
    assert caplog.messages == [
        f"radio: sample 157 has an invalid value ({value:g}); dropping invalid samples; further drops are not logged"
    ]


def test_filter_logs_state_changes(caplog: pytest.LogCaptureFixture) -> None:
    """The log has one line for each change of state, not one for each block."""
    invalid_filter = InvalidSampleFilter("radio", 60.0)
    for second in range(1000):  # one block in ten is invalid for 500 s, then none
        invalid = second < 500 and second % 10 == 0
        samples = with_invalid(noise(100), 0) if invalid else noise(100)
        invalid_filter.process(block(samples, 100 * second, 0, float(second)))
    invalid_filter.process(block(with_invalid(noise(100), 0), 100_000, 0, 1000.0))
    first, recovered, second_drop = caplog.messages
    assert first.startswith("radio: sample 0 has an invalid value (nan)")
    assert second_drop.startswith("radio: sample 100000 has an invalid value (nan)")
    assert recovered == "radio: all samples are valid again; dropped 5000 samples"


def make_live_source(blocks: list[Block]) -> ReconnectingSource:
    """Return a live source that yields the blocks once and is then lost."""
    sources: list[Source] = [BlockSource(blocks, RATE, "card")]

    def open_source() -> Source:
        if not sources:
            raise AudioError("card: unplugged")
        return sources.pop()

    return ReconnectingSource("card", open_source, RetryPolicy(initial_delay_s=0.0, max_delay_s=0.0, tries=2))


@pytest.mark.parametrize("invalid", [[0], [3], [3, 4, 5], [9], range(10)])
def test_verdicts_count_dropped_samples(invalid: list[int]) -> None:
    """Verdicts and blocks count the samples of invalid blocks as dropped; all other samples are unchanged."""
    seconds = [music(1, RATE, seed) for seed in range(10)]
    blocks = [block(with_invalid(s, 5) if i in invalid else s, RATE * i) for i, s in enumerate(seconds)]
    verdicts = []
    with make_live_source(blocks) as source, pytest.raises(SourceLostError):
        for verdict in tiny().stream(source, 0.1):
            verdicts.append(verdict)
    received = []
    with make_live_source(blocks) as source, pytest.raises(SourceLostError):
        for item in source.blocks():
            received.append(item)
    assert sum(item.dropped for item in received) == RATE * len(invalid)
    assert received[-1].position + len(received[-1].samples) == 10 * RATE
    for item in received:
        assert len(item.samples) == 0 or np.array_equal(item.samples, seconds[item.position // RATE])
    if 9 not in invalid:
        assert verdicts[-1].dropped_samples == RATE * len(invalid)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")
def test_stream_survives_invalid_sample() -> None:
    """`genre-edge stream` goes on after one invalid sample in a radio stream, and logs one line."""
    wav = encode(with_invalid(music(20, RATE), 8 * RATE)[:, None], RATE, subtype="FLOAT")

    def respond(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: audio/wav\r\n\r\n" + wav)
        client.recv(1)

    server = RadioServer(respond)
    command = [sys.executable, "-m", "genre_edge", "stream", server.url, "--interval", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        verdicts = [json.loads(process.stdout.readline() or process.stderr.read()) for _ in range(3)]
        process.kill()
        log = process.stderr.read().decode()
    server.close()
    assert 0 < verdicts[-1]["dropped_samples"] < RATE and verdicts[0]["dropped_samples"] == 0
    problem = f"{server.url}: sample {8 * RATE} has an invalid value (nan)"
    assert log == f"genre-edge: {problem}; dropping invalid samples; further drops are not logged\n"
