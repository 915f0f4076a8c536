"""What came of each method on each split, kept in files, so that an interrupted study goes on where it stopped."""

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
    """One method on one split: the genres and artists of the test tracks, and what it said of them.

    A track of no known artist is its own.
    """

    protocol: str
    number: int
    train_accuracy: float
    true: list[str]
    artists: list[str]
    predicted: list[str]

    @property
    def right(self) -> np.ndarray:
        """Of each test track, whether it was told right."""
        return np.array(self.true) == np.array(self.predicted)

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())


class Kept:
    """Answers to expensive questions, one file each in `directory`; one of other data or settings is asked anew."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def get(self, name: str, identity: Any, ask: Callable[[], Any]) -> Any:
        """What JSON can hold: the kept answer, or that of `ask`."""
        path = self._directory / f"{name}.json"
        mark = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
        if path.exists():
            try:
                kept = json.loads(path.read_text())
                if kept["identity"] == mark:
                    return kept["answer"]
            except (ValueError, KeyError, TypeError):
                print(f"{path}: damaged; asked anew", file=sys.stderr)
        answer = ask()
        write_atomically(path, json.dumps({"identity": mark, "answer": answer}).encode())
        return answer


def fingerprint(tracks: Iterable[Track]) -> str:
    """One value for the tracks, their labels, groups and sounds."""
    digest = hashlib.sha256()
    for track in tracks:
        digest.update(repr((track.name, track.genre, track.split, track.group)).encode())
        digest.update(np.ascontiguousarray(track.frames).tobytes())
    return digest.hexdigest()


def origin(*code: Any) -> str:
    """One value for the source of modules or functions: what they answered before they changed is no answer."""
    return hashlib.sha256("\0".join(map(inspect.getsource, code)).encode()).hexdigest()


def _identity(data: str, method: Method, split: Split) -> list[Any]:
    code = origin(features, sys.modules[method.fit.__module__], paper_cnn, normalise)
    return [data, code, asdict(method) | {"fit": None}, split.name, [track.name for track in split.train]]


def measure(kept: Kept, data: str, method: Method, split: Split) -> Result:
    """Train and test, unless that has been done before. `data`: the fingerprint of the tracks."""
    slug = "".join(c if c.isalnum() else "-" for c in method.name.lower())
    answer = kept.get(f"{slug}.{split.name}", _identity(data, method, split), lambda: asdict(_ask(method, split)))
    return Result(**answer)


def _ask(method: Method, split: Split) -> Result:
    labels = sorted({track.genre for track in split.train})
    classes = np.array([labels.index(track.genre) for track in split.train])
    predict = method.fit([track.frames for track in split.train], classes, split.number)
    return _judged(split, *(predict([track.frames for track in part]) for part in (split.train, split.test)))


def measure_long(
    kept: Kept, data: str, method: Method, split: Split, published: int, epochs: int
) -> tuple[Result, networks.Curves]:
    """Of the paper's network, `method`, trained to `epochs`: its answers after `published` ones, and its curves."""

    def ask() -> dict[str, Any]:
        curves, learnt, said = networks.paper_curves(split, published, epochs)
        return {"curves": curves, "result": asdict(_judged(split, learnt, said))}

    identity = [*_identity(data, method, split), published, epochs]
    answer = kept.get(f"curves.{split.name}", identity, ask)
    return Result(**answer["result"]), answer["curves"]


def _judged(split: Split, learnt: Sequence[int] | np.ndarray, said: Sequence[int] | np.ndarray) -> Result:
    labels = np.array(sorted({track.genre for track in split.train}))
    right = labels[learnt] == np.array([track.genre for track in split.train])
    true = [track.genre for track in split.test]
    artists = [track.group or f"alone {track.genre}/{track.name}" for track in split.test]
    return Result(split.protocol, split.number, float(right.mean()), true, artists, labels[said].tolist())
