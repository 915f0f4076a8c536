"""How the study divides the tracks: at random as the paper did, and in ways that hide less."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.paper.features import FRAMES_PER_S
from tools.paper.methods import NEIGHBOURS
from tools.training.data import Track, named_split, random_split, read_csv
from tools.training.head import FOLDS, folds

TEST_SHARE = 0.2
CLEAN = ("train", "valid")  # the splits of the fault-filtered list
PROTOCOLS = {
    "random": "random 80/20 of all tracks, as in the paper",
    "clean": "random 80/20 of the tracks without known faults",
    "artists": "fifths of the same tracks, no artist in two",
    "filtered": "`train` -> `valid` of the fault-filtered split",
}


@dataclass(frozen=True)
class Split:
    """Tracks to learn from and to be judged by. `number` is the seed, or the fold's number."""

    protocol: str
    number: int
    train: list[Track]
    test: list[Track]

    @property
    def name(self) -> str:
        return f"{self.protocol}-{self.number}"


def splits(tracks: list[Track], seeds: int) -> Iterator[Split]:
    """All splits of all protocols, in the order of PROTOCOLS. With few seeds, as few folds."""
    clean = [track for track in tracks if track.split in CLEAN]
    for protocol, part in (("random", tracks), ("clean", clean)):
        for seed in range(seeds):
            yield Split(protocol, seed, *random_split(part, TEST_SHARE, seed))
    fold = folds(clean, 0)
    for number in range(min(seeds, FOLDS)):
        train = [clean[i] for i in np.flatnonzero(fold != number)]
        yield Split("artists", number, train, [clean[i] for i in np.flatnonzero(fold == number)])
    for seed in range(seeds):
        yield Split("filtered", seed, *named_split(tracks, *CLEAN))


def check_table(path: Path) -> None:
    """Refuse a table with holes. Raises SystemExit with one line."""
    try:
        rows = read_csv(path)
    except csv.Error as error:
        raise SystemExit(f"{path}: {error}") from None
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise SystemExit(f"{path}: entry {number} has too {'many' if None in row else 'few'} fields")
        for column in ("track", "genre", "split"):
            if not row[column].strip():
                raise SystemExit(f"{path}: entry {number} has no {column}")


def check(tracks: list[Track], name: str) -> None:
    """Refuse data that would waste hours. Raises SystemExit with one line."""
    genres = sorted({track.genre for track in tracks})
    if len(genres) < 2:
        raise SystemExit(f"{name}: one genre only ({', '.join(genres)}); a study needs two or more")
    for split in CLEAN:
        if missing := sorted(set(genres) - {track.genre for track in tracks if track.split == split}):
            raise SystemExit(f"{name}: no track of genre {missing[0]!r} in split {split!r}")
    for track in tracks:
        if track.frames.shape[1] < FRAMES_PER_S:
            raise SystemExit(f"{name}: track {track.name!r} lasts less than a second")
        if not np.isfinite(track.frames).all() or np.ptp(track.frames) == 0:
            raise SystemExit(f"{name}: track {track.name!r} is corrupt: its spectrogram holds nothing")


def check_splits(found: list[Split], name: str) -> None:
    """Refuse splits that some method cannot learn from. Raises SystemExit with one line."""
    genres = {track.genre for split in found for track in split.train + split.test}
    for split in found:
        if missing := sorted(genres - {track.genre for track in split.train}):
            raise SystemExit(
                f"{name}: too few tracks or artists of genre {missing[0]!r}: {split.name} has none to learn from"
            )
        if not split.test:
            raise SystemExit(f"{name}: too few tracks or artists: {split.name} has none to be judged by")
        if len(split.train) < NEIGHBOURS:
            raise SystemExit(
                f"{name}: too few tracks: {split.name} has {len(split.train)} to learn from, {NEIGHBOURS} are needed"
            )
