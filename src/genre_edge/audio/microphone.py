"""A sound card's input, through sounddevice (PortAudio)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import Block, Source, to_mono
from genre_edge.audio.ring import Ring
from genre_edge.errors import AudioError

_BUFFER_SECONDS = 10  # between capture and analysis; what does not fit is counted as dropped
_SILENT_DEVICE_SECONDS = 10  # no samples at all for this long: the device is gone


class Microphone(Source):
    """One channel pair at most, at the device's own rate.

    Args:
        device: name (or a part of it) or number; None means the system's default.

    Raises:
        AudioError: sounddevice is not installed, or there is no such device.
    """

    def __init__(self, device: str | None = None) -> None:
        self.name = "microphone" if device is None else device
        sounddevice = _sounddevice()
        wanted = int(device) if device is not None and device.isdecimal() else device
        try:
            info: dict[str, Any] = sounddevice.query_devices(wanted, "input")
            self.rate = int(info["default_samplerate"])
            self.channels = min(2, int(info["max_input_channels"]))
            self.check_format()
            self._ring = Ring(self.name, self.rate, _BUFFER_SECONDS, _SILENT_DEVICE_SECONDS)
            self._stream = sounddevice.InputStream(
                device=wanted,
                samplerate=self.rate,
                channels=self.channels,
                dtype="float32",
                blocksize=self.rate // 10,
                callback=self._capture,
            )
            try:
                self._stream.start()
            except sounddevice.PortAudioError:
                self._stream.close()
                raise
        except (sounddevice.PortAudioError, ValueError) as error:
            raise AudioError(f"{self.name}: {error}") from None

    def _capture(self, samples: NDArray[np.float32], frames: int, timing: Any, status: Any) -> None:
        """PortAudio's thread: copy, count, never wait."""
        # PortAudio lost samples before these and does not say how many; at least the gap must be known.
        self._ring.put(to_mono(samples), frames if status and status.input_overflow else 0)

    def blocks(self) -> Iterator[Block]:
        return self._ring.blocks()

    def close(self) -> None:
        self._stream.close()


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError:
        raise AudioError("a microphone needs sounddevice: pip install 'genre-edge[live]'") from None
    except OSError:
        raise AudioError("a microphone needs PortAudio (apt install libportaudio2)") from None
    return sounddevice
