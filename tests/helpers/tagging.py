"""Short audio files in all formats that can be tagged, and databases with results for them."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import mutagen
import numpy as np
import pytest
import soundfile
from mutagen.id3 import COMM, ID3
from mutagen.mp4 import MP4

from genre_edge.library.database import FileRow, LibraryDatabase, ModelRow

FORMATS = ("mp3", "flac", "ogg", "opus", "oga", "m4a", "wav", "aiff")
_FFMPEG_ONLY = {"m4a": ["-c:a", "aac"], "oga": ["-c:a", "flac"]}
MODEL_SHA256 = "ab" * 32
THRESHOLD, STYLE_THRESHOLD = 0.33, 0.3
FFPROBE_FIRST_ONLY = ("mp3", "wav", "aiff", "m4a")  # ffmpeg before version 6 reads the first of several values
SCANNED_AT = "2026-11-29T00:00:00+00:00"


def write_audio(path: Path) -> Path:
    """Write a second of a chord in the format of the file's suffix; skip the test if that needs ffmpeg."""
    rate = 48000
    time_s = np.arange(rate) / rate
    samples = sum(0.1 * np.sin(2 * np.pi * pitch * time_s) for pitch in (220, 277, 330))
    suffix = path.suffix[1:]
    if suffix not in _FFMPEG_ONLY:
        options = {"format": "OGG", "subtype": "OPUS"} if suffix == "opus" else {}
        soundfile.write(path, samples, rate, **options)
        return path
    if shutil.which("ffmpeg") is None:
        pytest.skip(f"ffmpeg is missing: .{suffix} is encoded by it")
    wav = path.with_suffix(".source.wav")
    soundfile.write(wav, samples, rate)
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", str(wav), *_FFMPEG_ONLY[suffix], str(path)]
    subprocess.run(command, check=True)
    wav.unlink()
    return path


def result(path: Path, genres: dict[str, float] | None = None, **columns: Any) -> FileRow:
    """Return a row for a file; the first genre is the best one."""
    genres = {"rock": 0.7, "pop": 0.2, "jazz": 0.06} if genres is None else genres
    status = path.stat()
    best, confidence = next(iter(genres.items()), (None, None))
    entries = [{"genre": name, "probability": probability} for name, probability in genres.items()]
    values: dict[str, Any] = {
        "path": str(path),
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "audio_digest": None,
        "scanned_at": SCANNED_AT,
        "model": "edge 5",
        "model_sha256": MODEL_SHA256,
        "coverage": 1.0,
        "genre": best,
        "confidence": confidence,
        "genres": json.dumps(entries),
    }
    return FileRow(**values | columns)


def write_database(path: Path, rows: Iterable[FileRow]) -> Path:
    """Write rows into a library's database."""
    with LibraryDatabase(path) as database:
        database.write_model(ModelRow(MODEL_SHA256, "edge 5", THRESHOLD, STYLE_THRESHOLD))
        database.write((row, []) for row in rows)
    return path


def digests(folder: Path) -> dict[str, str]:
    """Return the digests of all files below a folder, hidden ones included."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def genres_by_mutagen(path: Path) -> list[str]:
    """Return the genres as mutagen reads them."""
    tags = mutagen.File(path).tags
    key = {".m4a": "\xa9gen", ".mp3": "TCON", ".wav": "TCON", ".aiff": "TCON"}.get(path.suffix, "genre")
    return list(tags[key]) if tags is not None and key in tags else []


def ffprobe(path: Path) -> dict[str, str]:
    """Return a file's tags as ffprobe reads them, with keys in upper case."""
    command = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", str(path)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    tags = found["streams"][0].get("tags", {}) | found["format"].get("tags", {})
    return {key.upper(): value for key, value in tags.items()}


def add_long_comment(file: IO[bytes]) -> None:
    """Add 100 kB of tags to an open file: in Ogg more than a page."""
    file.seek(0)
    media = mutagen.File(file)
    if media.tags is None:
        media.add_tags()
    text = "long " * 20_000
    if isinstance(media.tags, ID3):
        media.tags.add(COMM(encoding=0, lang="eng", desc="long", text=[text]))
    else:
        media.tags["\xa9lyr" if isinstance(media, MP4) else "LYRICS"] = [text]
    file.seek(0)
    media.save(file)


def decode(path: Path) -> bytes:
    """Return the samples of a file; of formats that libsndfile does not write, by ffmpeg."""
    if path.suffix[1:] not in _FFMPEG_ONLY:
        return soundfile.read(path, dtype="float32")[0].tobytes()
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", str(path), "-f", "f32le", "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout
