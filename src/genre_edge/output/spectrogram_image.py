"""A mel spectrogram as a PNG image with axes in seconds and Hz. Requires Pillow (extra `picture`)."""

import io
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genre_edge.errors import GenreEdgeError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames, MelSpectrogram
from genre_edge.output.text import printable

_LEFT, _TOP, _RIGHT, _BOTTOM = 74, 40, 110, 52  # margins in pixels
_BAND_PIXELS = 3  # height of a mel band
_MIN_WIDTH = 900  # pixels; a short signal is stretched
_MAX_COLUMNS = 1400
_FREQUENCY_TICKS_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16000)
_TIME_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000)
# Dark blue to yellow over red: lightness rises evenly, so it works for colour-blind readers and in greyscale.
_COLOURS = [
    (4, 5, 20),
    (40, 17, 89),
    (101, 26, 128),
    (159, 42, 99),
    (212, 72, 66),
    (245, 125, 21),
    (250, 194, 40),
    (252, 255, 164),
]


class Overview:
    """Mel frames of a signal of any length, in constant memory: neighbouring frames are merged into columns (maximum).

    Args:
        n_mels: number of mel bands.

    Attributes:
        frames_per_column: number of frames merged into one column; it doubles as the signal grows.
    """

    def __init__(self, n_mels: int) -> None:
        self._columns: Frames = np.empty((n_mels, 0), dtype=np.float32)
        self._partial: Frames = self._columns
        self.frames_per_column = 1

    def push(self, frames: Frames) -> None:
        """Append frames `(n_mels, k)` in dB."""
        self._partial = np.concatenate([self._partial, frames], axis=1)
        whole = self._partial.shape[1] // self.frames_per_column * self.frames_per_column
        self._columns = np.concatenate(
            [self._columns, _merge(self._partial[:, :whole], self.frames_per_column)], axis=1
        )
        self._partial = self._partial[:, whole:]
        while self._columns.shape[1] > _MAX_COLUMNS:
            if self._columns.shape[1] % 2:  # an odd last column is merged later
                last = np.repeat(self._columns[:, -1:], self.frames_per_column, axis=1)
                self._columns, self._partial = self._columns[:, :-1], np.concatenate([last, self._partial], axis=1)
            self._columns = _merge(self._columns, 2)
            self.frames_per_column *= 2

    def columns(self) -> Frames:
        """Return `(n_mels, n_columns)` float32 in dB, n_columns <= 1401."""
        if self._partial.shape[1] == 0:
            return self._columns
        return np.concatenate([self._columns, self._partial.max(axis=1, keepdims=True)], axis=1)


def _merge(frames: Frames, k: int) -> Frames:
    merged: Frames = frames.reshape(frames.shape[0], -1, k).max(axis=2)
    return merged


def _apply_colours(levels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Map levels 0..1 of any shape to RGB `(..., 3)`."""
    stops = np.linspace(0, 1, len(_COLOURS))
    channels = [np.interp(levels, stops, [colour[i] for colour in _COLOURS]) for i in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def _tick_step_s(duration_s: float, max_ticks: int) -> float:
    """Return the smallest round step with at most `max_ticks` ticks."""
    return next((step for step in _TIME_STEPS_S if duration_s / step <= max_ticks), duration_s / max_ticks)


def require_pillow() -> None:
    """Check that Pillow is installed.

    Raises:
        GenreEdgeError: Pillow is not installed.
    """
    if find_spec("PIL") is None:
        raise GenreEdgeError("a spectrogram image needs Pillow; run: pip install 'genre-edge[picture]'")


def draw(overview: Overview, mel: MelConfig, top_db: float, title: str) -> bytes:
    """Return a PNG file of the spectrogram.

    Args:
        overview: the frames.
        mel: parameters of the frames.
        top_db: dynamic range in dB; 0 dB is the maximum.
        title: name of the source, for the heading and for errors.

    Raises:
        GenreEdgeError: Pillow is not installed, or there are no frames.
    """
    require_pillow()
    from PIL import Image, ImageDraw, ImageFont

    columns = overview.columns()
    if columns.shape[1] == 0:
        raise GenreEdgeError(f"{title}: holds no audio")
    levels = np.clip((columns - columns.max()) / top_db + 1, 0, 1)
    stretch = max(1, _MIN_WIDTH // levels.shape[1])  # pixels for each column
    pixels = _apply_colours(np.repeat(np.repeat(levels[::-1], _BAND_PIXELS, axis=0), stretch, axis=1))
    height, width = pixels.shape[:2]
    image = Image.new("RGB", (_LEFT + width + _RIGHT, _TOP + height + _BOTTOM), "white")
    image.paste(Image.fromarray(pixels), (_LEFT, _TOP))
    canvas = ImageDraw.Draw(image)
    canvas.font = ImageFont.load_default(14)
    column_s = overview.frames_per_column * mel.hop_length / mel.sr
    canvas.text((_LEFT, 12), f"{printable(title)}: mel spectrogram, {mel.n_mels} bands", fill="black")
    _time_axis(canvas, width, height, stretch / column_s, columns.shape[1] * column_s)
    _frequency_axis(canvas, height, mel)
    _colour_bar(canvas, image, width, height, top_db)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _time_axis(canvas: Any, width: int, height: int, pixels_per_s: float, duration_s: float) -> None:
    base = _TOP + height
    step_s = _tick_step_s(duration_s, max(2, width // 90))
    for i in range(int(duration_s / step_s) + 1):
        x = _LEFT + i * step_s * pixels_per_s
        canvas.line((x, base, x, base + 5), fill="black")
        canvas.text((x, base + 8), f"{i * step_s:g}", fill="black", anchor="ma")
    canvas.text((_LEFT + width / 2, base + 28), "time (s)", fill="black", anchor="ma")


def _frequency_axis(canvas: Any, height: int, mel: MelConfig) -> None:
    weights = MelSpectrogram(mel).filterbank()
    hz = np.arange(weights.shape[1]) * mel.sr / mel.n_fft
    centres = (weights @ hz) / np.maximum(weights.sum(axis=1), 1e-12)
    for tick in _FREQUENCY_TICKS_HZ:
        if centres[0] <= tick <= centres[-1]:
            band = float(np.interp(tick, centres, np.arange(len(centres))))
            y = _TOP + height - (band + 0.5) * _BAND_PIXELS
            canvas.line((_LEFT - 5, y, _LEFT, y), fill="black")
            canvas.text((_LEFT - 8, y), f"{tick}", fill="black", anchor="rm")
    canvas.text((_LEFT - 8, _TOP - 4), "Hz", fill="black", anchor="rb")


def _colour_bar(canvas: Any, image: Any, width: int, height: int, top_db: float) -> None:
    from PIL import Image

    left = _LEFT + width + 24
    strip = _apply_colours(np.linspace(1, 0, height, dtype=np.float32)[:, None].repeat(16, axis=1))
    image.paste(Image.fromarray(strip), (left, _TOP))
    for depth in (0.0, 0.25, 0.5, 0.75, 1.0):
        canvas.text((left + 22, _TOP + depth * height), f"{0 - depth * top_db:g} dB", fill="black", anchor="lm")
