"""Seconds that other decoders get out of a file."""

import subprocess
from pathlib import Path

import numpy as np
import soundfile

RATE = 48000  # Hz, to which ffmpeg converts
TIMEOUT_S = 60
_FRAMES = 1 << 14


def ffmpeg_s(path: Path) -> float:
    """Return the seconds that the ffmpeg program decodes, 0.0 if it refuses the file."""
    command = ["ffmpeg", "-nostdin", "-v", "quiet", "-i", f"file:{path}", "-map", "0:a:0"]
    command += ["-ac", "1", "-ar", str(RATE), "-f", "s16le", "-"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        return len(error.stdout or b"") / (2 * RATE)
    return len(done.stdout) / (2 * RATE)


def libsndfile_s(path: Path) -> float:
    """Return the seconds that libsndfile decodes before an error or the end."""
    n, rate = 0, 1
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            buffer = np.empty((_FRAMES, file.channels), dtype=np.float32)
            while n_read := len(file.read(out=buffer)):
                n += n_read
    except soundfile.LibsndfileError:
        pass
    return n / rate


def decoded_s(path: Path) -> float:
    """Return the larger of what ffmpeg and libsndfile decode, in seconds."""
    return max(ffmpeg_s(path), libsndfile_s(path))
