"""Read a song as a mel spectrogram with a short hop."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from genre_edge.audio.files import open_file
from genre_edge.classify.frontend import FrontEnd
from genre_edge.errors import GenreEdgeError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames, MelSpectrogram
from genre_edge.model.bundle import Bundle

HOP_DIVISOR = 4  # the spectrogram's hop is this much shorter than the network's, so that it can be inverted
MAX_S = 600.0


def fine_mel(mel: MelConfig) -> MelConfig:
    """Return the network's front end with a hop HOP_DIVISOR times shorter."""
    return replace(mel, hop_length=mel.hop_length // HOP_DIVISOR)


def span(bundle: Bundle) -> int:
    """Return the number of columns from the first to the last one of a patch."""
    return (bundle.patch_frames - 1) * HOP_DIVISOR + 1


def read(song: Path, bundle: Bundle) -> Frames:
    """Return `(n_mels, n)` dB of at most MAX_S seconds.

    Raises:
        GenreEdgeError: the song is too short, silent or not audio.
    """
    mel = fine_mel(bundle.mel)
    left = round(MAX_S * mel.sr / mel.hop_length)
    parts: list[Frames] = [np.empty((mel.n_mels, 0), dtype=np.float32)]
    with open_file(song) as source:
        for part in (chunk.frames for chunk in FrontEnd(source, MelSpectrogram(mel)).chunks()):
            parts.append(part)
            left -= part.shape[1]
            if left <= 0:
                break
    frames = np.concatenate(parts, axis=1)
    shortest = span(bundle) + HOP_DIVISOR - 1  # a patch at every offset
    if frames.shape[1] < shortest:
        short_s = (shortest - 1) * mel.hop_length / mel.sr
        raise GenreEdgeError(f"{song}: too short to imitate: at least {short_s:.1f} s are needed")
    if frames.max() < bundle.silence_db:
        raise GenreEdgeError(f"{song}: contains only silence")
    return frames
