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

from tests.conftest import ROOT
from tools.training.distillation import audioset, efficientat, students
from tools.training.distillation.efficientat import Teacher
from tools.training.distillation.mobilenet import Block, Design
from tools.training.distillation.students import StudentDesign


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
    return StudentDesign(Design(4, blocks, 24), (1, 2, 3, 4, 5), 2)


class UntrainedTeacher(Teacher):
    """A teacher with random weights."""

    def __init__(self, weights: object = None) -> None:
        import keras
        from keras import layers

        keras.utils.set_random_seed(1)
        self.stages = students.stages(efficientat.DESIGN, students.HINTED_BLOCKS)
        self.classifier = keras.Sequential([keras.Input((384,)), layers.Dense(audioset.N_CLASSES)])
