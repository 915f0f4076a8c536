"""Where a distillation begins: with shipped int8 networks, or with networks that a GPU has trained."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from genre_edge.errors import ModelError
from tools.training.distillation.exchange import keras_networks
from tools.training.distillation.exchange.files import NetworkData
from tools.training.distillation.student import Student

Examples = tuple[list[np.ndarray], np.ndarray, np.ndarray]  # students' inputs; the teacher's embedding and logits


class Start(Protocol):
    """First weights of the students.

    Attributes:
        digest: SHA-256 of the networks, hexadecimal.
    """

    @property
    def digest(self) -> str: ...

    def assign(self, students: Mapping[str, Student], examples: Callable[[], Examples]) -> None:
        """Give the students their weights.

        Args:
            students: by name.
            examples: called for views of sound, if they are needed.

        Raises:
            ModelError: a network has another architecture.
        """


@dataclass(frozen=True)
class ShippedStart:
    """The layers of int8 networks; those behind them, to the teacher's outputs, are fitted.

    Attributes:
        contents: content of a .tflite file for each student.
    """

    contents: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        return hashlib.sha256(b"".join(self.contents[name] for name in sorted(self.contents))).hexdigest()

    def assign(self, students: Mapping[str, Student], examples: Callable[[], Examples]) -> None:
        x, embedding, logits = examples()
        for name, student in students.items():
            student.start_from_network(self.contents[name], x, embedding, logits)


@dataclass(frozen=True)
class TrainedStart:
    """All layers of networks that `tools.distil_on_gpu` has trained.

    Attributes:
        networks: by student.
    """

    networks: Mapping[str, NetworkData]

    @property
    def digest(self) -> str:
        weights = [sorted(network.weights.items()) for _, network in sorted(self.networks.items())]
        content = b"".join(value.tobytes() for network in weights for _, value in network)
        return hashlib.sha256(content).hexdigest()

    def assign(self, students: Mapping[str, Student], examples: Callable[[], Examples]) -> None:
        if missing := students.keys() - self.networks.keys():
            raise ModelError(f"the GPU has trained {', '.join(self.networks)}, but not {min(missing)}")
        for name, student in students.items():
            try:
                keras_networks.assign(student, self.networks[name])
            except ModelError as error:
                raise ModelError(f"{name}: {error}") from None


def view_seed(seed: int, start: Start | None) -> int:
    """Return the seed of the views: networks that are continued get other ones than in their training before."""
    return seed + int(start.digest[:12], 16) if start else seed
