"""Audio without labels: music that the teacher hears, sounds that are no music. What was heard is kept in a cache."""

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import soxr

from genre_edge.audio.paths import is_audio_name
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.system.atomic_write import write_atomically
from tools.training import teacher

FINE = 4  # frames are kept this many times as close as the network's, so that crops may begin anywhere
LONGEST_S = 240.0  # of a long file, its middle
MOST_PATCHES = 16  # that the teacher hears of a song

Targets = Callable[[np.ndarray], np.ndarray]  # the teacher's patches -> what it says of each


@dataclass(frozen=True)
class Song:
    """`frames` are dB, `(n_mels, n)` float16, FINE times as close; the teacher said `targets[i]` at `starts[i]`."""

    name: str
    frames: np.ndarray
    starts: np.ndarray
    targets: np.ndarray


def readable_audio(folders: list[Path], shortest_s: float) -> list[Path]:
    """All readable audio below the folders that lasts long enough, sorted."""
    found = sorted({path for folder in folders for path in folder.rglob("*") if is_audio_name(path)})
    long_enough = [path for path in found if _duration_s(path) >= max(shortest_s, 1e-3)]
    if not long_enough:
        raise SystemExit(f"{', '.join(map(str, folders))}: no audio of {shortest_s:g} s or more")
    return long_enough


def _duration_s(path: Path) -> float:
    try:
        return float(soundfile.info(str(path)).duration)
    except (soundfile.LibsndfileError, OSError):
        return 0.0


def load(path: Path, mel: MelConfig) -> tuple[np.ndarray, np.ndarray]:
    """Mono samples at the front end's rate, and their frames. Too short a file is repeated to fill 3.2 s."""
    with soundfile.SoundFile(str(path)) as file:
        most = int(LONGEST_S * file.samplerate)
        if file.frames > most:
            file.seek((file.frames - most) // 2)
        y = file.read(most, dtype="float32", always_2d=True).mean(axis=1)
        y = soxr.resample(y, file.samplerate, mel.sr)
    y = np.tile(y, max(1, -(-int(3.2 * mel.sr) // max(1, len(y)))))
    fine = replace(mel, hop_length=mel.hop_length // FINE)
    return y, MelSpectrogram(fine).db(np.ascontiguousarray(y)).astype(np.float16)


def songs(paths: list[Path], mel: MelConfig, targets: Targets | None, cache: Path) -> list[Song]:
    """Every song with what the teacher, if there is one, says of some of its patches.

    What was heard once is read from `cache`.

    A file that turns out to be damaged is named on stderr and skipped.
    """
    cache.mkdir(parents=True, exist_ok=True)
    result = []
    for done, path in enumerate(paths):
        kept = cache / f"{hashlib.sha256(path.read_bytes()).hexdigest()[:24]}.npz"
        try:
            if not kept.exists():
                _hear(path, mel, targets, kept)
        except (soundfile.SoundFileError, OSError) as error:
            print(f"skipped: {path}: {error}", file=sys.stderr)
            continue
        with np.load(kept) as content:
            result.append(Song(path.stem, content["frames"], content["starts"], content["targets"]))
        if done % 100 == 99 or done + 1 == len(paths):
            print(f"{done + 1} of {len(paths)} songs {'heard by the teacher' if targets else 'read'}", file=sys.stderr)
    return result


def _hear(path: Path, mel: MelConfig, targets: Targets | None, kept: Path) -> None:
    y, frames = load(path, mel)
    if targets is None:
        write_atomically(kept, _npz(frames=frames, starts=np.empty(0, dtype=int), targets=np.empty((0, 0))))
        return
    picture = teacher.hear(y, int(mel.sr))
    last = max(0, len(picture) - teacher.PATCH_FRAMES)
    count = min(MOST_PATCHES, 1 + last // (teacher.PATCH_FRAMES // 2))
    first = np.linspace(0, last, count).astype(int)
    heard = targets(np.stack([_patch(picture, i) for i in first]))
    starts = np.round(first * teacher.MEL.hop_length / teacher.MEL.sr * mel.sr / (mel.hop_length // FINE)).astype(int)
    write_atomically(kept, _npz(frames=frames, starts=starts, targets=heard))


def _patch(picture: np.ndarray, first: int) -> np.ndarray:
    index = (first + np.arange(teacher.PATCH_FRAMES)) % len(picture)
    return picture[index]


def _npz(**arrays: np.ndarray) -> bytes:
    import io

    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()
