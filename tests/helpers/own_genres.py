"""Folders of short clips for own genres: tones at different heights."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 8000
TONES = {"bass": 150, "voice": 900, "whistle": 3000}


def clip(hz: float, seed: int, seconds: float = 2.0) -> np.ndarray:
    """A vibrating tone over noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    y = np.sin(2 * np.pi * hz * rng.uniform(0.8, 1.25) * t + 3 * np.sin(2 * np.pi * rng.uniform(3, 8) * t))
    return 0.3 * y + rng.uniform(0.001, 0.03) * rng.standard_normal(len(t))


def write_clips(folder: Path, n: int = 6, tones: dict[str, int] = TONES) -> Path:
    """Write `n` clips of each genre; those of "voice" in three albums."""
    for genre, hz in tones.items():
        for i in range(n):
            path = folder / genre / (f"album {i % 3}" if genre == "voice" else "") / f"{i}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, clip(hz, i), RATE)
    return folder
