"""Measurements of `genre-edge bench`: each step from a file to its genre, and all of them, on synthetic music."""

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
from genre_edge.diagnostics.timing import Timing, time_call
from genre_edge.errors import GenreEdgeError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model.prediction import Model

RATE = 44100
SUBTYPES = {"wav": "PCM_16", "flac": "PCM_16", "mp3": "MPEG_LAYER_III", "ogg": "VORBIS"}


@dataclass(frozen=True)
class Result:
    """One measurement.

    Attributes:
        name: the step that was measured.
        unit: "µs", "ms" or "x real time".
        best, median: over the bursts, in `unit`. For "x real time", more is better.
    """

    name: str
    unit: str
    best: float
    median: float


def measure(model: str, seconds: float, bursts: int) -> Iterator[Result]:
    """Yield all measurements, each as soon as it is done.

    Args:
        model: a bundle's name or directory.
        seconds: length of the synthetic music.
        bursts: number of bursts for each measurement.

    Raises:
        ModelError: the bundle is missing, damaged or inconsistent.
        GenreEdgeError, OSError: the temporary audio files cannot be written.
    """
    classifier = Classifier(model)
    yield from spectrograms(seconds, bursts)
    yield from network(model, bursts)
    with tempfile.TemporaryDirectory(prefix="genre-edge-bench-") as folder:
        files = write_files(Path(folder), seconds)
        for name, path in files.items():
            yield _real_time_factor(f"decode {name}", time_call(partial(decode, path), bursts), seconds)
        for name, path in files.items():
            yield _real_time_factor(f"classify {name}", time_call(partial(classifier.classify, path), bursts), seconds)


def spectrograms(seconds: float, bursts: int) -> Iterator[Result]:
    """Yield the times of a mel frame with librosa's defaults: of a whole signal, and of a stream hop by hop."""
    config = MelConfig()
    mel, y = MelSpectrogram(config), music(seconds, round(config.sr))
    n_frames = mel.db(y).shape[1]
    yield _time("mel, a frame in one piece", time_call(lambda: mel.db(y), bursts), 1e6 / n_frames, "µs")
    timing = time_call(one_hop(mel, y), bursts)
    yield _time("mel, a frame of a stream", timing, 1e6, "µs")


def one_hop(mel: MelSpectrogram, y: Samples) -> Callable[[], object]:
    """Return a function that pushes the next hop of the samples `y` into a stream of `mel`, cyclically."""
    hop = mel.config.hop_length
    hops = cycle(y[: len(y) // hop * hop].reshape(-1, hop))
    stream, out = mel.stream(), np.empty((mel.config.n_mels, 1), np.float32, order="F")
    return lambda: stream.push(next(hops), out)


def network(model: str, bursts: int) -> Iterator[Result]:
    """Yield the times of loading a model, and of predicting a patch."""
    loaded = Model(model)
    bundle = loaded.bundle
    yield _time(f"load and verify {bundle.name}", time_call(lambda: Model(model), bursts), 1e3, "ms")
    db = MelSpectrogram(bundle.mel).db(music(bundle.patch_s, round(bundle.mel.sr)))
    patch = db[:, : bundle.patch_frames]
    timing = time_call(lambda: loaded.probabilities(patch), bursts)
    yield _time(f"network, a patch of {bundle.patch_s:.1f} s", timing, 1e3, "ms")


def write_files(folder: Path, seconds: float) -> dict[str, Path]:
    """Write `seconds` of music as stereo files in all formats that the installed libsndfile supports.

    Returns:
        The paths, by format.

    Raises:
        GenreEdgeError: a file cannot be written.
    """
    supported = soundfile.available_formats()
    files = {name: folder / f"music.{name}" for name in SUBTYPES if name.upper() in supported}
    try:
        for name, path in files.items():
            write_file(path, SUBTYPES[name], seconds)
    except soundfile.LibsndfileError as error:
        raise GenreEdgeError(f"{path}: cannot be written: {error.error_string}") from None
    return files


def write_file(path: Path, subtype: str, seconds: float) -> None:
    """Write `seconds` of music as a stereo file whose right channel is delayed by 10 ms.

    Args:
        path: the file; its suffix selects the format.
        subtype: libsndfile's name of the encoding.
        seconds: length of the music.

    Raises:
        soundfile.LibsndfileError: the file cannot be written.
    """
    left = music(seconds, RATE)
    right = np.roll(left, RATE // 100)
    with soundfile.SoundFile(path, "w", RATE, 2, subtype) as file:
        for first in range(0, len(left), RATE):  # long Vorbis writes can overflow in libsndfile
            part = slice(first, first + RATE)
            file.write(np.stack([left[part], right[part]], axis=1))


def decode(path: Path) -> None:
    """Read all samples of a file, as the classifier does."""
    with open_file(path) as source:
        for _ in source.blocks():
            pass


def _time(name: str, timing: Timing, factor: float, unit: str) -> Result:
    return Result(name, unit, timing.best * factor, timing.median * factor)


def _real_time_factor(name: str, timing: Timing, seconds: float) -> Result:
    return Result(name, "x real time", seconds / timing.best, seconds / timing.median)
