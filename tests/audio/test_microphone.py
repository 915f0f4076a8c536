"""Microphone, with a fake sound card that a thread plays: every lost sample is counted."""

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from genre_edge.audio import microphone
from genre_edge.audio.block import Block
from genre_edge.audio.microphone import Microphone
from genre_edge.errors import AudioError
from tests.helpers.bundles import RATE, tiny
from tests.helpers.sound_card import CHUNK, FakeCard, callback_info


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> FakeCard:
    card = FakeCard()
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    monkeypatch.setattr(microphone, "TIMEOUT_S", 0.05)
    return card


def ramp(n: int, channels: int = 2) -> np.ndarray:
    """Samples whose values are proportional to their positions."""
    return np.repeat((np.arange(n, dtype=np.float32) / (1 << 20))[:, None], channels, axis=1)


def collect(blocks: Iterator[Block], into: list[Block]) -> None:
    for block in blocks:
        into.append(block)


def test_blocks_are_contiguous(card: FakeCard) -> None:
    """Captured blocks are contiguous, with all samples."""
    received: list[Block] = []
    with Microphone() as source:
        assert (source.name, source.rate, source.channels) == ("microphone", RATE, 2)
        card.streams[0].play(ramp(5 * CHUNK + 33))
        with pytest.raises(AudioError, match=r"^microphone: no samples for 0\.05 s$"):
            collect(source.blocks(), received)
    assert [block.position for block in received] == [i * CHUNK for i in range(6)]
    assert {block.dropped for block in received} == {0} and {block.rate for block in received} == {RATE}
    assert np.array_equal(np.concatenate([block.samples for block in received]), ramp(5 * CHUNK + 33)[:, 0])
    assert [b.arrived_s for b in received] == sorted(b.arrived_s for b in received)


def test_channels_are_averaged(card: FakeCard) -> None:
    """At most two channels are opened, and averaged."""
    received: list[Block] = []
    card.channels = 8
    with Microphone() as source:
        stream = card.streams[0]
        assert source.channels == stream.settings["channels"] == 2
        assert stream.settings["samplerate"] == RATE and stream.settings["dtype"] == "float32" and stream.started
        stream.play(np.tile(np.array([[0.5, 0.25]], dtype=np.float32), (CHUNK, 1)))
        with pytest.raises(AudioError):
            collect(source.blocks(), received)
    assert np.array_equal(received[0].samples, np.full(CHUNK, 0.375, dtype=np.float32))
    card.channels = 1
    with Microphone() as source:
        assert source.channels == card.streams[1].settings["channels"] == 1


@pytest.mark.parametrize("overload", [1, 7, 250])
def test_overload_is_counted(card: FakeCard, monkeypatch: pytest.MonkeyPatch, overload: int) -> None:
    """Samples that do not fit into the queue are counted exactly."""
    monkeypatch.setattr(microphone, "QUEUE_CAPACITY_S", 2)
    capacity = 20  # blocks of a tenth of a second
    received: list[Block] = []
    with Microphone() as source:
        stream, samples = card.streams[0], ramp((capacity + overload + 5) * CHUNK)
        stream.play(samples[: (capacity + overload) * CHUNK])
        blocks = source.blocks()
        received += [next(blocks) for _ in range(capacity)]  # the reader empties the queue
        stream.play(samples[(capacity + overload) * CHUNK :])
        with pytest.raises(AudioError):
            collect(blocks, received)
    assert [block.dropped for block in received] == [0] * capacity + [overload * CHUNK] + [0] * 4
    for block in received:  # every sample is at its position
        assert np.array_equal(block.samples, samples[block.position : block.position + CHUNK, 0])
    assert received[-1].position + CHUNK == len(samples)


def test_two_overloads_are_counted(card: FakeCard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each overload is counted in its place."""
    monkeypatch.setattr(microphone, "QUEUE_CAPACITY_S", 1)
    received: list[Block] = []
    with Microphone() as source:
        stream, samples, blocks = card.streams[0], ramp(60 * CHUNK), source.blocks()
        for start, stop, read in ((0, 15, 10), (15, 40, 10), (40, 45, 5)):
            stream.play(samples[start * CHUNK : stop * CHUNK])
            received += [next(blocks) for _ in range(read)]
    dropped = {block.position // CHUNK: block.dropped // CHUNK for block in received if block.dropped}
    assert dropped == {15: 5, 40: 15}
    for block in received:
        assert np.array_equal(block.samples, samples[block.position : block.position + CHUNK, 0])


@pytest.mark.parametrize(
    ("starts_s", "dropped"),
    [
        ([7.0, 7.1, 7.65], round(0.45 * RATE)),  # the clock's gap
        ([7.0, 7.1, 7.15], CHUNK),  # impossible gap: one buffer
        ([0.0, 0.0, 0.0], CHUNK),  # a card without a clock
        ([0.0, 0.0, 7.65], CHUNK),
        ([7.0, 7.1, 0.0], CHUNK),
    ],
)
def test_card_overflow_is_counted(card: FakeCard, starts_s: list[float], dropped: int) -> None:
    """Samples that the card lost are counted by its clock, as one buffer without a valid clock."""
    received: list[Block] = []
    with Microphone() as source:
        first, second, third = starts_s
        card.streams[0].infos = [callback_info(first), callback_info(second), callback_info(third, overflow=True)]
        card.streams[0].play(ramp(4 * CHUNK))
        with pytest.raises(AudioError):
            collect(source.blocks(), received)
    assert [block.dropped for block in received] == [0, 0, dropped, 0]
    assert received[-1].position == 3 * CHUNK + dropped


def test_verdicts_count_dropped_samples(card: FakeCard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts report the dropped samples."""
    monkeypatch.setattr(microphone, "QUEUE_CAPACITY_S", 3)
    rng = np.random.default_rng(0)
    with Microphone() as source:
        stream = card.streams[0]
        stream.play(rng.uniform(-0.5, 0.5, (40 * CHUNK, 2)).astype(np.float32))
        verdicts = tiny().stream(source, 1.0)
        first = [next(verdicts), next(verdicts)]
        stream.play(rng.uniform(-0.5, 0.5, (20 * CHUNK, 2)).astype(np.float32))
        second = [next(verdicts) for _ in range(2)]
        with pytest.raises(AudioError, match="no samples"):
            list(verdicts)
    assert [verdict.dropped_samples for verdict in first] == [0, 0]
    assert second[-1].dropped_samples == 10 * CHUNK
    assert second[-1].end_s > 4.0  # position of the samples after the gap


def test_silent_card_times_out(card: FakeCard) -> None:
    """A card that delivers no samples is an error after the timeout."""
    with Microphone("USB") as source, pytest.raises(AudioError) as caught:
        next(source.blocks())
    assert str(caught.value) == "USB: no samples for 0.05 s"


def test_close_ends_stream(card: FakeCard) -> None:
    """Closing the microphone closes PortAudio's stream; a second `close` does nothing."""
    with Microphone() as source:
        assert not card.streams[0].closed
    assert card.streams[0].closed
    source.close()
