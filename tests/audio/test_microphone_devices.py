"""Microphone: selection of the device, and errors of sounddevice and PortAudio."""

import sys
from typing import Any

import pytest

from genre_edge.audio import microphone
from genre_edge.audio.microphone import Microphone
from genre_edge.errors import AudioError
from tests.helpers.bundles import RATE
from tests.helpers.sound_card import FakeCard, FakeStream, PortAudioError


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> FakeCard:
    card = FakeCard()
    monkeypatch.setitem(sys.modules, "sounddevice", card)
    return card


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
    assert str(caught.value) == "a microphone needs sounddevice; run: pip install 'genre-edge[live]'"


def test_portaudio_import_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A PortAudio that cannot be initialized is an error with its reason."""
    (tmp_path / "sounddevice.py").write_text("class PortAudioError(Exception): ...\nraise PortAudioError('no host')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AudioError, match=r"^PortAudio: no host$"):
        Microphone()


def test_missing_portaudio(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Without PortAudio the error says what to install."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AudioError) as caught:
        Microphone()
    assert str(caught.value) == "a microphone needs PortAudio (apt install libportaudio2)"
