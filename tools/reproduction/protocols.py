"""How the study divides the tracks: at random as the paper did, and in ways that hide less."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from training.data import Track, named_split, random_split
from training.head import FOLDS, folds

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


def check(tracks: list[Track], name: str) -> None:
    """Refuse data that would waste hours. Raises SystemExit with one line."""
    genres = sorted({track.genre for track in tracks})
    if len(genres) < 2:
        raise SystemExit(f"{name}: one genre only ({', '.join(genres)}); a study needs two or more")
    for split in CLEAN:
        if missing := sorted(set(genres) - {track.genre for track in tracks if track.split == split}):
            raise SystemExit(f"{name}: no track of genre {missing[0]!r} in split {split!r}")
    for track in tracks:
        if not np.isfinite(track.frames).all() or np.ptp(track.frames) == 0:
            raise SystemExit(f"{name}: track {track.name!r} is corrupt: its spectrogram holds nothing")
