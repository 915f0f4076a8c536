"""The microphone, with a sound card that is played by a thread: nothing is lost without being counted."""

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
    """sounddevice's own."""


Told = tuple[SimpleNamespace, SimpleNamespace]  # a callback's timing and status


def told(begin_s: float, overflow: bool = False) -> Told:
    return SimpleNamespace(inputBufferAdcTime=begin_s), SimpleNamespace(input_overflow=overflow)


NOTHING = told(0.0)


class FakeStream:
    """Keeps the callback; `play` calls it from another thread, as PortAudio does."""

    def __init__(self, **settings: Any) -> None:
        self.settings, self.started, self.closed = settings, False, False
        self.told: list[Told] = []  # with each buffer to come
        self._callback: Callable[..., None] = settings["callback"]
        self._buffer = np.zeros((settings["blocksize"], settings["channels"]), dtype=np.float32)

    def start(self) -> None:
        self.started = True

    def close(self) -> None:
        self.closed = True

    def play(self, samples: np.ndarray) -> None:
        """Samples `(n, channels)`, piece by piece through one buffer that is overwritten each time."""

        def capture() -> None:
            for i in range(0, len(samples), len(self._buffer)):
                piece = samples[i : i + len(self._buffer)]
                self._buffer[: len(piece)] = piece
                self._callback(self._buffer[: len(piece)], len(piece), *self.told.pop(0) if self.told else NOTHING)
            self._buffer[:] = np.nan

        thread = threading.Thread(target=capture)
        thread.start()
        thread.join()


class FakeCard(SimpleNamespace):
    """The module sounddevice with one card."""

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
        self.streams.append(FakeStream(**settings))
        return self.streams[-1]


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> FakeCard:
    card = FakeCard()
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    monkeypatch.setattr(microphone, "SILENT_S", 0.05)
    return card


def ramp(n: int, channels: int = 2) -> np.ndarray:
    """Samples that tell their own position."""
    return np.repeat((np.arange(n, dtype=np.float32) / (1 << 20))[:, None], channels, axis=1)


def collect(blocks: Iterator[Block], into: list[Block]) -> None:
    for block in blocks:
        into.append(block)


def test_blocks_follow_one_another(card: FakeCard) -> None:
    found: list[Block] = []
    with Microphone() as source:
        assert (source.name, source.rate, source.channels) == ("microphone", RATE, 2)
        card.streams[0].play(ramp(5 * CHUNK + 33))
        with pytest.raises(AudioError, match=r"^microphone: no samples for 0\.05 s$"):
            collect(source.blocks(), found)
    assert [block.position for block in found] == [i * CHUNK for i in range(6)]
    assert {block.dropped for block in found} == {0} and {block.rate for block in found} == {RATE}
    assert np.array_equal(np.concatenate([block.samples for block in found]), ramp(5 * CHUNK + 33)[:, 0])
    assert [b.arrived_s for b in found] == sorted(b.arrived_s for b in found)


def test_channels_are_mixed_and_at_most_two_are_opened(card: FakeCard) -> None:
    found: list[Block] = []
    card.channels = 8
    with Microphone() as source:
        stream = card.streams[0]
        assert source.channels == stream.settings["channels"] == 2
        assert stream.settings["samplerate"] == RATE and stream.settings["dtype"] == "float32" and stream.started
        stream.play(np.tile(np.array([[0.5, 0.25]], dtype=np.float32), (CHUNK, 1)))
        with pytest.raises(AudioError):
            collect(source.blocks(), found)
    assert np.array_equal(found[0].samples, np.full(CHUNK, 0.375, dtype=np.float32))
    card.channels = 1
    with Microphone() as source:
        assert source.channels == card.streams[1].settings["channels"] == 1


@pytest.mark.parametrize("overload", [1, 7, 250])
def test_what_does_not_fit_is_counted_exactly(card: FakeCard, monkeypatch: pytest.MonkeyPatch, overload: int) -> None:
    monkeypatch.setattr(microphone, "ROOM_S", 2)
    room = 20  # pieces of a tenth of a second
    found: list[Block] = []
    with Microphone() as source:
        stream, samples = card.streams[0], ramp((room + overload + 5) * CHUNK)
        stream.play(samples[: (room + overload) * CHUNK])
        blocks = source.blocks()
        found += [next(blocks) for _ in range(room)]  # the reader catches up
        stream.play(samples[(room + overload) * CHUNK :])
        with pytest.raises(AudioError):
            collect(blocks, found)
    assert [block.dropped for block in found] == [0] * room + [overload * CHUNK] + [0] * 4
    for block in found:  # every sample is at the position that it says
        assert np.array_equal(block.samples, samples[block.position : block.position + CHUNK, 0])
    assert found[-1].position + CHUNK == len(samples)


def test_two_overloads_are_counted_each(card: FakeCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(microphone, "ROOM_S", 1)
    found: list[Block] = []
    with Microphone() as source:
        stream, samples, blocks = card.streams[0], ramp(60 * CHUNK), source.blocks()
        for start, stop, read in ((0, 15, 10), (15, 40, 10), (40, 45, 5)):
            stream.play(samples[start * CHUNK : stop * CHUNK])
            found += [next(blocks) for _ in range(read)]
    lost = {block.position // CHUNK: block.dropped // CHUNK for block in found if block.dropped}
    assert lost == {15: 5, 40: 15}
    for block in found:
        assert np.array_equal(block.samples, samples[block.position : block.position + CHUNK, 0])


@pytest.mark.parametrize(
    ("begins_s", "lost"),
    [
        ([7.0, 7.1, 7.65], round(0.45 * RATE)),  # the clock says how much
        ([7.0, 7.1, 7.15], CHUNK),  # impossible: a buffer at least
        ([0.0, 0.0, 0.0], CHUNK),  # a card without a clock
        ([0.0, 0.0, 7.65], CHUNK),
        ([7.0, 7.1, 0.0], CHUNK),
    ],
)
def test_what_the_card_itself_lost_is_told_by_its_clock(card: FakeCard, begins_s: list[float], lost: int) -> None:
    found: list[Block] = []
    with Microphone() as source:
        card.streams[0].told = [told(begins_s[0]), told(begins_s[1]), told(begins_s[2], overflow=True)]
        card.streams[0].play(ramp(4 * CHUNK))
        with pytest.raises(AudioError):
            collect(source.blocks(), found)
    assert [block.dropped for block in found] == [0, 0, lost, 0]
    assert found[-1].position == 3 * CHUNK + lost


def test_the_classifier_tells_the_loss(card: FakeCard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(microphone, "ROOM_S", 3)
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
    assert second[-1].end_s > 4.0  # where the samples after the loss begin


def test_a_card_that_says_nothing_is_an_error_and_not_a_wait(card: FakeCard) -> None:
    with Microphone("USB") as source, pytest.raises(AudioError) as caught:
        next(source.blocks())
    assert str(caught.value) == "USB: no samples for 0.05 s"


def test_closing_ends_the_stream(card: FakeCard) -> None:
    with Microphone() as source:
        assert not card.streams[0].closed
    assert card.streams[0].closed
    source.close()


@pytest.mark.parametrize(("device", "wanted"), [(None, None), ("2", 2), ("USB", "USB"), ("micro", "micro")])
def test_a_device_by_name_or_number(card: FakeCard, device: str | None, wanted: object) -> None:
    with Microphone(device) as source:
        assert card.streams[0].settings["device"] == wanted
        assert source.name == (device or "microphone")


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("Nosuch", "No input device matching 'Nosuch'"),
        ("99", "Error querying device 99"),
        ("99999999999", "integer 99999999999 does not fit 'int'"),
    ],
)
def test_an_unknown_device_is_told(card: FakeCard, device: str, reason: str) -> None:
    with pytest.raises(AudioError) as caught:
        Microphone(device)
    assert str(caught.value) == f"{device}: {reason}"


def test_no_card_at_all_is_told(card: FakeCard) -> None:
    card.default.device = (-1, -1)
    with pytest.raises(AudioError, match=r"^microphone: no sound card that can be listened to$"):
        Microphone()


def test_a_portaudio_that_fails_to_look_for_cards_is_told_and_tried_again(card: FakeCard) -> None:
    """The real one refuses to be terminated where it is not initialised."""
    initialised, failing = True, True

    def terminate() -> None:
        nonlocal initialised
        if not initialised:
            raise PortAudioError("PortAudio not initialized")
        initialised = False

    def initialise() -> None:
        nonlocal initialised
        if failing:
            raise PortAudioError("Unanticipated host error")
        initialised = True

    card._terminate, card._initialize = terminate, initialise
    for _ in range(2):
        with pytest.raises(AudioError, match=r"^PortAudio: Unanticipated host error$"):
            microphone.rescan()
    failing = False
    microphone.rescan()
    assert initialised


@pytest.mark.parametrize("error", [PortAudioError("Invalid sample rate"), ValueError("no"), PortAudioError("Busy")])
def test_a_device_that_cannot_be_opened_is_told(card: FakeCard, error: Exception) -> None:
    card.fail = error
    with pytest.raises(AudioError) as caught:
        Microphone()
    assert str(caught.value) == f"microphone: {error}"


def test_a_stream_that_does_not_start_is_closed(card: FakeCard, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(stream: FakeStream) -> None:
        raise PortAudioError("Device unavailable")

    monkeypatch.setattr(FakeStream, "start", start)
    with pytest.raises(AudioError, match="microphone: Device unavailable"):
        Microphone()
    assert card.streams[0].closed


@pytest.mark.parametrize(("channels", "rate"), [(0, RATE), (2, 0.0)])
def test_a_device_that_cannot_record_is_told(card: FakeCard, channels: int, rate: float) -> None:
    card.channels, card.rate = channels, rate
    with pytest.raises(AudioError, match=r"^microphone: "):
        Microphone()


def test_without_sounddevice_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioError) as caught:
        Microphone()
    assert str(caught.value) == "a microphone needs sounddevice: in the folder of genre-edge, pip install '.[live]'"


def test_a_portaudio_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "sounddevice.py").write_text("class PortAudioError(Exception): ...\nraise PortAudioError('no host')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AudioError, match=r"^PortAudio: no host$"):
        Microphone()


def test_without_portaudio_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AudioError) as caught:
        Microphone()
    assert str(caught.value) == "a microphone needs PortAudio (apt install libportaudio2)"
