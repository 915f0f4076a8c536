"""What is no sound in a live source: left out and counted in its place, and never the end of listening."""

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


def spoilt(samples: np.ndarray, at: int, bad: float = math.nan) -> np.ndarray:
    samples = samples.copy()
    samples[at] = bad
    return samples


def block(samples: np.ndarray, position: int, dropped: int = 0, arrived_s: float = 0.0) -> Block:
    return Block(samples, RATE, position, dropped, arrived_s)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -2e6])
def test_a_block_that_is_no_sound_is_a_loss_in_its_place(bad: float, caplog: pytest.LogCaptureFixture) -> None:
    usable = InvalidSampleFilter("radio", 60.0)
    sound = block(noise(100), 0)
    assert usable.part(sound) is sound
    left_out = usable.part(block(spoilt(noise(100), 7, bad), 150, 50))
    assert (left_out.position, left_out.dropped, len(left_out.samples)) == (250, 150, 0)
    assert caplog.messages == [f"radio: sample 157 is {bad:g}, not a sound; left out, as all that is none"]


def test_a_line_a_change_of_state_and_not_a_block(caplog: pytest.LogCaptureFixture) -> None:
    usable = InvalidSampleFilter("radio", 60.0)
    for second in range(1000):  # one in ten is spoilt for 500 s, then none
        bad = second < 500 and second % 10 == 0
        usable.part(block(spoilt(noise(100), 0) if bad else noise(100), 100 * second, 0, float(second)))
    usable.part(block(spoilt(noise(100), 0), 100_000, 0, 1000.0))
    begun, over, again = caplog.messages
    assert begun.startswith("radio: sample 0 is nan") and again.startswith("radio: sample 100000 is nan")
    assert over == "radio: nothing but sound again; 5000 samples were left out"


def live(blocks: list[Block]) -> ReconnectingSource:
    lives: list[Source] = [BlockSource(blocks, RATE, "card")]

    def open_source() -> Source:
        if not lives:
            raise AudioError("card: gone")
        return lives.pop()

    return ReconnectingSource("card", open_source, RetryPolicy(initial_delay_s=0.0, max_delay_s=0.0, tries=2))


@pytest.mark.parametrize("bad", [[0], [3], [3, 4, 5], [9], range(10)])
def test_what_is_left_out_is_dropped_in_the_verdicts(bad: list[int]) -> None:
    samples = [music(1, RATE, seed) for seed in range(10)]
    blocks = [block(spoilt(s, 5) if i in bad else s, RATE * i) for i, s in enumerate(samples)]
    verdicts = []
    with live(blocks) as source, pytest.raises(SourceLostError):
        for verdict in tiny().stream(source, 0.1):
            verdicts.append(verdict)
    with live(blocks) as source, pytest.raises(SourceLostError):
        heard = []
        for one in source.blocks():
            heard.append(one)
    assert sum(one.dropped for one in heard) == RATE * len(bad)
    assert heard[-1].position + len(heard[-1].samples) == 10 * RATE
    for one in heard:
        assert len(one.samples) == 0 or np.array_equal(one.samples, samples[one.position // RATE])
    if 9 not in bad:
        assert verdicts[-1].dropped_samples == RATE * len(bad)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")
def test_a_radio_with_one_spoilt_sample_is_heard_on() -> None:
    wav = encode(spoilt(music(9, RATE), 4 * RATE)[:, None], RATE, subtype="FLOAT")

    def answer(caller: socket.socket) -> None:
        caller.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: audio/wav\r\n\r\n" + wav)
        caller.recv(1)

    server = RadioServer(answer)
    command = [sys.executable, "-m", "genre_edge", "stream", server.url, "--interval", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        verdicts = [json.loads(process.stdout.readline() or process.stderr.read()) for _ in range(3)]
        process.kill()
        said = process.stderr.read().decode()
    server.close()
    assert 0 < verdicts[-1]["dropped_samples"] < RATE and verdicts[0]["dropped_samples"] == 0
    assert said == f"genre-edge: {server.url}: sample {4 * RATE} is nan, not a sound; left out, as all that is none\n"
