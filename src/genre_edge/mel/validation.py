"""Checks of parameters: what, which value, what is allowed; nothing is clamped."""

import math
import operator
from typing import Any

import numpy as np

from genre_edge.errors import ParameterError

_HUGE = 1e30


def integer(name: str, value: Any, low: int, high: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if isinstance(value, (bool, np.bool_)) or not low <= number <= high:
        raise ParameterError(f"{name} must be an integer from {low} to {high}, got {value!r}")
    return number


def real(name: str, value: Any) -> float:
    """A finite int or float; ints stay ints, so that they are written as they were given."""
    number: float = math.nan
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        number = value if isinstance(value, float) else value.item() if isinstance(value, np.generic) else value
    if not -_HUGE <= number <= _HUGE:
        raise ParameterError(f"{name} must be a finite number, got {value!r}")
    return number


def choice(name: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    for choice in allowed if isinstance(value, (bool, int, float, str, type(None))) else ():
        if value == choice and isinstance(value, bool) == isinstance(choice, bool):
            return choice
    raise ParameterError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
