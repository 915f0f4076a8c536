"""Run the training programs in this process, and a small network that stands in for the student."""

from __future__ import annotations

import contextlib
import csv
import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    import keras


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


def small_student(shape: tuple[int, int, int], n_outputs: int) -> keras.Model:
    """Build a network with all kinds of layers of the student, but few of them: TensorFlow traces it in a second."""
    import keras
    from keras import layers

    inputs = keras.Input(shape)
    x = layers.Conv2D(16, 3, strides=(4, 2), padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.97)(x))
    y = layers.BatchNormalization(momentum=0.97)(layers.Conv2D(16, 3, padding="same", use_bias=False)(x))
    x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Conv2D(32, (x.shape[1], 1), use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.97)(x))
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    x = layers.Dense(24, activation="relu")(layers.Dropout(0.2)(x))
    return keras.Model(inputs, layers.Dense(n_outputs)(x))
