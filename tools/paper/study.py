"""All that the document tells, and what its parts share."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.paper.analysis import Leak
from tools.paper.intervals import Answers, Estimate, Summary, answers, summary
from tools.paper.methods import Method
from tools.paper.results import Result


@dataclass(frozen=True)
class Resolution:
    """387 frames against 660, from audio: results of both networks on the same splits, in this order."""

    tracks: int
    least_s: float
    limit_hz: float
    results: dict[str, list[Result]]


@dataclass(frozen=True)
class Study:
    """`results[method][protocol]`; `cnn` names the paper's network among the methods."""

    command: str
    rehearsal: bool
    counts: dict[str, int]  # tracks of each split
    shape: tuple[int, int]  # bands and frames of a track
    labels: list[str]
    methods: list[Method]
    results: dict[str, dict[str, list[Result]]]
    cnn: str
    dropout: float  # of the paper's network
    curves: dict[str, dict[str, list[float]]]
    published_epochs: int
    correlation: np.ndarray
    faults: dict[str, int]  # tracks with known faults, by genre
    leaks: list[Leak]
    resolution: Resolution | None
    judge: str  # on what the network learnt that imitates, and judges imitations
    imitations: list[dict[str, Any]]

    def summary(self, method: str, protocol: str) -> Summary:
        return summary(self.results[method][protocol])

    def answers(self, protocol: str, *methods: str) -> Answers:
        """Of some methods, or of all."""
        return answers([self.results[name][protocol] for name in methods or self.results])


def points(difference: float) -> str:
    return f"{100 * difference:+.1f} points"


def gap(x: Estimate) -> str:
    """A difference and its interval."""
    return f"{points(x.value)} ({100 * x.low:+.1f} to {100 * x.high:+.1f})"


def cell(s: Summary) -> str:
    """Mean, spread and interval, in percent."""
    return f"{100 * s.mean:.1f} ± {100 * s.spread:.1f} ({100 * s.low:.0f} to {100 * s.high:.0f})"


def rows(header: str, cells: list[list[str]]) -> str:
    """A table."""
    lines = [header, "| --- " * (header.count("|") - 1) + "|", *("| " + " | ".join(row) + " |" for row in cells)]
    return "\n".join(lines)
