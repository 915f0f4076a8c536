"""Allowed values of the fields of a model bundle."""

import math
import re
from collections.abc import Callable
from typing import Any

from genre_edge.model.preprocessing import NORMALISATIONS
from genre_edge.model.styles import Style

SCHEMA_VERSION = 2
_MAX_NAME = 100  # characters
_MAX_FRAMES = 1_000_000
_MAX_DEPTH = 20  # of objects and lists in `metrics`


def is_integer(value: Any, low: int, high: int) -> bool:
    """Return True for an integer from `low` to `high`."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)  # a lone surrogate


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= _MAX_NAME and value.isprintable()  # it is printed on terminals


def _are_names(value: Any) -> bool:
    """Return True for a list of two or more different names."""
    return isinstance(value, list) and all(map(_is_name, value)) and len(set(value)) == len(value) >= 2


def _are_styles(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(style, Style) and _is_name(style.name) and (style.parent is None or _is_name(style.parent))
        for style in value
    )


def _are_sounds(value: Any) -> bool:
    return value == [] or (_are_names(value) and value[0] == "music")


def _is_json(value: Any, depth: int) -> bool:
    """Return True for finite numbers, text and so on, in objects and lists of at most `depth` levels."""
    if isinstance(value, dict):
        return depth > 0 and all(_is_text(key) and _is_json(item, depth - 1) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return depth > 0 and all(_is_json(item, depth - 1) for item in value)
    return value is None or isinstance(value, bool) or _is_text(value) or _is_number(value, -1e300, 1e300)


def _are_metrics(value: Any) -> bool:
    """Return True for an object whose `holdout` accuracy, which `genre-edge models` lists, is a share if given."""
    holdout = value.get("holdout", {}) if isinstance(value, dict) else None
    accuracy = holdout.get("accuracy") if isinstance(holdout, dict) else math.nan
    return (accuracy is None or _is_number(accuracy, 0, 1)) and _is_json(value, _MAX_DEPTH)


_NAME = f"a printable string of 1 to {_MAX_NAME} characters"
_NAMES = f"a list of two or more different printable strings of 1 to {_MAX_NAME} characters"
FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "schema_version": (lambda v: is_integer(v, SCHEMA_VERSION, SCHEMA_VERSION), f"{SCHEMA_VERSION}"),
    "name": (_is_name, _NAME),
    "version": (_is_name, _NAME),
    "labels": (_are_names, _NAMES),
    "patch_frames": (lambda v: is_integer(v, 1, _MAX_FRAMES), f"an integer from 1 to {_MAX_FRAMES}"),
    "hop_frames": (lambda v: is_integer(v, 1, _MAX_FRAMES), f"an integer from 1 to {_MAX_FRAMES}"),
    "normalisation": (NORMALISATIONS.__contains__, f"one of {', '.join(NORMALISATIONS)}"),
    "top_db": (lambda v: _is_number(v, 1, 1000), "a number from 1 to 1000"),
    "temperature": (lambda v: _is_number(v, 1e-3, 1e3), "a number from 0.001 to 1000"),
    "threshold": (lambda v: _is_number(v, 0, 1), "a number from 0 to 1"),
    "silence_db": (lambda v: _is_number(v, -1000, 1000), "a number from -1000 to 1000"),
    "not_music": (lambda v: v is None or _is_number(v, 0, 1), "null or a number from 0 to 1"),
    "styles": (_are_styles, f"a list of styles, whose name is {_NAME} and whose parent is another style's or null"),
    "style_threshold": (lambda v: _is_number(v, 0, 1), "a number from 0 to 1"),
    "sounds": (_are_sounds, f'empty, or {_NAMES}, the first of them "music"'),
    "metrics": (_are_metrics, f"an object with finite numbers, at most {_MAX_DEPTH} levels"),
    "data": (_is_text, "a string"),
    "licence": (_is_text, "a string"),
    "sha256": (lambda v: _is_text(v) and re.fullmatch("([0-9a-f]{64})?", v) is not None, "64 hexadecimal digits"),
}
