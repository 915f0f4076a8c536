"""How long a call takes: the best and the median of several bursts."""

import timeit
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

_BURST_SECONDS = 0.05  # long beside the clock's grain, short beside what the scheduler does


class Timing(NamedTuple):
    """Seconds a call. The best says what the code costs: what disturbs a burst only ever adds to it."""

    best: float
    median: float


def digits(value: float) -> str:
    """Three digits or so, and no exponent."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def time_of(call: Callable[[], object], bursts: int) -> Timing:
    """Time `call` in that many bursts, after a call to warm up. What it raises, this raises."""
    timer = timeit.Timer(call)
    timer.timeit(1)
    repeats = max(1, round(_BURST_SECONDS / max(timer.timeit(5) / 5, 1e-7)))
    seconds = [burst / repeats for burst in timer.repeat(bursts, repeats)]
    return Timing(min(seconds), median(seconds))
