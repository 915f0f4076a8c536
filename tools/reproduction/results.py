"""What came of each method on each split, kept in files, so that an interrupted study goes on where it stopped."""

import hashlib
import json
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from training.data import Track
from training.report import wilson

from genre_edge.files import write_atomically
from reproduction.methods import Method
from reproduction.protocols import Split


@dataclass(frozen=True)
class Result:
    """One method on one split: the genres of the test tracks, and what it said of them."""

    protocol: str
    number: int
    train_accuracy: float
    true: list[str]
    predicted: list[str]

    @property
    def accuracy(self) -> float:
        return float(np.mean(np.array(self.true) == np.array(self.predicted)))


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


def measure(kept: Kept, data: str, method: Method, split: Split) -> Result:
    """Train and test, unless that has been done before. `data`: the fingerprint of the tracks."""
    identity = [data, asdict(method) | {"fit": None}, split.name, [t.name for t in split.train]]
    slug = "".join(c if c.isalnum() else "-" for c in method.name.lower())
    answer = kept.get(f"{slug}.{split.name}", identity, lambda: asdict(_ask(method, split)))
    return Result(**answer)


def _ask(method: Method, split: Split) -> Result:
    labels = sorted({track.genre for track in split.train})
    classes = np.array([labels.index(track.genre) for track in split.train])
    predict = method.fit([track.frames for track in split.train], classes, split.number)
    learnt = float((predict([track.frames for track in split.train]) == classes).mean())
    said = predict([track.frames for track in split.test])
    true = [track.genre for track in split.test]
    return Result(split.protocol, split.number, learnt, true, [labels[i] for i in said])


@dataclass(frozen=True)
class Summary:
    """The mean over the splits of one protocol, their spread, and a 95 % interval."""

    mean: float
    spread: float
    low: float
    high: float
    train_mean: float


def summary(results: list[Result]) -> Summary:
    """Intervals: of random splits, Student's t over the splits; where the test tracks are fixed, Wilson's over them."""
    accuracies = np.array([result.accuracy for result in results])
    mean, spread = float(accuracies.mean()), float(accuracies.std(ddof=1)) if len(results) > 1 else 0.0
    if results[0].protocol in ("random", "clean"):
        t = stats.t.ppf(0.975, len(results) - 1) if len(results) > 1 else math.nan
        low, high = mean - t * spread / math.sqrt(len(results)), mean + t * spread / math.sqrt(len(results))
    else:
        tracks = len(results[0].true) if results[0].protocol == "filtered" else sum(len(r.true) for r in results)
        low, high = wilson(round(mean * tracks), tracks)
    return Summary(mean, spread, low, high, float(np.mean([result.train_accuracy for result in results])))
