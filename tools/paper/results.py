"""Results of each method on each split, cached in files so that an interrupted study can resume."""

import hashlib
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genre_edge.model.preprocessing import normalise
from genre_edge.system.atomic_write import write_atomically
from tools.paper import features, networks
from tools.paper.methods import Method
from tools.paper.protocols import Split
from tools.training.architectures import paper_cnn
from tools.training.data import Track


@dataclass(frozen=True)
class Result:
    """Predictions of one method on one split.

    Attributes:
        protocol, number: identify the split.
        train_accuracy: accuracy on the training tracks.
        true, artists, predicted: of each test track; a track without a known artist counts as an artist of its own.
    """

    protocol: str
    number: int
    train_accuracy: float
    true: list[str]
    artists: list[str]
    predicted: list[str]

    @property
    def correct(self) -> np.ndarray:
        """Mask of the correctly predicted test tracks, `(tracks,)` bool."""
        return np.asarray(np.array(self.true) == np.array(self.predicted))

    @property
    def accuracy(self) -> float:
        """Share of correct predictions on the test tracks."""
        return float(self.correct.mean())


class ResultCache:
    """Cache of expensive results, one JSON file each in `directory`; stale or damaged entries are recomputed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def get(self, name: str, identity: Any, compute: Callable[[], Any]) -> Any:
        """Return the cached result, or compute and store it.

        Args:
            name: stem of the file's name.
            identity: JSON-serialisable inputs; a cached result with another identity is stale.
            compute: returns a JSON-serialisable result.
        """
        path = self._directory / f"{name}.json"
        digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
        if path.exists():
            try:
                cached = json.loads(path.read_text())
                if cached["identity"] == digest:
                    return cached["answer"]
            except (ValueError, KeyError, TypeError):
                print(f"{path}: damaged cache entry; computing it again", file=sys.stderr)
        answer = compute()
        write_atomically(path, json.dumps({"identity": digest, "answer": answer}).encode())
        return answer


def fingerprint(tracks: Iterable[Track]) -> str:
    """Return a hash of the tracks' names, labels, artists and frames."""
    digest = hashlib.sha256()
    for track in tracks:
        digest.update(repr((track.name, track.genre, track.split, track.group)).encode())
        digest.update(np.ascontiguousarray(track.frames).tobytes())
    return digest.hexdigest()


def code_hash(*code: Any) -> str:
    """Return a hash of the source of modules or functions, so that changes make cached results stale."""
    return hashlib.sha256("\0".join(map(inspect.getsource, code)).encode()).hexdigest()


def _identity(data: str, method: Method, split: Split) -> list[Any]:
    code = code_hash(features, sys.modules[method.fit.__module__], paper_cnn, normalise)
    return [data, code, asdict(method) | {"fit": None}, split.name, [track.name for track in split.train]]


def measure(cache: ResultCache, data: str, method: Method, split: Split) -> Result:
    """Train and test a method on a split, or return the cached result. `data` is the fingerprint of the tracks."""
    slug = "".join(c if c.isalnum() else "-" for c in method.name.lower())
    name, identity = f"{slug}.{split.name}", _identity(data, method, split)
    return Result(**cache.get(name, identity, lambda: asdict(_train_and_test(method, split))))


def _train_and_test(method: Method, split: Split) -> Result:
    labels = sorted({track.genre for track in split.train})
    classes = np.array([labels.index(track.genre) for track in split.train])
    predict = method.fit([track.frames for track in split.train], classes, split.number)
    return _result(split, *(predict([track.frames for track in part]) for part in (split.train, split.test)))


def measure_long(
    cache: ResultCache, data: str, method: Method, split: Split, published: int, epochs: int
) -> tuple[Result, networks.Curves]:
    """Train the paper's network, `method`, for `epochs`; return its result after `published` epochs and its curves."""

    def compute() -> dict[str, Any]:
        curves, train, test = networks.paper_curves(split, published, epochs)
        return {"curves": curves, "result": asdict(_result(split, train, test))}

    identity = [*_identity(data, method, split), published, epochs]
    answer = cache.get(f"curves.{split.name}", identity, compute)
    return Result(**answer["result"]), answer["curves"]


def _result(split: Split, train: Sequence[int] | np.ndarray, test: Sequence[int] | np.ndarray) -> Result:
    """Return a Result from predicted class indices of the training and of the test tracks."""
    labels = np.array(sorted({track.genre for track in split.train}))
    correct = labels[train] == np.array([track.genre for track in split.train])
    true = [track.genre for track in split.test]
    artists = [track.group or f"alone {track.genre}/{track.name}" for track in split.test]
    return Result(split.protocol, split.number, float(correct.mean()), true, artists, labels[test].tolist())
