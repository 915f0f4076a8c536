"""Convert a mel spectrogram to audio."""

import io
from pathlib import Path

import numpy as np
import soundfile

from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames
from genre_edge.system.atomic_write import write_atomically

ITERATIONS = 64
PEAK = 0.9  # of full scale


def invert(frames_db: Frames, mel: MelConfig, seed: int) -> np.ndarray:
    """Return mono samples in float32 with the mel spectrogram `frames_db`, `(n_mels, n)` dB.

    Bins are estimated from bands by least squares, phases with the algorithm of Griffin and Lim (1984) in the fast
    version of Perraudin et al. (2013), both by librosa. `seed` initialises the phases.
    """
    import librosa

    power = 10 ** (frames_db.astype(np.float64) / 10)
    magnitude = librosa.feature.inverse.mel_to_stft(
        power, sr=mel.sr, n_fft=mel.n_fft, power=2.0, fmin=mel.fmin, fmax=mel.fmax or mel.sr / 2
    )
    y = librosa.griffinlim(magnitude, n_iter=ITERATIONS, hop_length=mel.hop_length, n_fft=mel.n_fft, random_state=seed)
    return np.asarray(PEAK / max(float(np.abs(y).max()), 1e-9) * y, dtype=np.float32)


def write(path: Path, y: np.ndarray, rate: float) -> None:
    """Write a 16-bit WAV atomically. Raises OSError."""
    content = io.BytesIO()
    soundfile.write(content, y, int(rate), format="WAV", subtype="PCM_16")
    write_atomically(path, content.getvalue())
