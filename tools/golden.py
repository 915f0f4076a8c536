"""Compute the golden numbers that `genre-edge doctor` compares with, from independent implementations.

python -m tools.golden --write src/genre_edge/diagnostics/golden.json   # after a new model
python -m tools.golden --check src/genre_edge/diagnostics/golden.json   # exit code 1 if the file is out of date

Spectrograms and MFCC are librosa's in double precision, resampled audio is python-soxr's in one call, and logits are
those of TensorFlow Lite's reference kernels, which define the results of the optimised kernels of each CPU.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soxr

from genre_edge.diagnostics import golden
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import ACCURATE_RANGE_DB
from genre_edge.model.bundle import installed
from genre_edge.model.prediction import Model
from genre_edge.system.atomic_write import write_atomically

DECIMALS = 5  # far finer than the limits in diagnostics/golden.py
SAMPLE_DECIMALS = 7

Rows = list[list[float]]


def spectrogram(config: MelConfig) -> tuple[Rows, Rows]:
    """Return librosa's spectrogram in dB, and its MFCC, as lists of frames."""
    parameters: dict[str, Any] = {
        "sr": config.sr,
        "n_fft": config.n_fft,
        "hop_length": config.hop_length,
        "n_mels": config.n_mels,
    }
    y = golden.signal().astype(np.float64)
    db = librosa.power_to_db(librosa.feature.melspectrogram(y=y, **parameters), amin=1e-10, top_db=None)
    assert (db > db.max(axis=0) - ACCURATE_RANGE_DB).all(), "a band of the golden signal is outside the accurate range"
    mfcc = librosa.feature.mfcc(S=db, n_mfcc=golden.N_MFCC)
    return np.round(db.T, DECIMALS).tolist(), np.round(mfcc.T, DECIMALS).tolist()


def resampled() -> list[float]:
    """Return the golden signal at the other rate."""
    y = soxr.resample(golden.signal().astype(np.float64), golden.RATE_IN, golden.RATE_OUT, quality="HQ")
    samples: list[float] = np.round(y, SAMPLE_DECIMALS).tolist()
    return samples


def numbers() -> dict[str, Any]:
    """Return the content of golden.json."""
    models = [Model(name, reference=True) for name in installed()]
    spectrograms = {key: spectrogram(config) for key, config in golden.CONFIGS.items()}
    return {
        "db": {key: db for key, (db, _) in spectrograms.items()},
        "mfcc": {key: mfcc for key, (_, mfcc) in spectrograms.items()},
        "resampled": resampled(),
        "logits": {m.bundle.sha256: np.round(golden.logits(m), DECIMALS).tolist() for m in models},
    }


def text() -> str:
    """Return the file's text, with one frame or one patch's logits on each line."""
    rows = json.dumps(numbers()).replace("], [", "],\n[").replace("]], ", "]],\n").replace("[[", "[\n[")
    return rows + "\n"


def is_same(stored: Any, today: Any) -> bool:
    """Return True if both have the same keys, and numbers that differ in the last decimal at most."""
    if isinstance(today, dict):
        return stored.keys() == today.keys() and all(is_same(stored[key], today[key]) for key in today)
    return np.shape(stored) == np.shape(today) and np.allclose(stored, today, rtol=0, atol=1.5 * 10**-DECIMALS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", type=Path, metavar="FILE")
    action.add_argument("--check", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.write:
        write_atomically(arguments.write, text().encode())
    elif not is_same(json.loads(arguments.check.read_text()), numbers()):
        sys.exit(f"{arguments.check} is out of date: run make docs")


if __name__ == "__main__":
    main()
