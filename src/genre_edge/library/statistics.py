"""What a library consists of: numbers of files by genre, style and reason, doubtful files, failures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from genre_edge.library.database import FileRow, LibraryDatabase

PRESENT = "gone_at IS NULL"
CLASSIFIED = f"{PRESENT} AND error IS NULL"


@dataclass(frozen=True)
class Statistics:
    """Numbers of the files that are present.

    Attributes:
        n_files, n_failed, n_gone: files with a result, without one, and missing ones.
        hours: length of the audio of the files with a result, in hours.
        genres, styles, reasons: (name, number of files), the most frequent first; a style is the most probable one of
            its file, a reason stands for the genre of a file without one.
        sounds: what files without music are.
        doubtful: files with the least confidence, those without a genre for "low_confidence" first.
        failures: files without a result.
        models: names and versions of the models behind the results.
    """

    n_files: int
    n_failed: int
    n_gone: int
    hours: float
    genres: list[tuple[str, int]]
    styles: list[tuple[str, int]]
    reasons: list[tuple[str, int]]
    sounds: list[tuple[str, int]]
    doubtful: list[FileRow]
    failures: list[FileRow]
    models: list[str]


def statistics(database: LibraryDatabase, n_listed: int) -> Statistics:
    """Return the statistics of a library, with at most `n_listed` doubtful files and as many failures."""
    # One pass over the index `files_by_state`, in its order; a query for each column takes five.
    groups = database.query(
        "SELECT genre, style, reason, sound, model, count(*), coalesce(sum(duration_s), 0) FROM files "
        f"WHERE {CLASSIFIED} GROUP BY genre, style, reason, sound, model"
    )
    ((n_failed,),) = database.query(f"SELECT count(*) FROM files WHERE {PRESENT} AND error IS NOT NULL")
    ((n_gone,),) = database.query("SELECT count(*) FROM files WHERE gone_at IS NOT NULL")
    genres, styles, reasons, sounds, models = (_counts(groups, column) for column in range(5))
    return Statistics(
        sum(group[5] for group in groups),
        n_failed,
        n_gone,
        sum(group[6] for group in groups) / 3600,
        genres,
        styles,
        reasons,
        sounds,
        list(
            database.rows(
                f"{CLASSIFIED} AND confidence IS NOT NULL AND reason IS NOT 'not_music'",
                order="reason IS NULL, confidence, path",
                limit=n_listed,
            )
        ),
        list(database.rows(f"{PRESENT} AND error IS NOT NULL", limit=n_listed)),
        sorted(name for name, _ in models),
    )


def _counts(groups: list[tuple[Any, ...]], column: int) -> list[tuple[str, int]]:
    """Return the values of a column with their numbers of files, the most frequent first."""
    totals: Counter[str] = Counter()
    for group in groups:
        if group[column] is not None:
            totals[group[column]] += group[5]
    return sorted(totals.items(), key=lambda item: (-item[1], item[0]))
