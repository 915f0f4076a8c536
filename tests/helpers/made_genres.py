"""Folders of short made music in four genres: piano, strings, band and techno."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from genre_edge.diagnostics import synthetic_audio
from tools.make_song import SAMPLE_RATE, piano, strings

SECONDS = 4.0
SCALE = (0, 2, 4, 7, 9, 12, 14, 16)  # semitones of a pentatonic scale

Rng = np.random.Generator


def _hz(rng: Rng, root: float) -> float:
    return float(root * 2 ** (rng.choice(SCALE) / 12))


def _mix(notes: list[tuple[float, np.ndarray]]) -> np.ndarray:
    """Return the sum of notes, each with its start in seconds."""
    y = np.zeros(round(SECONDS * SAMPLE_RATE))
    for start_s, note in notes:
        first = round(start_s * SAMPLE_RATE)
        part = note[: len(y) - first]
        y[first : first + len(part)] += part
    return y


def _piano(rng: Rng) -> np.ndarray:
    """Single notes over a slow bass."""
    beat, root = rng.uniform(0.2, 0.35), rng.uniform(200, 350)
    melody = [(t, piano(_hz(rng, root), 2 * beat, 0.8, rng)) for t in np.arange(0, SECONDS - 1, beat)]
    bass = [(t, piano(_hz(rng, root / 4), 6 * beat, 0.6, rng)) for t in np.arange(0, SECONDS - 1, 4 * beat)]
    return _mix(melody + bass)


def _strings(rng: Rng) -> np.ndarray:
    """Slow chords."""
    beat, root = rng.uniform(0.8, 1.3), rng.uniform(150, 300)
    starts = [t for t in np.arange(0, SECONDS - beat, beat) for _ in range(3)]
    return _mix([(t, strings(_hz(rng, root), beat * 1.1, 0.7, rng)) for t in starts])


def _band(rng: Rng) -> np.ndarray:
    """Chords and a drum; the wrong rate gives each clip its own tempo and pitch."""
    return synthetic_audio.music(SECONDS, round(SAMPLE_RATE * rng.uniform(0.8, 1.25)))


def _techno(rng: Rng) -> np.ndarray:
    """A bass drum on each beat, noise between, and a sawtooth bass."""
    beat, root = 60 / rng.uniform(120, 145), rng.uniform(45, 70)
    t = np.arange(round(beat * SAMPLE_RATE)) / SAMPLE_RATE
    drum = np.sin(2 * np.pi * (50 * t + 8 * (1 - np.exp(-30 * t)))) * np.exp(-9 * t)
    hat = np.where(t > beat / 2, 0.3 * rng.standard_normal(len(t)) * np.exp(-60 * (t - beat / 2)), 0)
    notes = [(k * beat, drum + hat + 0.3 * (2 * (_hz(rng, root) * t % 1) - 1)) for k in range(int(SECONDS / beat))]
    return _mix(notes)


GENRES: dict[str, Callable[[Rng], np.ndarray]] = {
    "band": _band,
    "piano": _piano,
    "strings": _strings,
    "techno": _techno,
}


def write_music(folder: Path, n: int, seed: int) -> Path:
    """Write `n` clips of each genre as `FOLDER/GENRE/NUMBER.wav`; another seed gives other clips."""
    for number, (genre, make) in enumerate(GENRES.items()):
        (folder / genre).mkdir(parents=True)
        for i in range(n):
            y = make(np.random.default_rng([seed, number, i]))
            soundfile.write(folder / genre / f"{i}.wav", 0.5 * y / np.abs(y).max(), SAMPLE_RATE)
    return folder
