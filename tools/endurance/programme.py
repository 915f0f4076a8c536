"""Sound without end, the same for the same seed, and a thousand times cheaper than to play it: pieces made before."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from genre_edge.diagnostics.synthetic_audio import music

SONG = Path(__file__).parents[2] / "demo" / "song.ogg"
PIECE_S = 30.0
TRANSPOSED = (-9, -5, -2, 0, 3, 7, 10)  # semitones
GAINS = (1.0, 0.3, 0.03)

Samples = NDArray[np.float32]


class Programme:
    """Music, noise, silence and faults, as bytes of s16le PCM.

    Hour after hour other pieces, from other places, in other orders; hour `i` is the same whether the hours before it
    were played or not.
    """

    def __init__(self, seed: int, rate: int, channels: int) -> None:
        self._seed, self._frame_bytes = seed, 2 * channels
        sounds = [gain * piece for piece in _pieces(rate) for gain in GAINS]
        silence, clipped = np.zeros(round(PIECE_S * rate)), np.sign(sounds[0])
        self._pieces = [_pcm(sound, channels) for sound in (*sounds, silence, clipped)]

    def stretch(self, index: int, n_frames: int) -> Iterator[memoryview]:
        """The bytes of `n_frames` samples a channel, in parts as they are to be written; parts may cut a sample."""
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
    """Half a minute each, mono, within +-1."""
    song, song_rate = soundfile.read(SONG, dtype="float32")
    yield np.clip(np.resize(soxr.resample(song, song_rate, rate), round(PIECE_S * rate)), -1, 1)
    for semitones in TRANSPOSED:  # played faster is higher
        yield np.resize(music(8.0, round(rate / 2 ** (semitones / 12))), round(PIECE_S * rate))
    rng = np.random.default_rng(0)
    noise = rng.uniform(-1, 1, round(PIECE_S * rate)).astype(np.float32)
    yield noise
    time = np.arange(len(noise)) / rate
    yield np.sin(2 * np.pi * 20 * time * 2 ** (9 * time / PIECE_S)).astype(np.float32)  # a sweep over nine octaves
    yield np.where(np.abs(noise) > 0.9999, noise, 0)  # clicks


def _pcm(sound: NDArray[np.floating], channels: int) -> memoryview:
    frames = np.repeat(np.rint(32767 * sound).astype("<i2")[:, None], channels, axis=1)
    return memoryview(frames.tobytes())
