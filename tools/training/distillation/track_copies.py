"""Degraded copies of labelled tracks: what the genre head is fitted to beside the tracks themselves."""

import zlib

import numpy as np

from genre_edge.mel.spectrogram import Frames, MelSpectrogram
from tools.training import conditions
from tools.training.data import Track
from tools.training.distillation import students
from tools.training.distillation.effects import Effects
from tools.training.sounds.synthetic_sounds import read_mono

N_FROM_AUDIO = 6  # copies of a track with audio, itself included; an archived spectrogram follows
SNR_DB, DECAY_S = (5.0, 25.0), (0.2, 1.0)  # ranges of noise and reverberation


def copies(track: Track, seed: int) -> list[Frames]:
    """Return the track's frames, and those of copies with noise, two band limits, reverberation, and pink noise.

    The last two are computed from samples: a mel spectrogram cannot simulate the fine structure of a room. The archived
    spectrogram, if there is one, is another copy.

    Args:
        track: one without a path has no copies.
        seed: with the track's name, of all random numbers.
    """
    if track.path is None:
        return [track.frames]
    rng, effects = np.random.default_rng([seed, zlib.crc32(track.name.encode())]), Effects(students.MEL)
    spectrogram, rate = MelSpectrogram(students.MEL), round(students.MEL.sr)
    y = read_mono(track.path, rate)
    degraded = [
        track.frames,
        effects.add_noise(track.frames, rng.uniform(*SNR_DB), rng),
        effects.limit_band(track.frames, rng),
        effects.telephone(track.frames, rng),
        spectrogram.db(conditions.reverberate(y, rate, rng.uniform(*DECAY_S), rng)),
        spectrogram.db(conditions.add_pink_noise(y, rate, rng.uniform(*SNR_DB), rng)),
    ]
    return degraded if track.archived is None else [*degraded, track.archived]
