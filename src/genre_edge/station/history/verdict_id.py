"""Identifiers of verdicts: the time in unix seconds, so that the index by time finds them, and a random suffix."""

import re
import secrets

_ID = re.compile(r"([0-9]{1,12}\.[0-9]{3})-[0-9a-f]{4}")


def create(time: float) -> str:
    """Return a new identifier of a verdict at `time` (unix seconds, rounded to milliseconds)."""
    return f"{time:.3f}-{secrets.token_hex(2)}"


def parse_time(identifier: str) -> float | None:
    """Return the time of a verdict; None if the text is not an identifier."""
    match = _ID.fullmatch(identifier)
    return float(match[1]) if match else None
