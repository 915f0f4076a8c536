"""Select audio files: songs to imitate, and tracks that are long enough for 660 frames."""

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from genre_edge.errors import GenreEdgeError
from genre_edge.mel.config import MelConfig
from genre_edge.model.bundle import Bundle
from tools.paper.imitation import song
from tools.training import data
from tools.training.architectures import ARCHITECTURES
from tools.training.data import Track

MIN_S = 29.0
# Some of GTZAN's audio has a sample rate of 16 kHz, and anti-aliasing filters attenuate below 8 kHz.
LIMIT_HZ = 7000.0


def first_songs(folder: Path, labels: list[str], bundle: Bundle) -> list[Path]:
    """Return the first usable song of each genre. Raises SystemExit if a genre has none."""
    songs = []
    for genre in labels:
        files = (path for path, name in data.audio_files(folder) if name == genre and _is_long_enough(path))
        song_path = next((path for path in files if _usable(path, bundle)), None)
        if song_path is None:
            raise SystemExit(f"{folder}: no usable song of {MIN_S:g} s or more in a folder {genre!r}")
        songs.append(song_path)
    return songs


def _is_long_enough(path: Path) -> bool:
    """Check the duration in the file's header."""
    try:
        return float(soundfile.info(str(path)).duration) >= MIN_S
    except (soundfile.LibsndfileError, OSError):
        return False


def _usable(path: Path, bundle: Bundle) -> bool:
    """Decode the file: its header may be wrong, its audio silent or invalid."""
    try:
        frames = song.read(path, bundle)
    except GenreEdgeError as error:
        print(f"skipped: {error}", file=sys.stderr)
        return False
    if frames.shape[1] < _columns(song.fine_mel(bundle.mel)):
        print(f"skipped: {path}: decodes to less than {MIN_S:g} s", file=sys.stderr)
        return False
    return True


def _columns(mel: MelConfig) -> int:
    return int(MIN_S * mel.sr / mel.hop_length)


def long_tracks(
    folder: Path, architectures: Iterable[str], labels: list[str], known: list[Track]
) -> dict[str, list[Track]]:
    """Return the same tracks for each architecture, cut to equal duration and bandwidth.

    Args:
        folder: one folder per genre.
        architectures: keys of ARCHITECTURES.
        labels: genres.
        known: tracks with artists.

    Raises:
        SystemExit: a genre has fewer than two tracks.
    """
    artists = {(track.genre, track.name): track.group for track in known}
    loaded = {}
    for name in architectures:
        mel = ARCHITECTURES[name].mel
        tracks = data.load_audio(folder, mel)
        loaded[name] = {(t.genre, t.name): _crop(t, mel) for t in tracks if t.frames.shape[1] >= _columns(mel)}
    common = [key for key in next(iter(loaded.values())) if all(key in tracks for tracks in loaded.values())]
    for genre in labels:
        if sum(key[0] == genre for key in common) < 2:
            raise SystemExit(f"{folder}: fewer than two readable tracks of {MIN_S:g} s in a folder {genre!r}")
    return {
        name: [replace(tracks[key], group=artists.get(key, "")) for key in common if key[0] in labels]
        for name, tracks in loaded.items()
    }


def _crop(track: Track, mel: MelConfig) -> Track:
    """Crop to MIN_S seconds and to the bands below LIMIT_HZ."""
    return replace(track, frames=np.ascontiguousarray(track.frames[: _bands(mel), : _columns(mel)]))


def _bands(mel: MelConfig) -> int:
    """Return the number of bands below LIMIT_HZ."""
    import librosa

    edges = librosa.mel_frequencies(mel.n_mels + 2, fmin=mel.fmin, fmax=mel.fmax or mel.sr / 2)
    return int((edges[2:] <= LIMIT_HZ).sum())
