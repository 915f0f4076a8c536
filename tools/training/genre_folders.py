"""Songs in a folder for each genre, `ROOT/GENRE/[ALBUM/]SONG`, found and embedded by a bundle's network."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from genre_edge.audio.paths import expand
from genre_edge.audio.suffixes import is_audio_name
from genre_edge.errors import AudioError
from tools.training import data
from tools.training.embedding import Embedder, Embedding

MIN_SONGS = 4  # of a genre; fewer cannot be divided into parts to learn from and to test
MIN_GROUPS = 3  # of a genre, if groups are not divided: one to test, and two to choose the regularisation by


@dataclass(frozen=True)
class SongFile:
    """A file and its genre. Songs of one folder below the genre's (an album or an artist) share a `group`."""

    path: Path
    genre: str
    group: str = ""


@dataclass(frozen=True)
class Song:
    """A song's labels and features."""

    file: SongFile
    embedding: Embedding

    @property
    def genre(self) -> str:
        """Name of the genre's folder."""
        return self.file.genre

    @property
    def group(self) -> str:
        """Name of the folder below the genre's that holds the song, "" if there is none."""
        return self.file.group


@dataclass
class GenreFolders:
    """The songs below a folder, and what is left out: one line for each problem."""

    root: Path
    files: list[SongFile] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def genres(self) -> list[str]:
        """Names of the genres, sorted."""
        return sorted({file.genre for file in self.files})

    @classmethod
    def find(cls, root: Path) -> GenreFolders:
        """Find the audio files. Folders whose name begins with a dot are left out.

        Raises:
            SystemExit: the folder cannot be read, or there are too few genres or songs.
        """
        result = cls(root)
        try:
            entries = sorted(path for path in root.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise SystemExit(f"{root}: {error.strerror}") from None
        if stray := [path.name for path in entries if is_audio_name(path) and path.is_file()]:
            result.problems.append(f"{root}: {len(stray)} files are in no genre's folder ({stray[0]} ...)")
        for folder in filter(Path.is_dir, entries):
            for item in expand(str(folder)):
                if isinstance(item, AudioError):
                    result.problems.append(str(item))
                else:
                    path = Path(item)
                    below = path.relative_to(folder).parts
                    result.files.append(SongFile(path, folder.name, below[0] if len(below) > 1 else ""))
        if not result.files:
            raise SystemExit(f"{root}: no audio files in folders named by genre")
        result.check([file.genre for file in result.files])
        return result

    @classmethod
    def of_table(cls, root: Path, tracks_csv: Path, splits: Sequence[str]) -> GenreFolders:
        """Return the tracks of a table's splits that have audio.

        Args:
            root: the folder that the column `audio` is relative to.
            tracks_csv: see `data.read_csv`; tracks of one `artist_group` are not divided.
            splits: values of the column `split`.

        Raises:
            SystemExit: the table cannot be read, or has no tracks of a split.
        """
        rows = [row for split in splits for row in data.read_csv(tracks_csv, split) if row["audio"]]
        return cls(root, [SongFile(root / row["audio"], row["genre"], row["artist_group"]) for row in rows])

    def check(self, genres: list[str]) -> None:
        """Check that the songs suffice to learn from, given each song's genre.

        Raises:
            SystemExit: there are too few genres, or too few songs of a genre.
        """
        names = self.genres
        if len(names) < 2:
            raise SystemExit(f"{self.root}: {names[0]!r} is the only genre; two folders of music are the least")
        if few := [f"{name} {genres.count(name)}" for name in names if genres.count(name) < MIN_SONGS]:
            raise SystemExit(
                f"{self.root}: too few songs to learn from: {', '.join(few)}; each genre needs at least {MIN_SONGS}, "
                "better 10 (add songs, or leave the genre out)"
            )

    def embed(self, base: str | Path) -> list[Song]:
        """Return the songs with their features; unreadable and repeated files are added to `problems`.

        Raises:
            ModelError: the bundle cannot be the base of own genres.
            SystemExit: too few songs are left.
        """
        songs: list[Song] = []
        seen: dict[bytes, SongFile] = {}
        for file, result in zip(self.files, _progress(_embed_all(self.files, base), len(self.files)), strict=True):
            if isinstance(result, AudioError):
                self.problems.append(str(result))
                continue
            first = seen.setdefault(result.features.tobytes(), file)
            if first is not file:
                self.problems.append(f"{file.path}: the same audio as {first.path}")
                continue
            songs.append(Song(file, result))
        self.check([song.genre for song in songs])
        return songs


def without_few_groups(songs: list[Song], least: int = MIN_GROUPS) -> tuple[list[Song], list[str]]:
    """Return the songs, and the genres with fewer than `least` groups, whose songs have no group in the result.

    A song without a group counts as a group of its own.
    """
    few = []
    for genre in sorted({song.genre for song in songs}):
        groups = {song.group or str(song.file.path) for song in songs if song.genre == genre}
        if len(groups) < least:
            few.append(genre)
    ungrouped = [replace(s, file=replace(s.file, group="")) if s.genre in few else s for s in songs]
    return ungrouped, few


def _embed_all(files: list[SongFile], base: str | Path) -> Iterator[Embedding | AudioError]:
    """Yield the results in the order of the files; the threads decode and compute in parallel."""
    jobs = min(len(files), len(os.sched_getaffinity(0)))
    embedders = [Embedder(base) for _ in range(jobs)]
    local = threading.local()

    def process(file: SongFile) -> Embedding | AudioError:
        if not hasattr(local, "embedder"):
            local.embedder = embedders.pop()
        try:
            result: Embedding = local.embedder.embed(file.path)
            return result
        except AudioError as error:
            return error

    pool = ThreadPoolExecutor(jobs)
    try:
        yield from pool.map(process, files)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _progress(results: Iterator[Embedding | AudioError], total: int) -> Iterator[Embedding | AudioError]:
    """Show a progress bar on stderr if it is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(results, total=total, description="songs", console=console, disable=not sys.stderr.isatty())
