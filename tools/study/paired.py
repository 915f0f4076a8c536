"""Paired comparison of two bundles on the same tracks."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from tools.study.tables import table
from tools.training.report import percent


@dataclass(frozen=True)
class Pairs:
    """Numbers of tracks that both bundles, only one of them, or neither classifies correctly."""

    both: int
    only_this: int
    only_other: int
    neither: int

    @classmethod
    def count(cls, this: np.ndarray, other: np.ndarray) -> "Pairs":
        """Count the cases. `this` and `other` say for each track whether a bundle is right, bool `(tracks,)`."""
        cases = (this & other, this & ~other, ~this & other, ~this & ~other)
        return cls(*(int(case.sum()) for case in cases))

    def p_value(self) -> float:
        """Return the p value of McNemar's exact test: such a difference by chance, if both are equally good."""
        discordant = self.only_this + self.only_other
        return float(binomtest(self.only_this, discordant).pvalue) if discordant else 1.0


def paired_table(pairs: Pairs, this: str, other: str) -> str:
    """Return the table of the cases, and the accuracies with the p value.

    Args:
        pairs: the counts.
        this, other: names of the bundles.
    """
    n = pairs.both + pairs.only_this + pairs.only_other + pairs.neither
    rows = [
        ["both", pairs.both],
        [f"only this bundle, {this}", pairs.only_this],
        [f"only the other, {other}", pairs.only_other],
        ["neither", pairs.neither],
    ]
    accuracies = [percent((pairs.both + only) / n) for only in (pairs.only_this, pairs.only_other)]
    return (
        f"{table(['right', 'tracks'], rows)}\n\nAccuracy on the same {n} tracks: {this} {accuracies[0]}, {other} "
        f"{accuracies[1]}; McNemar's exact test: p = {pairs.p_value():.2g}."
    )
