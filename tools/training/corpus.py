"""Unlabelled audio: music for the teacher, and audio that is not music. Spectrograms and teacher targets are cached."""

import hashlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import soxr

from genre_edge.audio.suffixes import is_audio_name
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.system.atomic_write import write_atomically
from tools.training import teacher

OVERSAMPLING = 4  # stored frames per frame of the network, so that crops can start between the network's frames
MAX_DURATION_S = 240.0  # of a longer file, only the middle is used
MAX_PATCHES = 16  # per song for the teacher
MIN_LENGTH_S = 3.2  # shorter files are repeated up to this length

TeacherFunction = Callable[[np.ndarray], np.ndarray]  # (k, frames, bands) -> (k, targets)


@dataclass(frozen=True)
class Song:
    """One unlabelled recording.

    `frames` are dB, float16 `(n_mels, n)`, at OVERSAMPLING times the network's frame rate. `targets[i]` are the
    teacher's outputs for the patch that starts at frame `starts[i]`.
    """

    name: str
    frames: np.ndarray
    starts: np.ndarray
    targets: np.ndarray


def readable_audio(folders: list[Path], min_duration_s: float) -> list[Path]:
    """Return all readable audio files below the folders that are long enough, sorted.

    Raises:
        SystemExit: there is none.
    """
    candidates = sorted({path for folder in folders for path in folder.rglob("*") if is_audio_name(path)})
    long_enough = [path for path in candidates if _duration_s(path) >= max(min_duration_s, 1e-3)]
    if not long_enough:
        raise SystemExit(f"{', '.join(map(str, folders))}: no audio of {min_duration_s:g} s or more")
    return long_enough


def _duration_s(path: Path) -> float:
    try:
        return float(soundfile.info(str(path)).duration)
    except (soundfile.LibsndfileError, OSError):
        return 0.0


def load(path: Path, mel: MelConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return mono samples at the front end's rate and their oversampled frames, float16 `(n_mels, n)` in dB.

    Raises:
        soundfile.LibsndfileError: the file is damaged.
    """
    with soundfile.SoundFile(str(path)) as file:
        limit = int(MAX_DURATION_S * file.samplerate)
        if file.frames > limit:
            file.seek((file.frames - limit) // 2)
        y = file.read(limit, dtype="float32", always_2d=True).mean(axis=1)
        y = soxr.resample(y, file.samplerate, mel.sr)
    y = np.tile(y, max(1, -(-int(MIN_LENGTH_S * mel.sr) // max(1, len(y)))))
    oversampled = replace(mel, hop_length=mel.hop_length // OVERSAMPLING)
    return y, MelSpectrogram(oversampled).db(np.ascontiguousarray(y)).astype(np.float16)


def load_songs(paths: list[Path], mel: MelConfig, targets: TeacherFunction | None, cache: Path) -> list[Song]:
    """Load songs and, with a teacher, its targets for some patches of each; results are stored in `cache`.

    Damaged files are reported on stderr and skipped.
    """
    cache.mkdir(parents=True, exist_ok=True)
    songs = []
    for done, path in enumerate(paths):
        cached = cache / f"{hashlib.sha256(path.read_bytes()).hexdigest()[:24]}.npz"
        try:
            if not cached.exists():
                _analyse(path, mel, targets, cached)
        except (soundfile.SoundFileError, OSError) as error:
            print(f"skipped: {path}: {error}", file=sys.stderr)
            continue
        with np.load(cached) as content:
            songs.append(Song(path.stem, content["frames"], content["starts"], content["targets"]))
        if done % 100 == 99 or done + 1 == len(paths):
            action = "analysed by the teacher" if targets else "loaded"
            print(f"{done + 1} of {len(paths)} songs {action}", file=sys.stderr)
    return songs


def _analyse(path: Path, mel: MelConfig, targets: TeacherFunction | None, cached: Path) -> None:
    y, frames = load(path, mel)
    if targets is None:
        _save(cached, frames, np.empty(0, dtype=int), np.empty((0, 0)))
        return
    spectrogram = teacher.log_mel(y, int(mel.sr))
    last = max(0, len(spectrogram) - teacher.PATCH_FRAMES)
    count = min(MAX_PATCHES, 1 + last // (teacher.PATCH_FRAMES // 2))
    first = np.linspace(0, last, count).astype(int)
    outputs = targets(np.stack([_patch(spectrogram, i) for i in first]))
    hop = mel.hop_length // OVERSAMPLING
    starts = np.round(first * teacher.MEL.hop_length / teacher.MEL.sr * mel.sr / hop).astype(int)
    _save(cached, frames, starts, outputs)


def _patch(spectrogram: np.ndarray, first: int) -> np.ndarray:
    index = (first + np.arange(teacher.PATCH_FRAMES)) % len(spectrogram)
    return spectrogram[index]


def _save(cached: Path, frames: np.ndarray, starts: np.ndarray, targets: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, frames=frames, starts=starts, targets=targets)
    write_atomically(cached, buffer.getvalue())
