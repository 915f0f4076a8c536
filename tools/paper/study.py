"""Results of the study, and helpers that format them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.paper.analysis import Leak
from tools.paper.intervals import Estimate, Outcomes, Summary, outcomes, summary
from tools.paper.methods import Method
from tools.paper.results import Result


@dataclass(frozen=True)
class Resolution:
    """Comparison of 387 and 660 frames from audio.

    Attributes:
        tracks: number of tracks.
        min_s: minimum duration of their audio, seconds.
        limit_hz: upper edge of the highest mel band.
        results: results of both networks on the same splits, 387 frames first.
    """

    tracks: int
    min_s: float
    limit_hz: float
    results: dict[str, list[Result]]


@dataclass(frozen=True)
class Study:
    """All results of the study.

    Attributes:
        command: the command that produced them.
        rehearsal: whether few splits and epochs were used.
        counts: number of tracks by split.
        shape: mel bands and frames of a track.
        labels: genres, sorted.
        methods: all methods, in the order of the tables.
        results: results by method's name and protocol, one per split.
        cnn: name of the paper's network.
        dropout: dropout rate of the paper's network.
        curves: accuracy and loss of the paper's network by protocol and epoch.
        published_epochs: number of epochs in the paper.
        correlation: of the genres' mean mel spectra, `(genres, genres)`.
        faults: number of tracks with known faults by genre.
        leaks: accuracy by a test track's relation to the training set.
        resolution: comparison of frame rates, if measured.
        training_data: the bundle's description of what its network was trained on.
        imitations: one entry per imitated song.
    """

    command: str
    rehearsal: bool
    counts: dict[str, int]
    shape: tuple[int, int]
    labels: list[str]
    methods: list[Method]
    results: dict[str, dict[str, list[Result]]]
    cnn: str
    dropout: float
    curves: dict[str, dict[str, list[float]]]
    published_epochs: int
    correlation: np.ndarray
    faults: dict[str, int]
    leaks: list[Leak]
    resolution: Resolution | None
    training_data: str
    imitations: list[dict[str, Any]]

    def summary(self, method: str, protocol: str) -> Summary:
        """Summarise one method under one protocol."""
        return summary(self.results[method][protocol])

    def outcomes(self, protocol: str, *methods: str) -> Outcomes:
        """Return the outcomes of these methods, or of all, under one protocol."""
        return outcomes([self.results[name][protocol] for name in methods or self.results])


def points(difference: float) -> str:
    """Format a difference of accuracies in percentage points."""
    return f"{100 * difference:+.1f} points"


def gap(x: Estimate) -> str:
    """Format a difference and its interval."""
    return f"{points(x.value)} ({100 * x.low:+.1f} to {100 * x.high:+.1f})"


def cell(s: Summary) -> str:
    """Format mean, standard deviation and interval in percent."""
    return f"{100 * s.mean:.1f} ± {100 * s.spread:.1f} ({100 * s.low:.0f} to {100 * s.high:.0f})"


def rows(header: str, cells: list[list[str]]) -> str:
    """Format a Markdown table."""
    lines = [header, "| --- " * (header.count("|") - 1) + "|", *("| " + " | ".join(row) + " |" for row in cells)]
    return "\n".join(lines)
