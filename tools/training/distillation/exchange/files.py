"""Files of the folder that passes a distillation to a machine with a GPU and back: networks and spectrograms.

This module needs neither TensorFlow nor PyTorch.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genre_edge.system.atomic_write import write_atomically
from tools.training.distillation.mobilenet import Block, Design

START, TRAINED = "start.npz", "trained.npz"  # networks before and after the training on a GPU
TEACHER = "teacher"  # name among the networks of START
SPECTROGRAMS = "spectrograms.json"

# By name of the layer: NAME.kernel in Keras' order, NAME.bias, and for convolutions NAME.gain of each channel
Weights = Mapping[str, np.ndarray]


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
class SpectrogramFile:
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
    """Write networks and constants to an .npz file."""
    described = {name: asdict(data) | {"weights": None} for name, data in networks.items()}
    arrays: dict[str, Any] = {"networks": np.array(json.dumps(described))}
    arrays |= {f"{name}/{key}": value for name, data in networks.items() for key, value in data.weights.items()}
    arrays |= {f"constants/{key}": value for key, value in constants.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue())


def load_networks(path: Path, required: Sequence[str] = ()) -> tuple[dict[str, NetworkData], dict[str, np.ndarray]]:
    """Return networks and constants of an .npz file.

    Args:
        path: the file.
        required: names of constants.

    Raises:
        SystemExit: the file is missing or damaged, or lacks weights or constants.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        described = json.loads(str(arrays["networks"]))
        networks = {name: _network(data, _part(arrays, name)) for name, data in described.items()}
        constants = _part(arrays, "constants")
        if missing := {*required} - {*constants}:
            raise ValueError(f"{min(missing)} is missing")
    except (OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise SystemExit(f"{path}: cannot be read as networks of a distillation: {error}") from None
    return networks, constants


def _network(data: dict[str, Any], weights: Weights) -> NetworkData:
    design = data["design"]
    blocks = tuple(Block(**block) for block in design["blocks"])
    design = Design(design["stem"], blocks, design["last"], design["activation"])
    heads = tuple(data["heads"])
    if missing := {*_names(design, heads)} - {*weights}:
        raise ValueError(f"{min(missing)} is missing")
    return NetworkData(design, tuple(data["stage_ends"]), heads, weights)


def _names(design: Design, heads: Sequence[str]) -> Iterator[str]:
    """Yield the names of a network's weights."""
    convolutions, dense = ["stem", "last"], list(heads)
    for number, parts in design.block_parts():
        convolutions += [f"block_{number}_{part}" for part in parts if part != "se"]
        dense += [f"block_{number}_se_{part}" for part in ("squeeze", "excite") if "se" in parts]
    yield from (f"{name}.{part}" for name in convolutions for part in ("kernel", "gain", "bias"))
    yield from (f"{name}.{part}" for name in dense for part in ("kernel", "bias"))


def _part(arrays: Weights, name: str) -> dict[str, np.ndarray]:
    return {key.removeprefix(f"{name}/"): value for key, value in arrays.items() if key.startswith(f"{name}/")}


def save_list(folder: Path, spectrograms: Sequence[SpectrogramFile]) -> None:
    """Write the list of spectrograms."""
    write_atomically(folder / SPECTROGRAMS, json.dumps([asdict(file) for file in spectrograms]).encode())


def load_list(folder: Path) -> list[SpectrogramFile]:
    """Return the list of spectrograms.

    Raises:
        SystemExit: it is missing or damaged.
    """
    path = folder / SPECTROGRAMS
    try:
        return [SpectrogramFile(**file) for file in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError) as error:
        raise SystemExit(f"{path}: cannot be read as a list of spectrograms: {error}") from None


def load_spectrogram(folder: Path, file: SpectrogramFile) -> np.ndarray:
    """Return a spectrogram.

    Raises:
        SystemExit: its file is missing or damaged.
    """
    path = folder / file.file
    try:
        spectrogram: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise SystemExit(f"{path}: cannot be read as a spectrogram: {error}") from None
    if spectrogram.ndim != 2 or not spectrogram.size:
        raise SystemExit(f"{path}: not a spectrogram: its shape is {spectrogram.shape}")
    return spectrogram
