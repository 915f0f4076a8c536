"""Parsing of query parameters. Errors become responses with status 422."""

import contextlib
import math

from starlette.requests import Request

from genre_edge.errors import ParameterError
from genre_edge.station.history import verdict_id

_MAX_LENGTH = 40  # characters: of a number, and of a value in an error message


def query_parameters(request: Request, *allowed: str) -> dict[str, str]:
    """Return the query parameters.

    Raises:
        ParameterError: a parameter is not among `allowed`, or is repeated.
    """
    items = request.query_params.multi_items()
    for name, _ in items:
        if name not in allowed:
            raise ParameterError(f"unknown parameter {name[:_MAX_LENGTH]!r}")
    parameters = dict(items)
    if len(parameters) < len(items):
        raise ParameterError("a parameter is repeated")
    return parameters


def parse_number(name: str, text: str) -> float:
    """Return a finite number of at least 0.

    Raises:
        ParameterError: `text` is anything else; the message contains `name`.
    """
    number = math.nan
    if _is_short_ascii(text):
        with contextlib.suppress(ValueError):
            number = float(text)
    if not 0 <= number < math.inf:
        raise ParameterError(f"{name} must be a number, 0 or more, got {text[:_MAX_LENGTH]!r}")
    return number


def parse_integer(name: str, text: str, maximum: int) -> int:
    """Return an integer from 1 to `maximum`.

    Raises:
        ParameterError: `text` is anything else; the message contains `name`.
    """
    number = 0
    if _is_short_ascii(text):
        with contextlib.suppress(ValueError):
            number = int(text)
    if not 1 <= number <= maximum:
        raise ParameterError(f"{name} must be an integer from 1 to {maximum}, got {text[:_MAX_LENGTH]!r}")
    return number


def parse_verdict_id(name: str, text: str) -> str:
    """Return the identifier of a verdict.

    Raises:
        ParameterError: `text` is no identifier; the message contains `name`.
    """
    if verdict_id.parse_time(text) is None:
        raise ParameterError(f"{name} must be the id of a verdict, got {text[:_MAX_LENGTH]!r}")
    return text


def _is_short_ascii(text: str) -> bool:
    """Exclude digits of other scripts, which `float` and `int` accept, and long numbers, which are slow to parse."""
    return len(text) <= _MAX_LENGTH and text.isascii()
