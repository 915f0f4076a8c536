"""Quantisation of mel frames in dB to the 8-bit columns of a spectrogram image."""

import base64
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import Block
from genre_edge.mel.spectrogram import Frames, MelSpectrogram

RANGE_DB = 80.0  # dynamic range of the image
EVENT_S = 0.5  # seconds of audio in one event


def full_scale_db(mel: MelSpectrogram) -> float:
    """Return the mel level of a full-scale sine at the frequency of the largest filter weight: 0 dB of the image."""
    config = mel.config
    hz = np.argmax(mel.filterbank().max(axis=0)) * config.sr / config.n_fft
    t = np.arange(4 * config.n_fft) / config.sr
    return float(mel.db(np.sin(2 * np.pi * hz * t).astype(np.float32)).max())


class SpectrogramColumns:
    """Collector that turns the frames of one source into the data of `frames` events, one every `EVENT_S` seconds.

    Columns are numbered by the source's time, so that lost samples appear as a gap in `first`.

    Args:
        mel: the spectrogram that computes the frames.

    Attributes:
        frame_s: seconds from one column to the next.
    """

    def __init__(self, mel: MelSpectrogram) -> None:
        self.frame_s = mel.config.hop_length / mel.config.sr
        self._n_mels = mel.config.n_mels
        self._floor_db = full_scale_db(mel) - RANGE_DB
        self._columns_per_event = math.ceil(EVENT_S / self.frame_s)
        self._rate = 0
        self._first = 0  # number of the first pending column
        self._pending: list[NDArray[np.uint8]] = []
        self._pending_count = 0

    def push(self, block: Block, frames: Frames) -> Iterator[dict[str, Any]]:
        """Add a block and the frames `(n_mels, k)` in dB that it completed; yield event data.

        Yields:
            `first` (column number), `frame_s`, `n_mels`, and `columns`: base64 of `(k, n_mels)` bytes, the lowest band
            first, 0 for -80 dB or less and 255 for 0 dB or more.
        """
        if block.dropped or block.rate != self._rate:
            yield from self._emit()
            self._first = max(self._first, round(block.position / block.rate / self.frame_s))
            self._rate = block.rate
        if frames.shape[1]:
            self._pending.append(self._quantise(frames))
            self._pending_count += frames.shape[1]
        if self._pending_count >= self._columns_per_event:
            yield from self._emit()

    def resynchronise(self) -> None:
        """Forget pending columns, and number the next one by its block's position."""
        self._pending, self._pending_count, self._rate = [], 0, 0

    def _quantise(self, frames: Frames) -> NDArray[np.uint8]:
        """Return `(k, n_mels)`."""
        scaled = (frames.T - np.float32(self._floor_db)) * np.float32(1 / RANGE_DB)
        columns: NDArray[np.uint8] = np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)
        return columns

    def _emit(self) -> Iterator[dict[str, Any]]:
        if not self._pending_count:
            return
        columns = np.concatenate(self._pending)
        yield {
            "first": self._first,
            "frame_s": self.frame_s,
            "n_mels": self._n_mels,
            "columns": base64.b64encode(columns.tobytes()).decode(),
        }
        self._first += self._pending_count
        self._pending, self._pending_count = [], 0
