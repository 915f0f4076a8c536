"""The folder that passes a distillation to a machine with a GPU and back: networks, constants and spectrograms.

It needs neither TensorFlow nor PyTorch.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genre_edge.system.atomic_write import write_atomically
from tools.training.distillation.mobilenet import Block, Design

Weights = Mapping[str, np.ndarray]  # by name of the layer: NAME.kernel in Keras' order, NAME.gain, NAME.bias
START, TRAINED, SOUNDS = "start", "trained", "sounds"  # names of the files without their suffix
TEACHER = "teacher"  # name among the networks


@dataclass(frozen=True)
class NetworkData:
    """A network of convolutions with dense layers behind it.

    Attributes:
        design: of the convolutions.
        stage_ends: numbers of the blocks at whose end a stage ends, from 1.
        heads: names of the dense layers.
        weights: of all layers.
    """

    design: Design
    stage_ends: tuple[int, ...]
    heads: tuple[str, ...]
    weights: Weights


@dataclass(frozen=True)
class Sound:
    """A spectrogram to learn from.

    Attributes:
        file: name of a .npy file in the folder, float16 `(n_mels, n)` in dB.
        weight: how often it is chosen, relative to others.
        is_validation: whether it is kept to measure the students.
    """

    file: str
    weight: float
    is_validation: bool


def save_networks(path: Path, networks: Mapping[str, NetworkData], constants: Mapping[str, np.ndarray]) -> None:
    """Write networks and constants as PATH.json and PATH.npz."""
    arrays: dict[str, Any] = {
        f"{name}/{key}": value for name, data in networks.items() for key, value in data.weights.items()
    }
    arrays |= {f"constants/{key}": value for key, value in constants.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path.with_suffix(".npz"), buffer.getvalue())
    described = {name: asdict(data) | {"weights": None} for name, data in networks.items()}
    write_atomically(path.with_suffix(".json"), json.dumps(described, indent=1).encode())


def load_networks(path: Path) -> tuple[dict[str, NetworkData], dict[str, np.ndarray]]:
    """Return networks and constants of PATH.json and PATH.npz.

    Raises:
        SystemExit: a file is missing or damaged.
    """
    try:
        described = json.loads(path.with_suffix(".json").read_text())
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        networks = {name: _network(name, data, arrays) for name, data in described.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise SystemExit(f"{path}: no networks of a distillation: {error}") from None
    return networks, _part(arrays, "constants")


def _network(name: str, data: dict[str, Any], arrays: Weights) -> NetworkData:
    design = data["design"]
    blocks = tuple(Block(**block) for block in design["blocks"])
    network = Design(design["stem"], blocks, design["last"], design["activation"])
    return NetworkData(network, tuple(data["stage_ends"]), tuple(data["heads"]), _part(arrays, name))


def _part(arrays: Weights, name: str) -> dict[str, np.ndarray]:
    return {key.removeprefix(f"{name}/"): value for key, value in arrays.items() if key.startswith(f"{name}/")}


def save_sounds(folder: Path, sounds: Sequence[Sound]) -> None:
    """Write the list of spectrograms."""
    write_atomically(folder / f"{SOUNDS}.json", json.dumps([asdict(sound) for sound in sounds]).encode())


def load_sounds(folder: Path) -> list[Sound]:
    """Return the list of spectrograms.

    Raises:
        SystemExit: it is missing or damaged.
    """
    path = folder / f"{SOUNDS}.json"
    try:
        return [Sound(**sound) for sound in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError) as error:
        raise SystemExit(f"{path}: no list of spectrograms: {error}") from None
