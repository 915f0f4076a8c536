"""Microphone, with a fake sound card that a thread plays: every lost sample is counted."""

import sys
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genre_edge.audio import microphone
from genre_edge.audio.block import Block
from genre_edge.audio.microphone import Microphone
from genre_edge.errors import AudioError
from tests.helpers.bundles import RATE, tiny

CHUNK = RATE // 10


class PortAudioError(Exception):
    """Stands for sounddevice.PortAudioError."""


CallbackInfo = tuple[SimpleNamespace, SimpleNamespace]  # timing and status


def callback_info(start_s: float, overflow: bool = False) -> CallbackInfo:
    return SimpleNamespace(inputBufferAdcTime=start_s), SimpleNamespace(input_overflow=overflow)


NO_CLOCK = callback_info(0.0)


class FakeStream:
    """Fake sounddevice.InputStream; `play` calls the callback from another thread, as PortAudio does."""

    def __init__(self, **settings: Any) -> None:
        self.settings, self.started, self.closed = settings, False, False
        self.infos: list[CallbackInfo] = []  # for the next buffers
        self._callback: Callable[..., None] = settings["callback"]
        self._buffer = np.zeros((settings["blocksize"], settings["channels"]), dtype=np.float32)

    def start(self) -> None:
        self.started = True

    def close(self) -> None:
        self.closed = True

    def play(self, samples: np.ndarray) -> None:
        """Deliver samples `(n, channels)` through one buffer that is overwritten each time."""

        def capture() -> None:
            for i in range(0, len(samples), len(self._buffer)):
                piece = samples[i : i + len(self._buffer)]
                self._buffer[: len(piece)] = piece
                self._callback(self._buffer[: len(piece)], len(piece), *self.infos.pop(0) if self.infos else NO_CLOCK)
            self._buffer[:] = np.nan

        thread = threading.Thread(target=capture)
        thread.start()
        thread.join()


class FakeCard(SimpleNamespace):
    """Fake module sounddevice with one card."""

    PortAudioError = PortAudioError

    def __init__(self, channels: int = 2, rate: float = RATE) -> None:
        super().__init__(channels=channels, rate=rate, streams=[], fail=None, default=SimpleNamespace(device=(0, 0)))

    def query_devices(self, device: Any, kind: str) -> dict[str, Any]:
        assert kind == "input"
        if isinstance(device, str) and device not in "USB microphone":
            raise ValueError(f"No input device matching {device!r}")
        if isinstance(device, int) and device > 1 << 31:
            raise OverflowError(f"integer {device} does not fit 'int'")
        if isinstance(device, int) and device > 3:
            raise PortAudioError(f"Error querying device {device}")
        return {"name": "USB microphone", "default_samplerate": self.rate, "max_input_channels": self.channels}

    def InputStream(self, **settings: Any) -> FakeStream:  # noqa: N802 (sounddevice's name)
        if self.fail is not None:
            raise self.fail
        stream = FakeStream(**settings)
        self.streams.append(stream)
        return stream


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


@pytest.mark.parametrize(("device", "device_id"), [(None, None), ("2", 2), ("USB", "USB"), ("micro", "micro")])
def test_device_by_name_or_number(card: FakeCard, device: str | None, device_id: object) -> None:
    """A device is selected by number, name or part of a name."""
    with Microphone(device) as source:
        assert card.streams[0].settings["device"] == device_id
        assert source.name == (device or "microphone")


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("Nosuch", "No input device matching 'Nosuch'"),
        ("99", "Error querying device 99"),
        ("99999999999", "integer 99999999999 does not fit 'int'"),
    ],
)
def test_unknown_device(card: FakeCard, device: str, reason: str) -> None:
    """An unknown device is an error with PortAudio's reason."""
    with pytest.raises(AudioError) as caught:
        Microphone(device)
    assert str(caught.value) == f"{device}: {reason}"


def test_no_input_device(card: FakeCard) -> None:
    """Without any input the error says so."""
    card.default.device = (-1, -1)
    with pytest.raises(AudioError, match=r"^microphone: no sound card with an input found$"):
        Microphone()


def test_rescan_after_failure(card: FakeCard) -> None:
    """A failed rescan is an error; the next one works. PortAudio refuses to terminate if not initialized."""
    initialized, failing = True, True

    def terminate() -> None:
        nonlocal initialized
        if not initialized:
            raise PortAudioError("PortAudio not initialized")
        initialized = False

    def initialize() -> None:
        nonlocal initialized
        if failing:
            raise PortAudioError("Unanticipated host error")
        initialized = True

    card._terminate, card._initialize = terminate, initialize
    for _ in range(2):
        with pytest.raises(AudioError, match=r"^PortAudio: Unanticipated host error$"):
            microphone.rescan()
    failing = False
    microphone.rescan()
    assert initialized


@pytest.mark.parametrize("error", [PortAudioError("Invalid sample rate"), ValueError("no"), PortAudioError("Busy")])
def test_device_cannot_be_opened(card: FakeCard, error: Exception) -> None:
    """A device that cannot be opened is an error with PortAudio's reason."""
    card.fail = error
    with pytest.raises(AudioError) as caught:
        Microphone()
    assert str(caught.value) == f"microphone: {error}"


def test_failed_start_closes_stream(card: FakeCard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that cannot be started is closed."""

    def start(stream: FakeStream) -> None:
        raise PortAudioError("Device unavailable")

    monkeypatch.setattr(FakeStream, "start", start)
    with pytest.raises(AudioError, match="microphone: Device unavailable"):
        Microphone()
    assert card.streams[0].closed


@pytest.mark.parametrize(("channels", "rate"), [(0, RATE), (2, 0.0)])
def test_device_cannot_record(card: FakeCard, channels: int, rate: float) -> None:
    """A device without input channels or rate is an error."""
    card.channels, card.rate = channels, rate
    with pytest.raises(AudioError, match=r"^microphone: "):
        Microphone()


def test_missing_sounddevice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without sounddevice the error says what to install."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioError) as caught:
        Microphone()
    assert str(caught.value) == "a microphone needs sounddevice: in the folder of genre-edge, pip install '.[live]'"


def test_portaudio_fails_on_import(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A PortAudio that cannot be initialized is an error with its reason."""
    (tmp_path / "sounddevice.py").write_text("class PortAudioError(Exception): ...\nraise PortAudioError('no host')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AudioError, match=r"^PortAudio: no host$"):
        Microphone()


def test_missing_portaudio(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Without PortAudio the error says what to install."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not received')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AudioError) as caught:
        Microphone()
    assert str(caught.value) == "a microphone needs PortAudio (apt install libportaudio2)"
