"""`genre-edge playlist`: playlists of a scanned library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from genre_edge.cli.messages import print_message
from genre_edge.cli.options import DatabaseOption, VocabularyName
from genre_edge.errors import GenreEdgeError


def playlist(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of the playlists; created if it does not exist.")
    ],
    db: DatabaseOption,
    by: Annotated[
        VocabularyName, typer.Option(help="A playlist for each genre, or for each file's most probable style.")
    ] = VocabularyName.genres,
    only: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="NAME", help="Only the playlist of this genre or style (repeatable)."),
    ] = None,
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Leave out files with less confidence.")] = 0.0,
    relative: Annotated[bool, typer.Option("--relative", help="Name files relative to the playlist.")] = False,
) -> None:
    """Write a playlist (.m3u8) for each genre or style of a scanned library, the most confident files first."""
    from genre_edge.library.database import LibraryDatabase
    from genre_edge.library.playlists import file_name, is_listable
    from genre_edge.library.playlists import playlist as content
    from genre_edge.library.statistics import CLASSIFIED
    from genre_edge.system.atomic_write import write_atomically

    column = "genre" if by is VocabularyName.genres else "style"
    condition = f"{CLASSIFIED} AND {column} = ? AND coalesce(confidence, 0) >= ?"
    n_unlisted = 0
    with LibraryDatabase(db, must_exist=True) as database:
        names = [name for (name,) in database.query(f"SELECT DISTINCT {column} FROM files WHERE {column} NOT NULL")]
        if unknown := sorted(set(only or []) - set(names)):
            raise GenreEdgeError(f"{db}: no file has the {column} {unknown[0]!r}")
        folder.mkdir(parents=True, exist_ok=True)
        base = folder.resolve() if relative else None  # players take .. of the folder that a link leads to
        for name in sorted(only or names):
            rows = list(database.rows(condition, (name, min_confidence), order="confidence DESC, path"))
            listed = [row for row in rows if is_listable(row.path)]
            n_unlisted += len(rows) - len(listed)
            if listed:
                text = content(listed, base)
                write_atomically(folder / file_name(name), text.encode())
                print(f"{folder / file_name(name)}: {len(listed)} files")
    if n_unlisted:
        print_message(
            GenreEdgeError(f"{n_unlisted} files are in no playlist: their names have line breaks or are not UTF-8")
        )
    raise typer.Exit(1 if n_unlisted else 0)
