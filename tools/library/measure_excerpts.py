"""Compare verdicts from excerpts with those from whole files, and the processor time that they take.

    python -m tools.library.measure_excerpts MUSIC_DIR... --songs 240

Songs of `--least-s` to `--most-s` seconds that can be excerpted count. Prints a table for docs/library.md.
"""

import argparse
import json
import logging
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from genre_edge import Classifier
from genre_edge.audio.excerpts import ExcerptFile
from genre_edge.audio.suffixes import is_audio_name
from genre_edge.classify.verdict import Verdict
from genre_edge.errors import AudioError

COVERAGES = (0.25, 0.35, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class Answer:
    """Verdict on a song at a coverage: its genre, the most probable one, seconds of audio, of processor time."""

    genre: str | None
    best: str | None
    classified_s: float
    time_s: float


Song = dict[float, Answer]


def measure(classifier: Classifier, path: Path, coverages: tuple[float, ...]) -> Song:
    """Return the answers for a song at each coverage; 1 is the whole file.

    Raises:
        AudioError: the song cannot be read.
    """
    return {coverage: _answer(classifier, path, coverage) for coverage in (1.0, *coverages)}


def _answer(classifier: Classifier, path: Path, coverage: float) -> Answer:
    start_s = time.process_time()
    verdict: Verdict = classifier.classify(path, coverage=coverage)
    time_s = time.process_time() - start_s
    best = verdict.genres[0].genre if verdict.genres else None
    return Answer(verdict.genre, best, verdict.decoded_s or 0.0, time_s)


def table(songs: list[Song]) -> str:
    """Return a Markdown table with a row for each coverage."""
    lines = [
        "| `--coverage` | classified, s a song | times as fast | same verdict | same best genre | another genre |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for coverage in sorted(coverage for coverage in songs[0] if coverage < 1):
        pairs = [(song[1.0], song[coverage]) for song in songs]
        named = [(whole, part) for whole, part in pairs if whole.genre is not None]
        classified_s = sum(part.classified_s for _, part in pairs) / len(pairs)
        speed = sum(whole.time_s for whole, _ in pairs) / sum(part.time_s for _, part in pairs)
        same = _percent(sum(whole.genre == part.genre for whole, part in pairs), len(pairs))
        best = _percent(sum(whole.best == part.best for whole, part in named), len(named))
        other = _percent(sum(part.genre not in (None, whole.genre) for whole, part in named), len(named))
        lines.append(f"| {coverage:g} | {classified_s:.0f} | {speed:.1f} | {same} | {best} | {other} |")
    return "\n".join(lines)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(1, whole):.1f} %"


def choose(folders: list[Path], least_s: float, most_s: float, seed: int) -> list[Path]:
    """Return the songs in folders that can be excerpted and have such a length, in random order."""
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if is_audio_name(path.name)]
    random.Random(seed).shuffle(paths)
    return [path for path in paths if least_s <= _length_s(path) <= most_s]


def _length_s(path: Path) -> float:
    try:
        file = ExcerptFile.open(path)
    except AudioError:
        return 0.0
    if file is None:
        return 0.0
    with file:
        return file.length_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--songs", type=int, default=240, help="maximum number of songs")
    parser.add_argument("--least-s", type=float, default=150)
    parser.add_argument("--most-s", type=float, default=420)
    parser.add_argument("--model", default="edge")
    parser.add_argument("--out", type=Path, help="JSON file for the answers")
    arguments = parser.parse_args()
    logging.getLogger("genre_edge").setLevel(logging.ERROR)
    classifier = Classifier(arguments.model)
    songs = []
    for path in choose(arguments.folders, arguments.least_s, arguments.most_s, seed=0)[: arguments.songs]:
        try:
            songs.append(measure(classifier, path, COVERAGES))
        except AudioError:
            continue
        if arguments.out:
            rows = [{str(c): asdict(answer) for c, answer in song.items()} for song in songs]
            arguments.out.write_text(json.dumps(rows))
    if not songs:
        parser.error("no song of that length can be excerpted")
    n_named = sum(song[1.0].genre is not None for song in songs)
    print(f"{len(songs)} songs, the whole file names a genre for {n_named}\n\n{table(songs)}")


if __name__ == "__main__":
    main()
