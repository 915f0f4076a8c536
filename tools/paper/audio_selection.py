"""What audio is at hand: songs to imitate, and tracks long enough to hear in 660 frames."""

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

LEAST_S = 29.0
# Some of GTZAN's audio has a rate of 16 kHz: nothing above 8 kHz, and filters that fall off before it.
LIMIT_HZ = 7000.0


def first_songs(folder: Path, labels: list[str], bundle: Bundle) -> list[Path]:
    """The first song of each genre that can be imitated. Raises SystemExit where a genre has none."""
    songs = []
    for genre in labels:
        files = (path for path, name in data.audio_files(folder) if name == genre and _lasts(path))
        found = next((path for path in files if _usable(path, bundle)), None)
        if found is None:
            raise SystemExit(f"{folder}: no usable song of {LEAST_S:g} s or more in a folder {genre!r}")
        songs.append(found)
    return songs


def _lasts(path: Path) -> bool:
    """By its header, which is read at once."""
    try:
        return float(soundfile.info(str(path)).duration) >= LEAST_S
    except (soundfile.LibsndfileError, OSError):
        return False


def _usable(path: Path, bundle: Bundle) -> bool:
    """By its sound: headers may promise what is not there."""
    try:
        frames = song.read(path, bundle)
    except GenreEdgeError as error:
        print(f"skipped: {error}", file=sys.stderr)
        return False
    if frames.shape[1] < _columns(song.fine(bundle.mel)):
        print(f"skipped: {path}: holds less than {LEAST_S:g} s", file=sys.stderr)
        return False
    return True


def _columns(mel: MelConfig) -> int:
    return int(LEAST_S * mel.sr / mel.hop_length)


def long_tracks(
    folder: Path, architectures: Iterable[str], labels: list[str], known: list[Track]
) -> dict[str, list[Track]]:
    """The same tracks in the frames of each architecture, of equal length and bandwidth; artists as in `known`.

    Raises SystemExit if a genre has fewer than two.
    """
    artists = {(track.genre, track.name): track.group for track in known}
    loaded = {}
    for name in architectures:
        mel = ARCHITECTURES[name].mel
        tracks = data.load_audio(folder, mel)
        loaded[name] = {(t.genre, t.name): _equal(t, mel) for t in tracks if t.frames.shape[1] >= _columns(mel)}
    everywhere = [key for key in next(iter(loaded.values())) if all(key in found for found in loaded.values())]
    for genre in labels:
        if sum(key[0] == genre for key in everywhere) < 2:
            raise SystemExit(f"{folder}: fewer than two readable tracks of {LEAST_S:g} s in a folder {genre!r}")
    return {
        name: [replace(found[key], group=artists.get(key, "")) for key in everywhere if key[0] in labels]
        for name, found in loaded.items()
    }


def _equal(track: Track, mel: MelConfig) -> Track:
    """Cut where the shortest may end, without the bands that some recordings cannot have."""
    return replace(track, frames=np.ascontiguousarray(track.frames[: _bands(mel), : _columns(mel)]))


def _bands(mel: MelConfig) -> int:
    """How many bands lie below LIMIT_HZ."""
    import librosa

    edges = librosa.mel_frequencies(mel.n_mels + 2, fmin=mel.fmin, fmax=mel.fmax or mel.sr / 2)
    return int((edges[2:] <= LIMIT_HZ).sum())
