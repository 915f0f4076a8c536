"""Timing of a function: best and median of several bursts of calls."""

import timeit
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

_BURST_S = 0.05  # long compared with the clock's resolution, short compared with the scheduler's time slices


class Timing(NamedTuple):
    """Seconds per call: best and median burst. Interruptions only add time, so `best` is the cost of the code."""

    best: float
    median: float


def format_number(value: float) -> str:
    """Format a number with about three significant digits and without an exponent."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def time_call(call: Callable[[], object], bursts: int) -> Timing:
    """Time a function in several bursts, after one call to warm up.

    Args:
        call: the function; its exceptions propagate.
        bursts: number of bursts. The number of calls in a burst is chosen so that a burst takes about 0.05 s.
    """
    timer = timeit.Timer(call)
    timer.timeit(1)
    n_calls = max(1, round(_BURST_S / max(timer.timeit(5) / 5, 1e-7)))
    seconds = [burst / n_calls for burst in timer.repeat(bursts, n_calls)]
    return Timing(min(seconds), median(seconds))
