"""Parts of the programs that kill a command: the audio files that it works on, and the error if it does damage."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import soundfile

FORMATS = {"mp3": {}, "flac": {}, "ogg": {}, "opus": {"format": "OGG", "subtype": "OPUS"}, "wav": {}, "aiff": {}}
_RATE = 48000


class DamageError(Exception):
    """Raised if a kill has damaged something; the message says what."""


def expect(is_fulfilled: bool, message: str) -> None:
    """Raise a DamageError unless a condition is fulfilled."""
    if not is_fulfilled:
        raise DamageError(message)


def write_audio(folder: Path, number: int, seconds: float = 0.5) -> Path:
    """Write a sine; the number chooses its frequency and the format. m4a only where ffmpeg is installed."""
    suffixes = [*FORMATS, *(["m4a"] if shutil.which("ffmpeg") else [])]
    suffix = suffixes[number % len(suffixes)]
    time_s = np.arange(int(seconds * _RATE)) / _RATE
    samples = 0.3 * np.sin(2 * np.pi * (200 + number) * time_s)
    path = folder / f"{number:03d}.{suffix}"
    if suffix in FORMATS:
        soundfile.write(path, samples, _RATE, **FORMATS[suffix])
        return path
    wav = folder.parent / "source.wav"
    soundfile.write(wav, samples, _RATE)
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", str(wav), "-c:a", "aac", str(path)]
    subprocess.run(command, check=True)
    return path
