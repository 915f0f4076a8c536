"""Run the training programs in this process, and small networks that stand in for student and teacher."""

import contextlib
import csv
import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile

from tests.conftest import ROOT
from tools.training.distillation import audioset, efficientat, students
from tools.training.distillation.efficientat import Teacher
from tools.training.distillation.mobilenet import Block, Design
from tools.training.distillation.students import StudentDesign

GENRES = {"jazz": 300, "rock": 2000, "unknown": 9000}  # of `write_corpus`, with the frequency of their tones in Hz
_RATE = 32000


@dataclass(frozen=True)
class Finished:
    """Exit code and output of a program; `code` is 1 if it exited with a message, which is then part of `stderr`."""

    code: int
    stdout: str
    stderr: str


def run_main(module: ModuleType, *words: object) -> Finished:
    """Run a program's main() in this process; much faster than a process that imports TensorFlow."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", [module.__name__, *map(str, words)])
        try:
            module.main()
        except SystemExit as end:
            code = end.code or 0
    message = "" if isinstance(code, int) else f"{code}\n"
    return Finished(code if isinstance(code, int) else 1, out.getvalue(), err.getvalue() + message)


def run_process(program: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run `python -m tools.PROGRAM` in a process of its own, from the checkout."""
    return subprocess.run(
        [sys.executable, "-m", f"tools.{program}", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def write_archive(folder: Path, mel: np.ndarray, genres: list[str], n_train: int) -> None:
    """Write mel.npz and tracks.csv; the first `n_train` tracks are of split train, the others of valid."""
    np.savez(folder / "mel.npz", mel=mel)
    with (folder / "tracks.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["row", "track", "genre", "split"])
        for row, genre in enumerate(genres):
            table.writerow([row, f"t{row}", genre, "train" if row < n_train else "valid"])


def small_design() -> StudentDesign:
    """Return a student with all kinds of layers, but few of them."""
    blocks = (
        Block(3, 8, 16, stride=2),
        Block(3, 8, 16, squeeze=True, stride=2),
        Block(3, 16, 32, stride=2),
        Block(3, 16, 48),
        Block(3, 16, 64, stride=2),
    )
    return StudentDesign(Design(4, blocks, 24), (1, 2, 3, 4, 5), n_means=1, n_deviations=2)


class UntrainedTeacher(Teacher):
    """A teacher with random weights."""

    def __init__(self, weights: object = None) -> None:
        import keras
        from keras import layers

        keras.utils.set_random_seed(1)
        self.stages = students.stages(efficientat.DESIGN, students.HINTED_BLOCKS)
        hidden = layers.Dense(32, activation="hard_swish")
        self.classifier = keras.Sequential([keras.Input((384,)), hidden, layers.Dense(audioset.N_CLASSES)])


def write_tone(path: Path, f: float, seed: int, seconds: float = 6) -> None:
    """Write a tone of about `f` Hz in noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * _RATE)) / _RATE
    path.parent.mkdir(parents=True, exist_ok=True)
    y = 0.3 * np.sin(2 * np.pi * f * rng.uniform(0.95, 1.05) * t) + 0.01 * rng.standard_normal(len(t))
    soundfile.write(path, y, _RATE)


def write_corpus(folder: Path) -> Path:
    """Write labelled audio with its table (18 tracks to train on, 6 held out), noise, and music with a held-out track.

    Returns:
        the folder, with audio/, tracks.csv, noise/ and music/.
    """
    rows = ["row,track,genre,split,artist_group,audio"]
    for i in range(24):
        genre = list(GENRES)[i % 3]
        write_tone(folder / "audio" / f"{i}.wav", GENRES[genre], i)
        rows.append(f"{i},t{i},{genre},{'train' if i < 18 else 'valid'},{genre}{i % 4},audio/{i}.wav")
    (folder / "tracks.csv").write_text("\n".join(rows) + "\n")
    for i in range(4):
        write_tone(folder / "music" / f"{i}.wav", 500 * (i + 1), 100 + i, 8)
    (folder / "music" / "copy.wav").write_bytes((folder / "audio" / "20.wav").read_bytes())
    (folder / "noise").mkdir()
    for i in range(3):
        noise = 0.1 * np.random.default_rng(i).standard_normal(4 * _RATE)
        soundfile.write(folder / "noise" / f"{i}.wav", noise, _RATE)
    return folder
