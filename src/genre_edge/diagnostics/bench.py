"""What `genre-edge bench` measures: every step from a file to its genre, and the whole way, on made music."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

import numpy as np
import soundfile

from genre_edge.audio.files import open_file
from genre_edge.classify.classifier import Classifier
from genre_edge.diagnostics.synthetic_audio import Samples, music
from genre_edge.diagnostics.timing import Timing, time_of
from genre_edge.errors import GenreEdgeError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model.prediction import Model

RATE = 44100
FORMATS = {"wav": "PCM_16", "flac": "PCM_16", "mp3": "MPEG_LAYER_III", "ogg": "VORBIS"}


@dataclass(frozen=True)
class Result:
    """One row: `best` and `median` of the bursts, in `unit`. Of times, less is better; of "x real time", more."""

    name: str
    unit: str
    best: float
    median: float


def measure(model: str, seconds: float, bursts: int) -> Iterator[Result]:
    """All rows, as they come.

    Args:
        model: a bundle's name or directory.
        seconds: how much music there is.
        bursts: how often each thing is measured.

    Raises:
        ModelError: the bundle does not load.
        GenreEdgeError, OSError: the files cannot be written.
    """
    classifier = Classifier(model)
    yield from spectrograms(seconds, bursts)
    yield from network(model, bursts)
    with tempfile.TemporaryDirectory(prefix="genre-edge-bench-") as folder:
        files = written(Path(folder), seconds)
        for name, path in files.items():
            yield _speed(f"decode {name}", time_of(partial(decode, path), bursts), seconds)
        for name, path in files.items():
            yield _speed(f"classify {name}", time_of(partial(classifier.classify, path), bursts), seconds)


def spectrograms(seconds: float, bursts: int) -> Iterator[Result]:
    """The core, at librosa's defaults: in one piece, and one hop at a time."""
    config = MelConfig()
    mel, y = MelSpectrogram(config), music(seconds, round(config.sr))
    n_frames = mel.db(y).shape[1]
    yield _time("mel, a frame in one piece", time_of(lambda: mel.db(y), bursts), 1e6 / n_frames, "µs")
    timing = time_of(one_hop(mel, y), bursts)
    yield _time("mel, a frame of a stream", timing, 1e6, "µs")


def one_hop(mel: MelSpectrogram, y: Samples) -> Callable[[], object]:
    """A call that pushes the next hop of `y`, over and over."""
    hop = mel.config.hop_length
    hops = cycle(y[: len(y) // hop * hop].reshape(-1, hop))
    stream, out = mel.stream(), np.empty((mel.config.n_mels, 1), np.float32, order="F")
    return lambda: stream.push(next(hops), out)


def network(model: str, bursts: int) -> Iterator[Result]:
    """Starting, and a patch through normalisation and network."""
    loaded = Model(model)
    bundle = loaded.bundle
    yield _time(f"load and verify {bundle.name}", time_of(lambda: Model(model), bursts), 1e3, "ms")
    db = MelSpectrogram(bundle.mel).db(music(bundle.patch_s, round(bundle.mel.sr)))
    patch = db[:, : bundle.patch_frames]
    timing = time_of(lambda: loaded.probabilities(patch), bursts)
    yield _time(f"network, a patch of {bundle.patch_s:.1f} s", timing, 1e3, "ms")


def written(folder: Path, seconds: float) -> dict[str, Path]:
    """The music as stereo files, by format; those that this libsndfile writes. Raises GenreEdgeError."""
    known = soundfile.available_formats()
    files = {name: folder / f"music.{name}" for name in FORMATS if name.upper() in known}
    try:
        for name, path in files.items():
            write(path, FORMATS[name], seconds)
    except soundfile.LibsndfileError as error:
        raise GenreEdgeError(f"{path}: cannot be written: {error.error_string}") from None
    return files


def write(path: Path, subtype: str, seconds: float) -> None:
    """The music as one file, the right channel a little later than the left."""
    left = music(seconds, RATE)
    right = np.roll(left, RATE // 100)
    with soundfile.SoundFile(path, "w", RATE, 2, subtype) as file:
        for first in range(0, len(left), RATE):  # long Vorbis writes can overflow
            part = slice(first, first + RATE)
            file.write(np.stack([left[part], right[part]], axis=1))


def decode(path: Path) -> None:
    """All samples of a file, as the classifier gets them."""
    with open_file(path) as source:
        for _ in source.blocks():
            pass


def _time(name: str, timing: Timing, factor: float, unit: str) -> Result:
    return Result(name, unit, timing.best * factor, timing.median * factor)


def _speed(name: str, timing: Timing, seconds: float) -> Result:
    return Result(name, "x real time", seconds / timing.best, seconds / timing.median)
