"""`make_plan`: which genres to write into which files of a library, and why."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from genre_edge.library.database import FileRow, LibraryDatabase
from genre_edge.library.tagging.candidates import CAN_VOTE, Candidate, album_candidates, candidates, writable
from genre_edge.library.tagging.formats import read_tags
from genre_edge.library.tagging.names import NameRules
from genre_edge.library.tagging.plan_file import PlanEntry, join_genres
from genre_edge.library.tagging.tags import TagError, Tags, UntaggableError

DEFAULT_MIN_CONFIDENCE = 0.1

_Thresholds = Mapping[str, float]  # by the hash of the model


@dataclass(frozen=True)
class PlanOptions:
    """What to write.

    Attributes:
        force: also replace genres that somebody else has set.
        min_confidence: probability, 0 to 1, that each genre must have.
        top: maximum number of the model's genres in a file.
        per_album: let the files of an album vote, and write the same genres into all of them.
        vocabulary: "genres" or "styles".
        names: a user's names, and those that may be written.
    """

    force: bool = False
    min_confidence: float = DEFAULT_MIN_CONFIDENCE
    top: int = 1
    per_album: bool = False
    vocabulary: str = "genres"
    names: NameRules = field(default_factory=NameRules)


@dataclass
class PlanSummary:
    """How many files a plan leaves out, by the reason, and the messages on files that could not be read."""

    skipped: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _File:
    """A file of the library: its row, its tags and its genres to choose from, best first.

    Attributes:
        threshold: probability from which the model names a genre; the best one that is written must have it.
    """

    row: FileRow
    tags: Tags
    candidates: list[Candidate]
    threshold: float


def make_plan(database: LibraryDatabase, options: PlanOptions, summary: PlanSummary) -> Iterator[PlanEntry]:
    """Yield an entry for each file whose genres change.

    Args:
        database: the scanned library.
        options: what to write.
        summary: is filled while the entries are read.

    Raises:
        LibraryError: the database cannot be read.
    """
    files = (_albums if options.per_album else _files)(
        database.rows("gone_at IS NULL"), options.vocabulary, _thresholds(database, options.vocabulary), summary
    )
    for file in files:
        chosen = _choose(file, options)
        if not chosen:
            has_genre = any(candidate.probability >= file.threshold for candidate in file.candidates)
            summary.skipped["without a genre that may be written" if has_genre else "without a genre"] += 1
            continue
        genres = tuple(dict.fromkeys(name for _, names in chosen for name in names))
        reason, is_entry = _decide(file, genres, options.force)
        if is_entry:
            yield PlanEntry(file.row.path, join_genres(file.tags.genres), genres, chosen[0][0].probability, reason)
        else:
            summary.skipped[reason] += 1


def _thresholds(database: LibraryDatabase, vocabulary: str) -> _Thresholds:
    """Return the thresholds of the models by their hashes, with the digits that probabilities have in the database."""
    models = database.models().items()
    return {key: round(row.style_threshold if vocabulary == "styles" else row.threshold, 4) for key, row in models}


def _files(rows: Iterable[FileRow], vocabulary: str, thresholds: _Thresholds, summary: PlanSummary) -> Iterator[_File]:
    """Yield the files without errors, with their tags."""
    for row in rows:
        if row.error is not None:
            summary.skipped["with an error in the scan"] += 1
            continue
        try:
            tags, threshold = read_tags(Path(row.path)), thresholds.get(row.model_sha256, 0.0)
            yield _File(row, tags, candidates(row, vocabulary), threshold)
        except UntaggableError:
            summary.skipped["in a format without tags"] += 1
        except FileNotFoundError:
            summary.skipped["gone since the scan"] += 1
        except TagError as error:
            summary.errors.append(f"{row.path}: {error}")
        except OSError as error:
            summary.errors.append(f"{row.path}: {error.strerror}")


def _albums(rows: Iterable[FileRow], vocabulary: str, thresholds: _Thresholds, summary: PlanSummary) -> Iterator[_File]:
    """Yield the files with the candidates of their album: the files of a folder that name the same album."""
    by_folder = sorted(rows, key=lambda row: os.path.split(row.path))
    for _, folder in groupby(by_folder, key=lambda row: os.path.dirname(row.path)):  # noqa: PTH120 (any string)
        files = sorted(_files(folder, vocabulary, thresholds, summary), key=lambda file: file.tags.album)
        for _, album in groupby(files, key=lambda file: file.tags.album):
            members = list(album)
            voted = album_candidates([file.row for file in members], vocabulary)
            threshold = max(file.threshold for file in members)
            for file in members:
                is_voter = file.row.reason in CAN_VOTE
                yield replace(file, candidates=voted if is_voter else [], threshold=threshold)


def _choose(file: _File, options: PlanOptions) -> list[tuple[Candidate, list[str]]]:
    """Return the best candidates with the names to write for each; none if the best one is below the threshold."""
    chosen = writable(file.candidates, options.names, options.min_confidence)[: options.top]
    return chosen if chosen and chosen[0][0].probability >= file.threshold else []


def _decide(file: _File, genres: tuple[str, ...], force: bool) -> tuple[str, bool]:
    """Return the reason for a file's entry and True, or the reason to leave it out and False."""
    tags, row = file.tags, file.row
    if tags.genres == genres:
        return "that have the genre already", False
    if force:
        return ("forced" if tags.genres else "no genre yet"), True
    if tags.evidence is None:
        return ("whose genre somebody set", False) if tags.genres else ("no genre yet", True)
    if not tags.are_ours:
        return f"whose genre somebody {'set' if tags.evidence.is_edited else 'changed after genre-edge'}", False
    if tags.evidence.model_sha256 == row.model_sha256:
        return "other options", True
    if row.scanned_at <= tags.evidence.date:
        return "tagged after a later scan", False
    return "newer model", True
