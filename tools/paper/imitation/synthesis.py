"""A mel spectrogram -> the sound that has it."""

import io
from pathlib import Path

import numpy as np
import soundfile

from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames
from genre_edge.system.atomic_write import write_atomically

ROUNDS = 64
PEAK = 0.9  # of full scale


def of_picture(picture_db: Frames, mel: MelConfig, seed: int) -> np.ndarray:
    """`(n_mels, n)` dB -> mono samples: least squares from bands to bins, phases by Griffin and Lim (1984), as fast
    as Perraudin et al. (2013) made it, both by librosa."""
    import librosa

    power = 10 ** (picture_db.astype(np.float64) / 10)
    magnitude = librosa.feature.inverse.mel_to_stft(
        power, sr=mel.sr, n_fft=mel.n_fft, power=2.0, fmin=mel.fmin, fmax=mel.fmax or mel.sr / 2
    )
    y = librosa.griffinlim(magnitude, n_iter=ROUNDS, hop_length=mel.hop_length, n_fft=mel.n_fft, random_state=seed)
    return np.asarray(PEAK / max(float(np.abs(y).max()), 1e-9) * y, dtype=np.float32)


def write(path: Path, y: np.ndarray, rate: int) -> None:
    """16 bits, whole or not at all. Raises OSError."""
    content = io.BytesIO()
    soundfile.write(content, y, rate, format="WAV", subtype="PCM_16")
    write_atomically(path, content.getvalue())
