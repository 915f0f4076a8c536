"""Measure how well a bundle's features learn own genres: the recipe of tools.train_and_export on random divisions.

    python -m tools.own_genres_study --base edge --audio emotify/ --per-genre 30 --divisions 20
    python -m tools.own_genres_study --base edge --audio gtzan/ --tracks gtzan/tracks.csv --split train valid

Each division learns from --per-genre random songs of each genre, or from about half of them, and is tested on the
others, with the int8 network. Songs of one artist (column artist_group of the table) or album (subfolder) are not
divided. The features are computed once.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from genre_edge.errors import GenreEdgeError
from tools.training import own_genres, report
from tools.training.embedding import Embedder
from tools.training.genre_folders import GenreFolders, Song


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="edge", metavar="BUNDLE", help="bundle whose features are used")
    parser.add_argument(
        "--audio", type=Path, required=True, help="a folder per genre; with --tracks, its audio's folder"
    )
    parser.add_argument("--tracks", type=Path, help="table of the tracks (.csv)")
    parser.add_argument("--split", nargs="+", default=["train", "valid"], help="splits of the table (train valid)")
    parser.add_argument("--per-genre", type=int, help="songs of each genre to learn from (default: half of them)")
    parser.add_argument("--divisions", type=int, default=10, help="number of random divisions (default: 10)")
    return parser.parse_args()


def find_songs(arguments: argparse.Namespace) -> GenreFolders:
    """Return the songs of the folders, or of the table's splits."""
    if not arguments.tracks:
        return GenreFolders.find(arguments.audio)
    return GenreFolders.of_table(arguments.audio, arguments.tracks, arguments.split)


def divide(songs: list[Song], per_genre: int | None, seed: int) -> tuple[list[Song], list[Song]]:
    """Return (songs to learn from, songs to test on): whole groups, until each genre has its number of songs.

    Raises:
        SystemExit: no song of a genre is left to test on.
    """
    rng = np.random.default_rng(seed)
    learnt: set[Path] = set()
    for genre in sorted({song.genre for song in songs}):
        groups: dict[str, list[Song]] = {}
        own = [song for song in songs if song.genre == genre]
        for song in own:
            groups.setdefault(song.group or str(song.file.path), []).append(song)
        wanted, n = per_genre or len(own) // 2, 0
        names = sorted(groups)
        for name in (names[i] for i in rng.permutation(len(names))):
            if n < wanted and n + len(groups[name]) < len(own) and n + len(groups[name]) / 2 <= wanted:
                learnt |= {song.file.path for song in groups[name]}
                n += len(groups[name])
        if n == 0 or n == len(own):
            raise SystemExit(f"genre {genre!r}: its {len(own)} songs cannot be divided")
    return [s for s in songs if s.file.path in learnt], [s for s in songs if s.file.path not in learnt]


def main() -> None:
    arguments = parse_arguments()
    folders, base = find_songs(arguments), Embedder(arguments.base)
    songs = folders.embed(arguments.base)
    for problem in folders.problems:
        print(f"skipped: {problem}", file=sys.stderr)
    labels = folders.genres
    accuracies, errors, recalls = [], [], []
    for seed in range(arguments.divisions):
        train, test = divide(songs, arguments.per_genre, seed)
        p, _ = own_genres.predict(train, test, labels, base, seed)
        true = own_genres.classes_of(test, labels)
        right = p.argmax(axis=1) == true
        accuracies.append(100 * float(right.mean()))
        recalls.append(100 * float(np.mean([right[true == k].mean() for k in np.unique(true)])))
        errors.append(report.calibration_error(p, true))
        print(f"division {seed}: {len(train)} songs, {len(test)} to test, {accuracies[-1]:.1f} %", file=sys.stderr)
    row = {
        "base": f"{base.bundle.name} {base.bundle.version}",
        "genres": len(labels),
        "learnt from": len(train),
        "tested on": len(test),
        "divisions": arguments.divisions,
        "accuracy": f"{np.mean(accuracies):.1f} %",
        "s.d.": f"{np.std(accuracies, ddof=1):.1f}" if len(accuracies) > 1 else "-",
        "min": f"{min(accuracies):.1f} %",
        "mean recall": f"{np.mean(recalls):.1f} %",
        "calibration error": f"{np.mean(errors):.3f}",
    }
    for cells in (row.keys(), ["---"] * len(row), row.values()):
        print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    try:
        main()
    except GenreEdgeError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")
