"""Train/test splits of the study: random as in the paper, and stricter ones."""

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
CLEAN = ("train", "valid")  # splits of the fault-filtered list (Kereliuk et al. 2015)
PROTOCOLS = {
    "random": "random 80/20 of all tracks, as in the paper",
    "clean": "random 80/20 of the tracks without known faults",
    "artists": "five folds of the same tracks, each artist in one fold",
    "filtered": "`train` -> `valid` of the fault-filtered split",
}


@dataclass(frozen=True)
class Split:
    """Training and test tracks of a protocol; `number` is the seed or the index of the fold."""

    protocol: str
    number: int
    train: list[Track]
    test: list[Track]

    @property
    def name(self) -> str:
        """PROTOCOL-NUMBER."""
        return f"{self.protocol}-{self.number}"


def splits(tracks: list[Track], seeds: int) -> Iterator[Split]:
    """Yield all splits of all protocols in the order of PROTOCOLS; the number of folds is at most `seeds`."""
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
    """Check tracks.csv for missing and superfluous fields. Raises SystemExit with one line."""
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
    """Check the tracks before hours of training. Raises SystemExit with one line."""
    genres = sorted({track.genre for track in tracks})
    if len(genres) < 2:
        raise SystemExit(f"{name}: only one genre ({', '.join(genres)}); the study needs at least two")
    for split in CLEAN:
        if missing := sorted(set(genres) - {track.genre for track in tracks if track.split == split}):
            raise SystemExit(f"{name}: no track of genre {missing[0]!r} in split {split!r}")
    for track in tracks:
        if track.frames.shape[1] < FRAMES_PER_S:
            raise SystemExit(f"{name}: track {track.name!r} lasts less than a second")
        if not np.isfinite(track.frames).all() or np.ptp(track.frames) == 0:
            raise SystemExit(f"{name}: track {track.name!r} has a constant or non-finite spectrogram")


def check_splits(all_splits: list[Split], name: str) -> None:
    """Check that every method can be trained on every split. Raises SystemExit with one line."""
    genres = {track.genre for split in all_splits for track in split.train + split.test}
    for split in all_splits:
        if missing := sorted(genres - {track.genre for track in split.train}):
            raise SystemExit(
                f"{name}: too few tracks or artists of genre {missing[0]!r}: {split.name} has no training track"
            )
        if not split.test:
            raise SystemExit(f"{name}: too few tracks or artists: {split.name} has no test track")
        if len(split.train) < NEIGHBOURS:
            raise SystemExit(
                f"{name}: too few tracks: {split.name} has {len(split.train)} training tracks, needs {NEIGHBOURS}"
            )
