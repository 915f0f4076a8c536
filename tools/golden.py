"""The golden numbers that `genre-edge doctor` compares with, from independent sources.

python -m tools.golden --write src/genre_edge/diagnostics/golden.json   # after a new model
python -m tools.golden --check src/genre_edge/diagnostics/golden.json   # exit 1 if it is out of date

Spectrograms are librosa's in double precision; logits are TensorFlow Lite's by its plain reference kernels, which are
the definition that the fast kernels of each processor follow.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import librosa
import numpy as np

from genre_edge.diagnostics import golden
from genre_edge.mel.config import MelConfig
from genre_edge.model.bundle import installed
from genre_edge.model.prediction import Model
from genre_edge.system.atomic_write import write_atomically

DECIMALS = 5  # far finer than the limits in health/golden.py
ACCURATE_RANGE_DB = 50.0  # single precision promises its digits for bands as near as this to their frame's loudest


def decibels(config: MelConfig) -> list[list[float]]:
    """librosa's, frame after frame."""
    parameters = {"sr": config.sr, "n_fft": config.n_fft, "hop_length": config.hop_length, "n_mels": config.n_mels}
    y = golden.signal().astype(np.float64)
    db = librosa.power_to_db(librosa.feature.melspectrogram(y=y, **parameters), amin=1e-10, top_db=None)
    assert (db > db.max(axis=0) - ACCURATE_RANGE_DB).all(), "a band of the golden signal is too faint"
    return np.round(db.T, DECIMALS).tolist()


def numbers() -> dict[str, Any]:
    """What golden.json holds."""
    models = [Model(name, reference=True) for name in installed()]
    return {
        "db": {fft: decibels(config) for fft, config in golden.CONFIGS.items()},
        "logits": {m.bundle.sha256: np.round(golden.logits(m), DECIMALS).tolist() for m in models},
    }


def text() -> str:
    """The file: a frame, or a patch's logits, a line."""
    rows = json.dumps(numbers()).replace("], [", "],\n[").replace("]], ", "]],\n").replace("[[", "[\n[")
    return rows + "\n"


def same(stored: dict[str, Any], today: dict[str, Any]) -> bool:
    """Whether they are for the same models and differ by the last decimal at most."""
    return all(
        stored[kind].keys() == today[kind].keys()
        and all(
            np.allclose(stored[kind][key], today[kind][key], rtol=0, atol=1.5 * 10**-DECIMALS) for key in today[kind]
        )
        for kind in today
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", type=Path, metavar="FILE")
    action.add_argument("--check", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.write:
        write_atomically(arguments.write, text().encode())
    elif not same(json.loads(arguments.check.read_text()), numbers()):
        sys.exit(f"{arguments.check} is out of date: make docs")


if __name__ == "__main__":
    main()
