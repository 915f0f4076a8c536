"""Unlabelled recordings for distillation: their spectrograms are computed once, cached, and sampled at random."""

import hashlib
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from genre_edge.audio.files import open_file
from genre_edge.audio.suffixes import is_audio_name
from genre_edge.classify.frontend import FrontEnd
from genre_edge.errors import GenreEdgeError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames, MelSpectrogram
from genre_edge.system.atomic_write import write_atomically

MAX_DURATION_S = 240.0  # of a longer recording, only the middle is used
MIN_DURATION_S = 1.0
LABELLED = "labelled"  # source of the labelled tracks

Source = tuple[str, Path]  # name of the source, file


@dataclass(frozen=True)
class Recording:
    """A recording's cached spectrogram.

    Attributes:
        name: of the file.
        source: such as the name of a folder of files.
        cached: a .npy file: float16 `(n_mels, n)` in dB.
        n_frames: number of frames.
    """

    name: str
    source: str
    cached: Path
    n_frames: int

    def frames(self) -> np.ndarray:
        """Return the spectrogram as a memory map, which processes share."""
        frames: np.ndarray = np.load(self.cached, mmap_mode="r")
        return frames


def find(folders: Sequence[Path]) -> list[Source]:
    """Return all audio files below some folders, sorted, with the name of their folder as source."""
    return [
        (source_name(folder), path) for folder in folders for path in sorted(folder.rglob("*")) if is_audio_name(path)
    ]


def source_name(folder: Path) -> str:
    """Return the source of the recordings below a folder."""
    return folder.resolve().name


def load(files: Sequence[Source], mel: MelConfig, cache: Path) -> list[Recording]:
    """Return the recordings of some files, and compute the spectrograms that the cache lacks.

    Unreadable files are reported on stderr and skipped; so are silent ones, those shorter than MIN_DURATION_S and
    copies of others, without a report.

    Raises:
        SystemExit: there is no audio.
    """
    cache.mkdir(parents=True, exist_ok=True)
    recordings: dict[Path, Recording] = {}  # by cached spectrogram: files of the same content count once
    for number, (source, path) in enumerate(files, 1):
        cached = cached_path(path, mel, cache)
        try:
            if not cached.exists():
                _save(cached, _middle(_frames(path, mel), mel))
        except GenreEdgeError as error:
            print(f"skipped: {error}", file=sys.stderr)
            continue
        n_frames = np.load(cached, mmap_mode="r").shape[1]
        if n_frames * mel.hop_length >= MIN_DURATION_S * mel.sr:
            recordings.setdefault(cached, Recording(path.stem, source, cached, n_frames))
        if number % 200 == 0 or number == len(files):
            print(f"{number} of {len(files)} recordings analysed", file=sys.stderr)
    if not recordings:
        raise SystemExit(f"there is no audio of {MIN_DURATION_S:g} s or more to learn from")
    return list(recordings.values())


def cached_path(path: Path, mel: MelConfig, cache: Path) -> Path:
    """Return the path of a file's cached spectrogram, which depends on its content alone, not on its name."""
    front_end = hashlib.sha256(json.dumps(asdict(mel)).encode()).hexdigest()[:8]
    return cache / f"{hashlib.sha256(path.read_bytes()).hexdigest()[:24]}-{front_end}.npy"


def _frames(path: Path, mel: MelConfig) -> Frames:
    with open_file(path) as source:
        return np.concatenate([chunk.frames for chunk in FrontEnd(source, MelSpectrogram(mel)).chunks()], axis=1)


def _middle(frames: Frames, mel: MelConfig) -> Frames:
    """Return the middle of long recordings, and nothing of silent ones."""
    limit = round(MAX_DURATION_S * mel.sr / mel.hop_length)
    first = max(0, (frames.shape[1] - limit) // 2)
    middle = frames[:, first : first + limit]
    return middle if middle.size and np.ptp(middle) > 0 else middle[:, :0]


def _save(path: Path, frames: Frames) -> None:
    buffer = io.BytesIO()
    np.save(buffer, frames.astype(np.float16))
    write_atomically(path, buffer.getvalue())


def hours(recordings: Sequence[Recording], mel: MelConfig) -> dict[str, float]:
    """Return the hours of sound by source."""
    total: dict[str, float] = {}
    for recording in recordings:
        total[recording.source] = total.get(recording.source, 0) + recording.n_frames * mel.hop_length / mel.sr / 3600
    return total


def recordings_digest(recordings: Sequence[Recording]) -> str:
    """Return a digest of sources and contents, whatever their order."""
    names = sorted(f"{recording.source}/{recording.cached.name}" for recording in recordings)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


class Sampler:
    """Random choice of a recording: a source by the cube root of its hours, then a recording by its length.

    Long recordings are chosen more often, but less than in proportion, because they are more alike.
    """

    def __init__(self, recordings: Sequence[Recording]) -> None:
        sources = sorted({recording.source for recording in recordings})
        self._recordings = [[r for r in recordings if r.source == source] for source in sources]
        lengths = [np.array([r.n_frames for r in group], dtype=float) for group in self._recordings]
        self._shares = [n**0.7 / (n**0.7).sum() for n in lengths]
        weight = np.cbrt([n.sum() for n in lengths])
        self._source_shares = weight / weight.sum()

    def probabilities(self) -> list[tuple[Recording, float]]:
        """Return each recording with the probability that it is chosen."""
        groups = zip(self._recordings, self._shares, self._source_shares, strict=True)
        return [
            (recording, float(source * share))
            for group, shares, source in groups
            for recording, share in zip(group, shares, strict=True)
        ]

    def choose(self, rng: np.random.Generator) -> np.ndarray:
        """Return a random recording's frames, float16 `(n_mels, n)` in dB."""
        source = rng.choice(len(self._recordings), p=self._source_shares)
        group = self._recordings[source]
        return group[rng.choice(len(group), p=self._shares[source])].frames()
