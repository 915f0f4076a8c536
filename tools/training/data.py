"""Labelled tracks, loaded from audio files (one folder per genre) or from a mel archive (.npz and CSV)."""

import csv
import sys
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from genre_edge.audio.files import open_file
from genre_edge.audio.suffixes import is_audio_name
from genre_edge.classify.frontend import FrontEnd
from genre_edge.errors import GenreEdgeError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames, MelSpectrogram
from genre_edge.model.bundle import Bundle

ARCHIVE_RANGE_DB = 80.0
# The archive holds every 3.3366th frame of hop 512; this front end computes the same spectrogram from audio.
ARCHIVE_MEL = MelConfig(sr=22050, n_fft=2048, hop_length=1708, n_mels=128)

_NO_FRAMES = np.empty((0, 0), dtype=np.float32)


@dataclass(frozen=True)
class Track:
    """One labelled track.

    `frames` are dB, `(n_mels, n)`; tracks from an archive have an unknown absolute level and no `path`. Tracks with
    audio that are in an archive, too, have its spectrogram as `archived`, in the same front end. Tracks of one artist
    share a `group`; "" means that the artist is unknown.
    """

    name: str
    genre: str
    split: str
    frames: Frames
    group: str = ""
    path: Path | None = None
    archived: Frames | None = None


def load_archive(npz: Path, tracks_csv: Path, split: str | None = None) -> list[Track]:
    """Load the tracks of an archive, all of them or one split.

    Args:
        npz: holds the array `mel`, uint8 `(tracks, n_mels, frames)`.
        tracks_csv: a row per track, see `read_csv`; its column `row` is the index into `mel`.

    Raises:
        SystemExit: a file is not readable or the two do not match.
    """
    try:
        archive = np.load(npz)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single unnamed array")
        with archive:
            mel = archive["mel"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise SystemExit(f"{npz}: not a mel archive: {error}") from None
    if mel.dtype != np.uint8 or mel.ndim != 3:
        raise SystemExit(f"{npz}: mel must be uint8 [tracks, n_mels, frames], got {mel.dtype} {mel.shape}")
    rows = read_csv(tracks_csv, split)
    if bad := [row["row"] for row in rows if not (row["row"].isdecimal() and int(row["row"]) < len(mel))]:
        raise SystemExit(f"{tracks_csv}: row {bad[0]!r} is not one of the archive's {len(mel)} rows")
    return [
        Track(row["track"], row["genre"], row["split"], archive_to_db(mel[int(row["row"])]), row["artist_group"])
        for row in rows
    ]


def read_csv(path: Path, split: str | None = None) -> list[dict[str, str]]:
    """Read a tracks table: columns `row`, `track`, `genre`; optional are `split`, `artist_group` and `audio`.

    Optional columns that a line lacks are "".

    Raises:
        SystemExit: the file is not readable, a column or a required value is missing, or no track is in `split`.
    """
    required = ("row", "track", "genre")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            if missing := sorted(set(required) - set(reader.fieldnames or ())):
                raise SystemExit(f"{path}: missing column {', '.join(missing)}")
            rows = []
            for row in reader:
                if empty := [column for column in required if not row[column]]:
                    raise SystemExit(f"{path}, line {reader.line_num}: missing {', '.join(empty)}")
                rows.append({"split": "", "artist_group": "", "audio": ""} | row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SystemExit(f"{path}: {error}") from None
    rows = [row for row in rows if split is None or row["split"] == split]
    if not rows:
        raise SystemExit(f"{path}: no tracks" + (f" of split {split!r}" if split else ""))
    return rows


def check_archive_mel(bundle: Bundle) -> None:
    """Check that a bundle's front end is the archive's.

    Raises:
        SystemExit: it is not.
    """
    if bundle.mel != ARCHIVE_MEL:
        raise SystemExit(f"{bundle.name}: its front end {bundle.mel} is not the archive's {ARCHIVE_MEL}")


def trained_on(bundle: Bundle, split: str | None) -> bool:
    """Return True if a bundle's metrics say that it was trained on a split."""
    return split == "train" or ("refitted" in bundle.metrics and split == bundle.metrics.get("holdout_split"))


def archive_to_db(mel: np.ndarray) -> Frames:
    """Convert archive values, uint8 0..255, to -80..0 dB."""
    db: Frames = (mel.astype(np.float32) / np.float32(255) - np.float32(1)) * np.float32(ARCHIVE_RANGE_DB)
    return db


def audio_files(root: Path) -> list[tuple[Path, str]]:
    """Return (file, genre) of all audio files in `root/GENRE/` and its subfolders, sorted.

    Raises:
        SystemExit: there is none.
    """
    paths = [path for path in sorted(root.glob("*/**/*")) if is_audio_name(path) and not path.is_dir()]
    files = [(path, path.relative_to(root).parts[0]) for path in paths]
    if not files:
        raise SystemExit(f"{root}: no audio files in folders named by genre")
    return files


def load_audio(root: Path, mel: MelConfig) -> list[Track]:
    """Load the audio files of `audio_files`; unreadable files are reported on stderr and skipped.

    The tracks have no split.

    Raises:
        SystemExit: there are no audio files.
    """
    return _load([Track(path.stem, genre, "", _NO_FRAMES, "", path) for path, genre in audio_files(root)], mel)


def load_audio_table(root: Path, tracks_csv: Path, mel: MelConfig) -> list[Track]:
    """Load the tracks of a table that have audio; unreadable files are reported on stderr and skipped.

    Args:
        root: the folder that the column `audio` is relative to.
        tracks_csv: see `read_csv`.

    Raises:
        SystemExit: the table is not readable, or there are no audio files.
    """
    rows = [row for row in read_csv(tracks_csv) if row["audio"]]
    tracks = [
        Track(row["track"], row["genre"], row["split"], _NO_FRAMES, row["artist_group"], root / row["audio"])
        for row in rows
    ]
    if not tracks:
        raise SystemExit(f"{tracks_csv}: no tracks with audio")
    return _load(tracks, mel)


def _load(tracks: list[Track], mel: MelConfig) -> list[Track]:
    """Return the tracks with the frames of their audio."""
    spectrogram, loaded = MelSpectrogram(mel), []
    for track in tracks:
        assert track.path is not None
        try:
            with open_file(track.path) as source:
                frames = np.concatenate([chunk.frames for chunk in FrontEnd(source, spectrogram).chunks()], axis=1)
        except GenreEdgeError as error:
            print(f"skipped: {error}", file=sys.stderr)
            continue
        if frames.shape[1] == 0:
            print(f"skipped: {track.path}: contains no audio", file=sys.stderr)
            continue
        loaded.append(replace(track, frames=frames))
    return loaded


def random_split(tracks: list[Track], fraction: float, seed: int) -> tuple[list[Track], list[Track]]:
    """Return (train, test), a random `fraction` of each genre in test.

    An artist may be in both parts, so test figures are optimistic (see the model card).

    Raises:
        SystemExit: a genre has a single track.
    """
    rng = np.random.default_rng(seed)
    train, test = [], []
    for genre in sorted({track.genre for track in tracks}):
        own = [track for track in tracks if track.genre == genre]
        order = rng.permutation(len(own))
        cut = max(1, round(len(own) * fraction))
        if cut == len(own):
            raise SystemExit(f"genre {genre!r} has {len(own)} track; it needs at least two, one of them to hold out")
        test += [own[i] for i in order[:cut]]
        train += [own[i] for i in order[cut:]]
    return train, test


def named_split(tracks: list[Track], train: str, holdout: str) -> tuple[list[Track], list[Track]]:
    """Return (train, holdout) by the split column.

    Raises:
        SystemExit: a split has no tracks.
    """
    parts = [[track for track in tracks if track.split == name] for name in (train, holdout)]
    for name, part in zip((train, holdout), parts, strict=True):
        if not part:
            raise SystemExit(f"no tracks of split {name!r}")
    return parts[0], parts[1]
