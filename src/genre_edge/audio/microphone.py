"""Input of a sound card, captured with sounddevice (PortAudio)."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import Block
from genre_edge.audio.downmix import Downmixer
from genre_edge.audio.live.queue import QUEUE_CAPACITY_S, TIMEOUT_S, BoundedBlockQueue
from genre_edge.audio.source import Source
from genre_edge.errors import AudioError, ParameterError
from genre_edge.system.packages import install_command


class Microphone(Source):
    """One or two channels of a sound card, at the device's default rate.

    Args:
        device: name, part of a name, or number; None for the system's default.

    Raises:
        AudioError: sounddevice is not installed, or the device does not exist or cannot be opened.
    """

    def __init__(self, device: str | None = None) -> None:
        self.name = "microphone" if device is None else device
        portaudio = import_sounddevice()
        if device is None and portaudio.default.device[0] < 0:
            raise AudioError(f"{self.name}: no sound card with an input found")
        device_id = int(device) if device is not None and device.isdecimal() else device
        try:
            info: dict[str, Any] = portaudio.query_devices(device_id, "input")
            self.rate = int(info["default_samplerate"])
            self.channels = min(2, int(info["max_input_channels"]))
            self.check_format()
            self._queue = BoundedBlockQueue(self.name, self.rate, QUEUE_CAPACITY_S, TIMEOUT_S)
            self._downmixer = Downmixer(self.rate)
            self._end_s = 0.0  # the card's clock at the last sample's end; 0 if it has no clock
            self._stream = portaudio.InputStream(
                device=device_id,
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
        """Copy samples to the queue, in PortAudio's thread; must not block."""
        dropped, start_s = 0, timing.inputBufferAdcTime
        if status.input_overflow:  # samples were lost before these; only the card's clock shows how many
            gap = round((start_s - self._end_s) * self.rate) if start_s and self._end_s else 0
            dropped = gap if gap > 0 else frames
        self._end_s = start_s and start_s + frames / self.rate
        self._queue.put(self._downmixer.push(samples), dropped)

    def blocks(self) -> Iterator[Block]:
        """Yield blocks of a tenth of a second.

        Raises:
            AudioError: the device delivers no samples for ten seconds.
        """
        return self._queue.blocks()

    def close(self) -> None:
        """Close the device; a second call does nothing."""
        self._stream.close()
        self._queue.end()  # unblocks a reader that waits for samples


def rescan() -> None:
    """Make PortAudio scan for devices again; by itself it scans only once. No stream may be open.

    Raises:
        AudioError: sounddevice is not installed, or PortAudio fails.
    """
    portaudio = import_sounddevice()
    with suppress(portaudio.PortAudioError):  # PortAudio is not initialized if the last call failed
        portaudio._terminate()
    try:
        portaudio._initialize()
    except portaudio.PortAudioError as error:
        raise AudioError(f"PortAudio: {error}") from None


def check_name(device: str) -> None:
    """Check that a name does not match several inputs; one that matches none is accepted and may appear later.

    Raises:
        ParameterError: several inputs match.
        AudioError: sounddevice is not installed.
    """
    portaudio = import_sounddevice()
    try:
        portaudio.query_devices(device, "input")
    except (portaudio.PortAudioError, ValueError) as error:
        reason, _, names = str(error).partition("\n")
        if reason.startswith("Multiple"):
            raise ParameterError(
                f"{device}: several sound cards have this name; use a number or a longer name: "
                f"{'; '.join(names.splitlines())}"
            ) from None


@dataclass(frozen=True)
class Device:
    """Input of a sound card.

    Attributes:
        number: PortAudio's device index.
        name: PortAudio's device name.
        channels: number of input channels.
        rate: default sampling rate in Hz.
        default: True for the system's default input.
    """

    number: int
    name: str
    channels: int
    rate: float
    default: bool


def devices() -> list[Device]:
    """Return the capture devices that PortAudio lists.

    Raises:
        AudioError: sounddevice is not installed, or PortAudio fails.
    """
    portaudio = import_sounddevice()
    try:
        cards, default = portaudio.query_devices(), portaudio.default.device[0]
    except portaudio.PortAudioError as error:
        raise AudioError(f"PortAudio: {error}") from None
    return [
        Device(i, card["name"], card["max_input_channels"], card["default_samplerate"], i == default)
        for i, card in enumerate(cards)
        if card["max_input_channels"] > 0
    ]


def import_sounddevice() -> Any:
    """Import and return the module `sounddevice`.

    Raises:
        AudioError: sounddevice or PortAudio is not installed (the message names the package), or fails.
    """
    try:
        import sounddevice
    except ImportError:
        raise AudioError("a microphone needs sounddevice; run: pip install 'genre-edge[live]'") from None
    except OSError:
        raise AudioError(f"a microphone needs PortAudio ({install_command('libportaudio2')})") from None
    except Exception as error:  # PortAudioError, which cannot be imported if this import fails
        raise AudioError(f"PortAudio: {error}") from None
    return sounddevice
