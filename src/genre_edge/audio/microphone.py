"""A sound card's input, through sounddevice (PortAudio)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import Block, Source, to_mono
from genre_edge.audio.ring import ROOM_S, SILENT_S, Ring
from genre_edge.errors import AudioError


class Microphone(Source):
    """One channel pair at most, at the device's own rate.

    Args:
        device: name (or a part of it) or number; None means the system's default.

    Raises:
        AudioError: sounddevice is not installed, or there is no such device.
    """

    def __init__(self, device: str | None = None) -> None:
        self.name = "microphone" if device is None else device
        portaudio = sounddevice()
        wanted = int(device) if device is not None and device.isdecimal() else device
        try:
            info: dict[str, Any] = portaudio.query_devices(wanted, "input")
            self.rate = int(info["default_samplerate"])
            self.channels = min(2, int(info["max_input_channels"]))
            self.check_format()
            self._ring = Ring(self.name, self.rate, ROOM_S, SILENT_S)
            self._stream = portaudio.InputStream(
                device=wanted,
                samplerate=self.rate,
                channels=self.channels,
                dtype="float32",
                blocksize=self.rate // 10,
                callback=self._capture,
            )
            try:
                self._stream.start()
            except portaudio.PortAudioError:
                self._stream.close()
                raise
        except (portaudio.PortAudioError, ValueError) as error:
            raise AudioError(f"{self.name}: {error}") from None

    def _capture(self, samples: NDArray[np.float32], frames: int, timing: Any, status: Any) -> None:
        """PortAudio's thread: copy, count, never wait."""
        # PortAudio lost samples before these and does not say how many; at least the gap must be known.
        self._ring.put(to_mono(samples), frames if status and status.input_overflow else 0)

    def blocks(self) -> Iterator[Block]:
        return self._ring.blocks()

    def close(self) -> None:
        self._stream.close()
        self._ring.end()  # a thread that waits for samples need not wait for the silence


def rescan() -> None:
    """Let PortAudio look for cards anew, since it lists them only once. No stream may be open."""
    portaudio = sounddevice()
    portaudio._terminate()
    portaudio._initialize()


@dataclass(frozen=True)
class Device:
    """A sound card's input."""

    number: int
    name: str
    channels: int
    rate: float
    default: bool


def devices() -> list[Device]:
    """The inputs that PortAudio knows. Raises AudioError where it is not installed or fails."""
    portaudio = sounddevice()
    try:
        cards, default = portaudio.query_devices(), portaudio.default.device[0]
    except portaudio.PortAudioError as error:
        raise AudioError(f"PortAudio: {error}") from None
    return [
        Device(i, card["name"], card["max_input_channels"], card["default_samplerate"], i == default)
        for i, card in enumerate(cards)
        if card["max_input_channels"] > 0
    ]


def sounddevice() -> Any:
    """The module, or what to install. Raises AudioError."""
    try:
        import sounddevice
    except ImportError:
        raise AudioError("a microphone needs sounddevice: pip install 'genre-edge[live]'") from None
    except OSError:
        raise AudioError("a microphone needs PortAudio (apt install libportaudio2)") from None
    return sounddevice
