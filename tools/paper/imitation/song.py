"""A song as an imitation needs it: its frames, close together, if there is enough of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from genre_edge.audio.files import open_file
from genre_edge.classify.frontend import FrontEnd
from genre_edge.errors import GenreEdgeError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames, MelSpectrogram
from genre_edge.model.bundle import Bundle

FINE = 4  # columns are this many times as close as the network's, or no sound could be made of them
LONGEST_S = 600.0


def fine(mel: MelConfig) -> MelConfig:
    """The network's front end with columns FINE times as close."""
    return replace(mel, hop_length=mel.hop_length // FINE)


def span(bundle: Bundle) -> int:
    """From the first to the last column that the network hears at once."""
    return (bundle.patch_frames - 1) * FINE + 1


def read(song: Path, bundle: Bundle) -> Frames:
    """`(n_mels, n)` dB of at most LONGEST_S. Raises GenreEdgeError if the song is too short, silent or no audio."""
    mel = fine(bundle.mel)
    most = round(LONGEST_S * mel.sr / mel.hop_length)
    parts: list[Frames] = [np.empty((mel.n_mels, 0), dtype=np.float32)]
    with open_file(song) as source:
        for part in (chunk.frames for chunk in FrontEnd(source, MelSpectrogram(mel)).chunks()):
            parts.append(part)
            most -= part.shape[1]
            if most <= 0:
                break
    frames = np.concatenate(parts, axis=1)
    shortest = span(bundle) + FINE - 1  # a patch at every offset
    if frames.shape[1] < shortest:
        short_s = (shortest - 1) * mel.hop_length / mel.sr
        raise GenreEdgeError(f"{song}: too short to imitate, {short_s:.1f} s are needed")
    if frames.max() < bundle.silence_db:
        raise GenreEdgeError(f"{song}: silence has no style")
    return frames
