"""The genres or styles that a file may get by its row in the database, best first."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from genre_edge.library.database import FileRow
from genre_edge.library.tagging.names import NameRules

CAN_VOTE = (None, "low_confidence")  # reasons of files that are music


@dataclass(frozen=True)
class Candidate:
    """A genre or a style, the style that includes it (None if there is none), and its probability."""

    name: str
    parent: str | None
    probability: float


def candidates(row: FileRow, vocabulary: str) -> list[Candidate]:
    """Return the candidates of a file, best first; none for a file without a genre.

    A style that includes another likely one is no candidate.

    Args:
        row: the file.
        vocabulary: "genres" or "styles".
    """
    if vocabulary == "styles":
        return _ranked(_without_parents(_parse(row.styles, "style")), row.style) if row.reason in CAN_VOTE else []
    return _ranked(_parse(row.genres, "genre"), row.genre) if row.genre is not None else []


def album_candidates(rows: list[FileRow], vocabulary: str) -> list[Candidate]:
    """Return the candidates of an album: the means over its files that are music; none if no file has a candidate."""
    voters = [row for row in rows if row.reason in CAN_VOTE and row.error is None]
    if not any(candidates(row, vocabulary) for row in voters):
        return []
    if vocabulary == "styles":
        return _ranked(_without_parents(means([_parse(row.styles, "style") for row in voters])), None)
    return means([_parse(row.genres, "genre") for row in voters])


def means(files: Sequence[Iterable[Candidate]]) -> list[Candidate]:
    """Return the mean of each candidate's probability over all files, best first; 0 where a file does not have it."""
    sums: dict[str, Candidate] = {}
    for found in chain.from_iterable(files):
        sum_before = sums[found.name].probability if found.name in sums else 0.0
        sums[found.name] = Candidate(found.name, found.parent, sum_before + found.probability)
    return _ranked([Candidate(c.name, c.parent, c.probability / len(files)) for c in sums.values()], None)


def writable(found: list[Candidate], rules: NameRules, least: float) -> list[tuple[Candidate, list[str]]]:
    """Return the candidates with at least a probability that have names which may be written, with these names."""
    named = [(each, rules.names(each.name, each.parent)) for each in found if each.probability >= least]
    return [(each, names) for each, names in named if names]


def top_three(row: FileRow) -> tuple[tuple[str, float], ...]:
    """Return the three most probable genres of a file with their probabilities."""
    return tuple((found.name, found.probability) for found in _ranked(_parse(row.genres, "genre"), row.genre)[:3])


def _parse(text: str, key: str) -> list[Candidate]:
    """Parse a column of genres or styles; none if another program has damaged it."""
    try:
        entries: list[Any] = json.loads(text)
        return [Candidate(str(entry[key]), entry.get("parent"), float(entry["probability"])) for entry in entries]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _ranked(found: list[Candidate], best: str | None) -> list[Candidate]:
    """Return candidates by their probabilities, with the one named `best` first."""
    return sorted(found, key=lambda candidate: (candidate.name != best, -candidate.probability))


def _without_parents(styles: list[Candidate]) -> list[Candidate]:
    parents = {style.parent for style in styles}
    return [style for style in styles if style.name not in parents]
