"""The file of a plan: UTF-8 text, one line for each file, which a person may delete or change."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from genre_edge.errors import ParameterError
from genre_edge.library.tagging.names import check_name

SEPARATOR = "; "
_VERSION = "# genre-edge tag plan 1"
_COLUMNS = "# old genres\tnew genres\tconfidence\treason\tproposal\tpath"
_HELP = (
    "# Delete the lines of files that should stay as they are. Change new genres as you like; separate several with ;",
    "# Then run: genre-edge tag apply",
)
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_ESCAPE = re.compile(rb"\\(?:x([0-9a-f]{2})|(.))")
_UNESCAPED = {b"\\": b"\\", b"t": b"\t", b"n": b"\n", b"r": b"\r"}


@dataclass(frozen=True)
class PlanEntry:
    """What a plan says about a file.

    Attributes:
        path: the file, with the surrogate escapes of `os.fsdecode`.
        old: the file's genres when the plan was made, joined by "; " and escaped.
        new: the genres to write.
        confidence: probability of the best genre, 0 to 1; None if it is unknown.
        reason: why the file is in the plan.
        is_edited: whether somebody has changed the new genres, which are then the user's and not genre-edge's.
    """

    path: str
    old: str
    new: tuple[str, ...]
    confidence: float | None = None
    reason: str = ""
    is_edited: bool = False


def join_genres(genres: Iterable[str]) -> str:
    """Return genres as in the column of old genres."""
    return escape(SEPARATOR.join(genres))


def format_plan(entries: Iterable[PlanEntry], notes: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a plan, with notes for the reader at its start."""
    yield f"{_VERSION}\n"
    for line in (*_HELP, *(f"# {escape(note)}" for note in notes), _COLUMNS):
        yield f"{line}\n"
    for entry in entries:
        confidence = "" if entry.confidence is None else f"{entry.confidence:.0%}"
        proposal = "" if entry.is_edited else _digest(entry.new)
        fields = [entry.old, join_genres(entry.new), confidence, entry.reason, proposal, escape(entry.path)]
        yield "\t".join(fields) + "\n"


def read_plan(path: Path) -> list[PlanEntry]:
    """Read a plan, edited or not.

    Raises:
        ParameterError: it cannot be read, is no plan, or a line has a fault; the message names file, line and fault.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ParameterError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise ParameterError(f"{path}: {error.strerror}") from None
    if lines[0].rstrip() != _VERSION:
        raise ParameterError(f"{path}: not a plan of genre-edge tag plan: the first line is not {_VERSION!r}")
    entries: dict[str, PlanEntry] = {}
    for number, line in enumerate(lines, 1):
        line = line.removesuffix("\r")
        if not line.strip() or line.startswith("#"):
            continue
        try:
            entry = _parse(line)
            if entry.path in entries:
                raise ValueError("the file has another line above")
        except ValueError as error:
            raise ParameterError(f"{path}, line {number}: {error}") from None
        entries[entry.path] = entry
    return list(entries.values())


def _parse(line: str) -> PlanEntry:
    """Parse a line. Raises ValueError."""
    fields = line.split("\t")
    if len(fields) != 6:
        raise ValueError(f"{len(fields)} columns, separated by tabs, where 6 should be")
    old, new, confidence, reason, proposal, path = fields
    names = tuple(dict.fromkeys(filter(None, (name.strip() for name in unescape(new).split(";")))))
    if not names:
        raise ValueError("no new genre; delete the line to leave the file as it is")
    for name in names:
        check_name(name)
    if not path or "\0" in unescape(path):
        raise ValueError("no path")
    share = re.fullmatch(r"\s*(\d{1,3})\s*%\s*", confidence)
    is_edited = proposal.strip() != _digest(names)
    return PlanEntry(unescape(path), old, names, int(share[1]) / 100 if share else None, reason, is_edited)


def _digest(genres: Iterable[str]) -> str:
    """Return the column `proposal`: a digest of genres, which replacing a name in the whole plan does not change."""
    return hashlib.blake2b("\0".join(genres).encode(), digest_size=4).hexdigest()


def escape(text: str) -> str:
    """Return text without line breaks, tabs, other control characters, invalid bytes and outer spaces."""
    escaped = "".join(_ESCAPES.get(c) or (c if c.isprintable() else _hexadecimal(c)) for c in text)
    if escaped.startswith((" ", "#")):
        escaped = f"{_hexadecimal(escaped[0])}{escaped[1:]}"
    return f"{escaped[:-1]}\\x20" if escaped.endswith(" ") else escaped


def unescape(text: str) -> str:
    """Return the text that `escape` was given. Raises ValueError for other escapes."""

    def replace(match: re.Match[bytes]) -> bytes:
        if match[1]:
            return bytes([int(match[1], 16)])
        if match[2] not in _UNESCAPED:
            raise ValueError(f"unknown escape {os.fsdecode(match[0])}")
        return _UNESCAPED[match[2]]

    return os.fsdecode(_ESCAPE.sub(replace, os.fsencode(text)))


def _hexadecimal(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="surrogateescape"))
