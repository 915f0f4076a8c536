"""Names of genres: what players accept, a user's own names, and a list of the names that may be written."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from genre_edge.errors import ParameterError

_SEPARATORS = "/,;|\\"  # at which players split a genre
_SPELLINGS = {"hiphop": "Hip-Hop", "hip hop": "Hip-Hop"}
_LOWER = frozenset(("and", "of"))


def check_name(name: str) -> None:
    """Raise ValueError, with the reason, for a name that players would split, or take for a number of ID3v1."""
    if found := [c for c in _SEPARATORS if c in name]:
        raise ValueError(f"{name!r} contains {found[0]!r}, at which players split a genre")
    if name.strip("()").strip().isdecimal():
        raise ValueError(f"{name!r} is a number, which players take for a genre of ID3v1")
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name) or not name.strip():
        raise ValueError(f"{name!r} is not a name")


@dataclass(frozen=True)
class NameRules:
    """A user's names for the model's genres, and the names that may be written.

    Attributes:
        mapping: as returned by `read_mapping`.
        whitelist: as returned by `read_whitelist`; None to allow all names.
    """

    mapping: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    whitelist: frozenset[str] | None = None

    def names(self, name: str, parent: str | None = None) -> list[str]:
        """Return the names to write for one of the model's; if none may be written, those for its parent."""
        found = self._allowed(name)
        return self._allowed(parent) if not found and parent is not None else found

    def _allowed(self, name: str) -> list[str]:
        written = self.mapping.get(name.casefold(), _usable(name))
        return [each for each in written if self.whitelist is None or each.casefold() in self.whitelist]


def read_whitelist(path: Path) -> frozenset[str]:
    """Read the names that may be written, one a line, and return them without case; `#` begins a comment.

    Raises:
        ParameterError: a line has a name that cannot be written, or the file cannot be read.
    """
    names = set()
    for number, line in _lines(path):
        names.add(_checked(path, number, line).casefold())
    return frozenset(names)


def read_mapping(path: Path) -> dict[str, tuple[str, ...]]:
    """Read a user's names: lines such as `techno = Electronic` or `drum and bass = Drum & Bass; Electronic`.

    Returns:
        The names to write for each of the model's names, which have no case; none to write no genre.

    Raises:
        ParameterError: a line has a fault, or the file cannot be read.
    """
    mapping = {}
    for number, line in _lines(path):
        source, equals, target = line.partition("=")
        if not equals or not source.strip():
            raise ParameterError(f"{path}, line {number}: not of the form NAME = NAME")
        names = [name.strip() for name in target.split(";")]
        mapping[source.strip().casefold()] = tuple(_checked(path, number, name) for name in names if name)
    return mapping


def display_name(name: str) -> str:
    """Return a model's name as players show it: `Rock and Roll`, `Hip-Hop`."""
    words = _SPELLINGS.get(name.casefold(), name).split(" ")
    return " ".join(word if i and word in _LOWER else word[:1].upper() + word[1:] for i, word in enumerate(words))


def _usable(name: str) -> tuple[str, ...]:
    """Return a model's name as players accept and show it; none if it is only a number."""
    name = display_name(" ".join(re.split(rf"[{re.escape(_SEPARATORS)}\s]+", name)).strip())
    try:
        check_name(name)
    except ValueError:
        return ()
    return (name,)


def _checked(path: Path, number: int, name: str) -> str:
    try:
        check_name(name)
    except ValueError as error:
        raise ParameterError(f"{path}, line {number}: {error}") from None
    return name


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines with their numbers, without comments and empty ones."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParameterError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise ParameterError(f"{path}: {error.strerror}") from None
    for number, line in enumerate(text.splitlines(), 1):
        if content := line.split("#")[0].strip():
            yield number, content
