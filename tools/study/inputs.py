"""Inputs of the study, checked before the classification starts, which takes an hour."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from genre_edge.model.bundle import Bundle
from tools.training import data
from tools.training.audio_files import readable_audio

MIN_DURATION_S = 1.0  # of audio other than the split's tracks


@dataclass(frozen=True)
class TrackAudio:
    """A track of the split and its audio file. The track has frames only if there is a mel archive."""

    track: data.Track
    path: Path
    seconds: float
    rate: int


@dataclass(frozen=True)
class StudyData:
    """Audio of the study.

    Attributes:
        songs: the tracks of the split that have audio.
        archive: all tracks of the split in the mel archive; empty without one.
        not_music: files of audio that is not music, by kind.
        other: files of independently labelled music, by genre.
        unseen: files of music from sources that were not trained on.
    """

    songs: list[TrackAudio]
    archive: list[data.Track]
    not_music: dict[str, list[Path]]
    other: dict[str, list[Path]]
    unseen: list[Path]


def load(
    tracks_csv: Path, split: str, audio: Path, mels: Path | None, not_music: Path, other: Path, unseen: Path | None
) -> StudyData:
    """Load the table, the archive if there is one, and list all audio files.

    Raises:
        SystemExit: a file or folder is missing or not readable.
    """
    archive = data.load_archive(mels, tracks_csv, split) if mels else []
    songs = _songs(tracks_csv, split, audio)
    frames = {track.name: track.frames for track in archive}
    songs = [replace(s, track=replace(s.track, frames=frames.get(s.track.name, s.track.frames))) for s in songs]
    files = readable_audio([unseen], MIN_DURATION_S) if unseen else []
    return StudyData(songs, archive, by_folder(not_music), by_folder(other), files)


def _songs(tracks_csv: Path, split: str, audio: Path) -> list[TrackAudio]:
    songs = []
    for row in data.read_csv(tracks_csv, split):
        if row["audio"]:
            path = audio / row["audio"]
            try:
                info = soundfile.info(str(path))
            except (soundfile.SoundFileError, OSError):
                raise SystemExit(f"{path}: not a readable audio file") from None
            no_frames = np.empty((0, 0), dtype=np.float32)
            track = data.Track(row["track"], row["genre"], split, no_frames, row["artist_group"], path)
            songs.append(TrackAudio(track, path, info.duration, info.samplerate))
    if not songs:
        raise SystemExit(f"{tracks_csv}: no tracks of split {split!r} with audio")
    return songs


def by_folder(root: Path) -> dict[str, list[Path]]:
    """Return the audio files below each folder in `root`, by the folder's name.

    Raises:
        SystemExit: there are no folders, or one has no audio.
    """
    folders = sorted(path for path in root.glob("*") if path.is_dir())
    if not folders:
        raise SystemExit(f"{root}: no folders with audio")
    return {folder.name: readable_audio([folder], MIN_DURATION_S) for folder in folders}


def check_genres(bundle: Bundle, study_data: StudyData) -> None:
    """Check that a bundle has all genres of the split.

    Raises:
        SystemExit: one is missing.
    """
    tracks = [*study_data.archive, *(song.track for song in study_data.songs)]
    if missing := sorted({track.genre for track in tracks} - set(bundle.labels)):
        raise SystemExit(f"{bundle.name} {bundle.version} does not have the genres {', '.join(missing)}")
