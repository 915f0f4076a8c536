"""Mel frames in dB -> columns of a picture, a byte a band."""

import base64
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import Block
from genre_edge.mel.spectrogram import Frames, MelSpectrogram

RANGE_DB = 80.0
EVENT_S = 0.5  # of sound in one event


def loudest_db(mel: MelSpectrogram) -> float:
    """What a full-scale sine gives in the band that hears it best: the 0 dB of the picture."""
    config = mel.config
    hz = np.argmax(mel.filterbank().max(axis=0)) * config.sr / config.n_fft
    t = np.arange(4 * config.n_fft) / config.sr
    return float(mel.db(np.sin(2 * np.pi * hz * t).astype(np.float32)).max())


class SpectrogramColumns:
    """Gathers the columns of one source for about half a second and gives them as data of a `frames` event.

    SpectrogramColumns are counted by the source's own time, so what was lost is a jump in `first`.
    """

    def __init__(self, mel: MelSpectrogram) -> None:
        self.frame_s = mel.config.hop_length / mel.config.sr
        self._n_mels = mel.config.n_mels
        self._floor_db = loudest_db(mel) - RANGE_DB
        self._wanted = math.ceil(EVENT_S / self.frame_s)
        self._rate = 0
        self._next = 0  # index of the first column that is waiting
        self._waiting: list[NDArray[np.uint8]] = []
        self._count = 0

    def push(self, block: Block, frames: Frames) -> Iterator[dict[str, Any]]:
        """Take a block and the frames `(n_mels, k)` that it completed."""
        if block.dropped or block.rate != self._rate:
            yield from self._given()
            self._next = max(self._next, round(block.position / block.rate / self.frame_s))
            self._rate = block.rate
        if frames.shape[1]:
            self._waiting.append(self._bytes(frames))
            self._count += frames.shape[1]
        if self._count >= self._wanted:
            yield from self._given()

    def _bytes(self, frames: Frames) -> NDArray[np.uint8]:
        """`(k, n_mels)`: 0 for -80 dB or less, 255 for 0 dB or more."""
        share = (frames.T - np.float32(self._floor_db)) * np.float32(1 / RANGE_DB)
        columns: NDArray[np.uint8] = np.rint(255 * np.clip(share, 0, 1)).astype(np.uint8)
        return columns

    def _given(self) -> Iterator[dict[str, Any]]:
        if not self._count:
            return
        columns = np.concatenate(self._waiting)
        yield {
            "first": self._next,
            "frame_s": self.frame_s,
            "n_mels": self._n_mels,
            "columns": base64.b64encode(columns.tobytes()).decode(),
        }
        self._next += self._count
        self._waiting, self._count = [], 0
