"""Spectrograms of a mel archive in another front end, for labelled tracks whose audio is missing or short."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames, MelSpectrogram
from tools.training.data import ARCHIVE_MEL, Track

FLOOR_DB = -100.0


def convert(frames: Frames, mel: MelConfig) -> Frames:
    """Estimate a track's spectrogram in another front end.

    The power density between the archive's bands, and between its frames, is interpolated in dB. It is as smooth as
    the archive's long windows make it, and has nothing above half the archive's sampling rate.

    Args:
        frames: `(n_mels, n)` in dB, with the archive's front end.
        mel: the other front end; its filterbank has no norm, as that of the distilled networks.

    Returns:
        `(n_mels, k)` in dB, of the same duration.
    """
    filterbank = MelSpectrogram(mel).filterbank().astype(np.float64)
    hz = np.arange(filterbank.shape[1]) * mel.sr / mel.n_fft
    archived = hz <= ARCHIVE_MEL.sr / 2
    density = np.full((len(hz), frames.shape[1]), FLOOR_DB)
    density[archived] = _interpolate(frames, _band_hz(), hz[archived])
    power = filterbank @ 10 ** (density / 10)
    db = 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))
    seconds = frames.shape[1] * ARCHIVE_MEL.hop_length / ARCHIVE_MEL.sr
    times = np.arange(int(seconds * mel.sr / mel.hop_length)) * mel.hop_length / mel.sr
    converted: Frames = _interpolate(
        db.T, np.arange(frames.shape[1]), times * ARCHIVE_MEL.sr / ARCHIVE_MEL.hop_length
    ).T
    return np.ascontiguousarray(converted, dtype=np.float32)


def add(tracks: list[Track], archived: list[Track], mel: MelConfig) -> list[Track]:
    """Return tracks with audio, each with its archived spectrogram, and an archive's tracks without audio.

    Args:
        tracks: with audio, in the front end `mel`.
        archived: the archive's tracks, of which `tracks` may have a part.
        mel: the front end.
    """
    frames = {track.name: convert(track.frames, mel) for track in archived}
    names = {track.name for track in tracks}
    with_audio = [replace(track, archived=frames.get(track.name)) for track in tracks]
    return [*with_audio, *(replace(track, frames=frames[track.name]) for track in archived if track.name not in names)]


def _band_hz() -> np.ndarray:
    """Return the centres of the archive's bands, Hz."""
    weights = MelSpectrogram(ARCHIVE_MEL).filterbank().astype(np.float64)
    bins = weights @ np.arange(weights.shape[1]) / weights.sum(axis=1)
    centres: np.ndarray = bins * ARCHIVE_MEL.sr / ARCHIVE_MEL.n_fft
    return centres


def _interpolate(values: np.ndarray, at: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Interpolate linearly along the first axis, `(n, k)` to `(len(where), k)`; constant beyond the ends."""
    position = np.interp(where, at, np.arange(len(at)))
    low = np.minimum(position.astype(int), len(at) - 2)
    share = (position - low)[:, None]
    result: np.ndarray = (1 - share) * values[low] + share * values[low + 1]
    return result
