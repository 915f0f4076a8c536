"""What a library consists of: numbers of files by genre, style and reason, doubtful files, failures."""

from __future__ import annotations

from dataclasses import dataclass

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
    ((n_files, hours),) = database.query(
        f"SELECT count(*), coalesce(sum(duration_s), 0) / 3600 FROM files WHERE {CLASSIFIED}"
    )
    ((n_failed,),) = database.query(f"SELECT count(*) FROM files WHERE {PRESENT} AND error IS NOT NULL")
    ((n_gone,),) = database.query("SELECT count(*) FROM files WHERE gone_at IS NOT NULL")
    models = database.query(f"SELECT DISTINCT model FROM files WHERE {CLASSIFIED} ORDER BY model")
    return Statistics(
        n_files,
        n_failed,
        n_gone,
        hours,
        _counts(database, "genre"),
        _counts(database, "style"),
        _counts(database, "reason"),
        _counts(database, "sound"),
        list(
            database.rows(
                f"{CLASSIFIED} AND confidence IS NOT NULL AND reason IS NOT 'not_music'",
                order="reason IS NULL, confidence, path",
                limit=n_listed,
            )
        ),
        list(database.rows(f"{PRESENT} AND error IS NOT NULL", limit=n_listed)),
        [name for (name,) in models],
    )


def _counts(database: LibraryDatabase, column: str) -> list[tuple[str, int]]:
    return [
        (name, n)
        for name, n in database.query(
            f"SELECT {column}, count(*) FROM files WHERE {CLASSIFIED} AND {column} IS NOT NULL "
            f"GROUP BY {column} ORDER BY count(*) DESC, {column}"
        )
    ]
