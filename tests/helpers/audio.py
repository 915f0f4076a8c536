"""Test signals, encoded audio files, and sources made of arrays."""

import io
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from genre_edge.audio.block import Block
from genre_edge.audio.source import Source
from tests.conftest import TIMEOUT_S

Samples = NDArray[np.float32]


def tone(hz: float, seconds: float, rate: int, amplitude: float = 0.3) -> Samples:
    """Sine wave."""
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def noise(n: int, seed: int = 0, amplitude: float = 0.1) -> Samples:
    """Uniform white noise, below full scale."""
    return np.random.default_rng(seed).uniform(-amplitude, amplitude, n).astype(np.float32)


def music(seconds: float, rate: int, seed: int = 0) -> Samples:
    """Random melody over a little noise: the pitch changes every tenth of a second."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    hz = rng.choice([110, 220, 330, 880, 1500, 2500, 3300], -(-n * 10 // rate) + 1)
    phase = np.cumsum(2 * np.pi * np.repeat(hz, -(-rate // 10))[:n] / rate)
    return (0.3 * np.sin(phase) + rng.uniform(-0.01, 0.01, n)).astype(np.float32)


def naive_mono(samples: NDArray[np.floating]) -> NDArray[np.float64]:
    """Average the channels in double precision, `(n,)` or `(n, channels)` -> `(n,)`."""
    wide = np.asarray(samples, dtype=np.float64)
    return wide if wide.ndim == 1 else wide.mean(axis=1)


class ArraySource(Source):
    """Source of samples cut into blocks of the given sizes (the last size is repeated)."""

    def __init__(self, samples: Samples, rate: int, sizes: Iterable[int] = (4096,), name: str = "array") -> None:
        self.name, self.rate, self.channels = name, rate, 1
        self._samples, self._sizes = samples, list(sizes)
        self.closed = False

    def blocks(self) -> Iterator[Block]:
        position, sizes = 0, list(self._sizes)
        while position < len(self._samples):
            size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
            yield Block(self._samples[position : position + size], self.rate, position)
            position += size

    def close(self) -> None:
        self.closed = True


class BlockSource(Source):
    """Source of the given blocks, unchanged."""

    def __init__(self, blocks: Iterable[Block], rate: int, name: str = "blocks") -> None:
        self.name, self.rate, self.channels = name, rate, 1
        self._blocks = blocks

    def blocks(self) -> Iterator[Block]:
        yield from self._blocks


class ShortReadStream(io.RawIOBase):
    """Unseekable stream that returns fewer bytes than requested, as a pipe does."""

    def __init__(self, content: bytes, sizes: Iterable[int]) -> None:
        self._content, self._sizes, self._turn = io.BytesIO(content), list(sizes), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        size = min(len(buffer), self._sizes[self._turn % len(self._sizes)])
        self._turn += 1
        data = self._content.read(size)
        buffer[: len(data)] = data
        return len(data)


def read_samples(source: Source) -> Samples:
    """Read all samples of a source; check the positions of its blocks."""
    parts: list[Samples] = []
    position = 0
    with source:
        for block in source.blocks():
            position += block.dropped
            assert (block.position, block.rate) == (position, source.rate)
            assert block.samples.dtype == np.float32 and block.samples.ndim == 1 and len(block.samples) > 0
            parts.append(block.samples)
            position += len(block.samples)
    return np.concatenate([np.empty(0, dtype=np.float32), *parts])


def encode(samples: NDArray[np.generic], rate: int, format: str = "WAV", subtype: str | None = None) -> bytes:
    """Encode samples with libsndfile; return the file's bytes."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=format, subtype=subtype)
    return file.getvalue()


def decode(content: bytes) -> Samples:
    """Decode a file's bytes with libsndfile to `(n, channels)` float32."""
    samples: Samples = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)[0]
    return samples


def run_python(program: str, *arguments: "str | Path") -> "subprocess.CompletedProcess[str]":
    """Run Python code that could hang or crash in a separate process. Raises subprocess.TimeoutExpired if it hangs."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
