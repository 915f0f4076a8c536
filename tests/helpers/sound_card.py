"""Fake module sounddevice, with a card that a thread plays, as PortAudio does."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.helpers.bundles import RATE

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
