"""A sound card's input, through sounddevice (PortAudio)."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import Block, to_mono
from genre_edge.audio.live.queue import ROOM_S, SILENT_S, BoundedBlockQueue
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError, ParameterError


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
        if device is None and portaudio.default.device[0] < 0:
            raise AudioError(f"{self.name}: no sound card that can be listened to")
        wanted = int(device) if device is not None and device.isdecimal() else device
        try:
            info: dict[str, Any] = portaudio.query_devices(wanted, "input")
            self.rate = int(info["default_samplerate"])
            self.channels = min(2, int(info["max_input_channels"]))
            self.check_format()
            self._ring = BoundedBlockQueue(self.name, self.rate, ROOM_S, SILENT_S)
            self._end_s = 0.0  # by the card's clock, of the last samples; 0 where it has none
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
        except (portaudio.PortAudioError, ValueError, OverflowError) as error:
            raise AudioError(f"{self.name}: {error}") from None

    def _capture(self, samples: NDArray[np.float32], frames: int, timing: Any, status: Any) -> None:
        """PortAudio's thread: copy, count, never wait."""
        lost, begin_s = 0, timing.inputBufferAdcTime
        if status.input_overflow:  # samples were lost before these; only the clock knows how many
            gap = round((begin_s - self._end_s) * self.rate) if begin_s and self._end_s else 0
            lost = gap if gap > 0 else frames
        self._end_s = begin_s and begin_s + frames / self.rate
        self._ring.put(to_mono(samples), lost)

    def blocks(self) -> Iterator[Block]:
        return self._ring.blocks()

    def close(self) -> None:
        self._stream.close()
        self._ring.end()  # a thread that waits for samples need not wait for the silence


def rescan() -> None:
    """Let PortAudio look for cards anew, since it lists them only once. No stream may be open. Raises AudioError."""
    portaudio = sounddevice()
    with suppress(portaudio.PortAudioError):  # it is not initialised where that failed the last time
        portaudio._terminate()
    try:
        portaudio._initialize()
    except portaudio.PortAudioError as error:
        raise AudioError(f"PortAudio: {error}") from None


def check_name(device: str) -> None:
    """Refuse a name that several inputs have now. Raises ParameterError."""
    portaudio = sounddevice()
    try:
        portaudio.query_devices(device, "input")
    except (portaudio.PortAudioError, ValueError) as error:
        what, _, found = str(error).partition("\n")
        if what.startswith("Multiple"):  # else it may be there later
            raise ParameterError(
                f"{device}: several sound cards have this name: {'; '.join(found.splitlines())}"
            ) from None


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
        raise AudioError("a microphone needs sounddevice: in the folder of genre-edge, pip install '.[live]'") from None
    except OSError:
        raise AudioError("a microphone needs PortAudio (apt install libportaudio2)") from None
    except Exception as error:  # PortAudioError, which cannot be imported when this fails
        raise AudioError(f"PortAudio: {error}") from None
    return sounddevice
