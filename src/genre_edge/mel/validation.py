"""Parameter checks. An error names the parameter, its value and the allowed range; no value is clamped."""

import math
import operator
from typing import Any

import numpy as np

from genre_edge.errors import ParameterError

_MAX_MAGNITUDE = 1e30
_MAX_SHOWN = 200  # characters of a value in a message


def quoted(value: Any) -> str:
    """Return a value's `repr` for a message: one line of at most 200 characters, control characters escaped."""
    try:
        text = repr(value)
    except Exception:  # nested too deeply, an integer of too many digits, a faulty __repr__
        text = f"<{type(value).__name__}>"
    text = "".join(c if c.isprintable() else " " for c in text)  # the repr of an array has line breaks
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."


def check_integer(name: str, value: Any, low: int, high: int) -> int:
    """Return `value` as an int from `low` to `high`.

    Raises:
        ParameterError: `value` is not an integer, is a bool, or is out of range.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if isinstance(value, (bool, np.bool_)) or not low <= number <= high:
        raise ParameterError(f"{name} must be an integer from {low} to {high}, got {quoted(value)}")
    return number


def check_real(name: str, value: Any) -> float:
    """Return `value` as a finite Python float, or as an int if it is one, so that messages show it unchanged.

    Raises:
        ParameterError: `value` is not a number, is a bool, or is not finite.
    """
    number: float = math.nan
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        number = value if isinstance(value, float) else value.item() if isinstance(value, np.generic) else value
    if not -_MAX_MAGNITUDE <= number <= _MAX_MAGNITUDE:
        raise ParameterError(f"{name} must be a finite number, got {quoted(value)}")
    return number


def check_choice(name: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    """Return the member of `allowed` that equals `value`; True and 1 are different values here.

    Raises:
        ParameterError: `value` is not one of `allowed`.
    """
    value = value.item() if isinstance(value, np.generic) else value
    for choice in allowed if isinstance(value, (bool, int, float, str, type(None))) else ():
        if value == choice and isinstance(value, bool) == isinstance(choice, bool):
            return choice
    raise ParameterError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {quoted(value)}")
