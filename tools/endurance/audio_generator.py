"""Endless, reproducible test audio, assembled from pieces that are rendered once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from genre_edge.diagnostics.synthetic_audio import music

SONG = Path(__file__).parents[2] / "demo" / "song.ogg"
PIECE_S = 30.0
TRANSPOSITIONS = (-9, -5, -2, 0, 3, 7, 10)  # semitones
GAINS = (1.0, 0.3, 0.03)

Samples = NDArray[np.float32]


class AudioGenerator:
    """Generates music, noise, silence and clipped audio as s16le PCM.

    A segment depends only on the seed and its index, not on the segments before it.

    Args:
        seed: seed of the choice of pieces.
        rate: sample rate, Hz.
        channels: number of interleaved channels; all are equal.
    """

    def __init__(self, seed: int, rate: int, channels: int) -> None:
        self._seed, self._frame_bytes = seed, 2 * channels
        audio = [gain * piece for piece in _pieces(rate) for gain in GAINS]
        silence, clipped = np.zeros(round(PIECE_S * rate)), np.sign(audio[0])
        self._pieces = [_pcm(piece, channels) for piece in (*audio, silence, clipped)]

    def segment(self, index: int, n_frames: int) -> Iterator[memoryview]:
        """Yield the `n_frames` samples per channel of segment `index` in chunks, which may split a sample."""
        rng = np.random.default_rng((self._seed, index))
        left = n_frames * self._frame_bytes
        while left:
            piece = self._pieces[rng.integers(len(self._pieces))]
            first = int(rng.integers(len(piece) // self._frame_bytes // 2)) * self._frame_bytes
            part = piece[first : first + left]
            cut = int(rng.integers(1, len(part) + 1))
            yield part[:cut]
            yield part[cut:]
            left -= len(part)


def _pieces(rate: int) -> Iterator[Samples]:
    """Yield mono pieces of PIECE_S seconds within -1..1."""
    song, song_rate = soundfile.read(SONG, dtype="float32")
    yield np.clip(np.resize(soxr.resample(song, song_rate, rate), round(PIECE_S * rate)), -1, 1)
    for semitones in TRANSPOSITIONS:  # resampling transposes
        yield np.resize(music(8.0, round(rate / 2 ** (semitones / 12))), round(PIECE_S * rate))
    rng = np.random.default_rng(0)
    noise = rng.uniform(-1, 1, round(PIECE_S * rate)).astype(np.float32)
    yield noise
    time = np.arange(len(noise)) / rate
    yield np.sin(2 * np.pi * 20 * time * 2 ** (9 * time / PIECE_S)).astype(np.float32)  # a sweep over nine octaves
    yield np.where(np.abs(noise) > 0.9999, noise, 0)  # clicks


def _pcm(samples: NDArray[np.floating[Any]], channels: int) -> memoryview:
    frames = np.repeat(np.rint(32767 * samples).astype("<i2")[:, None], channels, axis=1)
    return memoryview(frames.tobytes())
