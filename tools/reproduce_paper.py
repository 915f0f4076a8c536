"""The paper's study, again: its CNN, its rivals, its figures, and what its split hides -> docs/reproduction.md.

    python tools/reproduce_paper.py --mels mel.npz --tracks tracks.csv --songs my_music/

Interrupt it when you like: the same command goes on where it stopped (answers are kept in --out). --quick is a
rehearsal in minutes: one seed and few epochs.
"""

import argparse
import hashlib
import os
import shlex
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import soundfile
from imitate import Imitator
from reproduction import analysis, charts, document, figures, results
from reproduction.methods import METHODS
from reproduction.networks import PAPER, networks, paper, paper_curves
from reproduction.protocols import CLEAN, TEST_SHARE, Split, check, splits
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from training import data
from training.architectures import ARCHITECTURES

from genre_edge.errors import GenreEdgeError
from genre_edge.files import write_atomically
from genre_edge.model import Model

ROOT = Path(__file__).parents[1]
SONG = ROOT / "demo" / "song.ogg"
SEEDS, CURVE_EPOCHS, IMITATION_STEPS, IMITATION_S = 5, 60, 400, 10.0
RESOLUTIONS = ("paper", "paper660")
QUICK_EPOCHS, QUICK_STEPS = 2, 20
LONG_S = 29.0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mels", type=Path, required=True, help="mel archive (.npz)")
    parser.add_argument("--tracks", type=Path, required=True, help="the archive's tracks.csv")
    parser.add_argument("--audio", type=Path, help="a folder a genre: 387 against 660 frames, on what is long enough")
    parser.add_argument("--songs", type=Path, help="a folder a genre: the first song of each is imitated")
    parser.add_argument("--out", type=Path, default=Path("runs/reproduction"), help="where answers are kept")
    parser.add_argument("--write", type=Path, default=ROOT / "docs" / "reproduction.md", help="the page")
    parser.add_argument("--quick", action="store_true", help="a rehearsal: one seed, few epochs")
    return parser.parse_args()


class Program:
    """Asks everything that the page tells, in the order of its cost, showing progress on stderr."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments, self._quick = arguments, arguments.quick
        self._seeds = 1 if self._quick else SEEDS
        self._tracks = data.load_archive(arguments.mels, arguments.tracks)
        check(self._tracks, str(arguments.tracks))
        self.labels = sorted({track.genre for track in self._tracks})
        self._songs = _first_songs(arguments.songs, self.labels) if arguments.songs else []
        self._audio = {
            name: _long_tracks(arguments.audio, name, self.labels) for name in RESOLUTIONS if arguments.audio
        }
        self._splits = list(splits(self._tracks, self._seeds))
        self._methods = [*METHODS, *networks(QUICK_EPOCHS if self._quick else None)]
        self._imitator: Imitator | None = None
        self._kept = results.Kept(arguments.out)
        self._data = results.fingerprint(self._tracks)
        jobs = len(self._methods) * len(self._splits) + 2 + len(self._songs) + self._seeds * len(self._audio)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.progress = Progress(*columns, console=Console(stderr=True))
        self._task = self.progress.add_task("", total=jobs)

    def _doing(self, what: str) -> None:
        self.progress.update(self._task, description=what)
        if not self.progress.console.is_terminal:
            print(what, file=sys.stderr, flush=True)

    def study(self) -> document.Study:
        found: dict[str, dict[str, list[results.Result]]] = {}
        for method in self._methods:
            for split in self._splits:
                self._doing(f"{method.name}: {split.name}")
                result = results.measure(self._kept, self._data, method, split)
                found.setdefault(method.name, {}).setdefault(split.protocol, []).append(result)
                self.progress.advance(self._task)
        cnn = self._methods[-1].name
        at_random = [split for split in self._splits if split.protocol == "random"]
        return document.Study(
            command=_public_command(),
            counts=dict(Counter(track.split for track in self._tracks).most_common()),
            labels=self.labels,
            methods=self._methods,
            results=found,
            cnn=cnn,
            curves=self._curves(),
            published_epochs=min(PAPER.schedule.epochs, QUICK_EPOCHS if self._quick else PAPER.schedule.epochs),
            faults=dict(Counter(track.genre for track in self._tracks if track.split not in CLEAN)),
            correlation=analysis.correlation(self._tracks, self.labels),
            leaks=analysis.leaks(zip(at_random, found[cnn]["random"], strict=True)),
            resolution=self._resolution() if self._audio else None,
            imitations=[self._imitation(song) for song in self._songs],
        )

    def _curves(self) -> dict[str, dict[str, list[float]]]:
        epochs = 2 * QUICK_EPOCHS if self._quick else CURVE_EPOCHS
        curves = {}
        for protocol in ("random", "filtered"):
            split = next(split for split in self._splits if split.protocol == protocol)
            self._doing(f"curves of {epochs} epochs: {protocol}")
            identity = [self._data, epochs, [track.name for track in split.train]]
            curves[protocol] = self._kept.get(
                f"curves.{protocol}", identity, lambda split=split: paper_curves(split, epochs)
            )
            self.progress.advance(self._task)
        return curves

    def _resolution(self) -> dict[str, Any]:
        rows = {}
        for name, tracks in self._audio.items():
            architecture = ARCHITECTURES[name]
            method = paper(architecture, QUICK_EPOCHS if self._quick else architecture.schedule.epochs)
            mark, accuracies = results.fingerprint(tracks), []
            for seed in range(self._seeds):
                split = Split("audio", seed, *data.random_split(tracks, TEST_SHARE, seed))
                self._doing(f"{method.name}: {split.name}")
                accuracies.append(results.measure(self._kept, mark, method, split).accuracy)
                self.progress.advance(self._task)
            spread = float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else 0.0
            rows[method.name] = (float(np.mean(accuracies)), spread)
        return {"tracks": len(tracks), "splits": self._seeds, "rows": rows}

    def _imitation(self, song: Path) -> dict[str, Any]:
        self._doing(f"imitating {song.name}")
        steps = QUICK_STEPS if self._quick else IMITATION_STEPS
        identity = [steps, hashlib.sha256(song.read_bytes()).hexdigest(), Model("edge").bundle.sha256]

        def ask() -> dict[str, Any]:
            self._imitator = self._imitator or Imitator()
            output = self._arguments.out / f"imitation.{song.parent.name}.wav"
            found = self._imitator.imitate(song, output, IMITATION_S, steps, 0, quiet=True)
            return {"folder": song.parent.name, **asdict(found)}

        answer: dict[str, Any] = self._kept.get(f"imitation.{song.parent.name}", identity, ask)
        self.progress.advance(self._task)
        return answer

    def draw(self, study: document.Study, folder: Path) -> None:
        """All figures, SVG."""
        y, rate = soundfile.read(SONG, dtype="float32")
        figures.waveform(y, rate, folder / "waveform.svg")
        figures.spectrum(y, rate, folder / "spectrum.svg")
        figures.cepstrum(y, data.ARCHIVE_MEL, folder / "mfcc.svg")
        figures.genres(self._tracks, self.labels, folder / "genres.svg")
        figures.correlation(study.correlation, self.labels, folder / "correlation.svg")
        charts.curves(study.curves, study.published_epochs, folder / "curves.svg")
        tables = {p: analysis.confusion(study.results[study.cnn][p], self.labels) for p in ("random", "filtered")}
        charts.confusion(tables, self.labels, folder / "confusion.svg")
        rows = {name: {p: results.summary(r) for p, r in row.items()} for name, row in study.results.items()}
        charts.methods(rows, folder / "methods.svg")


def _first_songs(folder: Path, labels: list[str]) -> list[Path]:
    """The first song of each genre that lasts long enough. Raises SystemExit where a genre has none."""
    songs = []
    for genre in labels:
        files = (path for path, name in data.audio_files(folder) if name == genre and _lasts(path))
        song = next(files, None)
        if song is None:
            raise SystemExit(f"{folder}: no song of {LONG_S:g} s or more in a folder {genre!r}")
        songs.append(song)
    return songs


def _lasts(path: Path) -> bool:
    try:
        return float(soundfile.info(str(path)).duration) >= LONG_S
    except soundfile.LibsndfileError:
        return False


def _long_tracks(folder: Path, architecture: str, labels: list[str]) -> list[data.Track]:
    """Tracks of 29 s or more; each genre must have some."""
    mel = ARCHITECTURES[architecture].mel
    least = LONG_S * mel.sr / mel.hop_length
    tracks = [track for track in data.load_audio(folder, mel) if track.frames.shape[1] >= least]
    for genre in labels:
        if sum(track.genre == genre for track in tracks) < 2:
            raise SystemExit(f"{folder}: fewer than two readable tracks of {LONG_S:g} s in a folder {genre!r}")
    return [track for track in tracks if track.genre in labels]


def _public_command() -> str:
    """The command without its maker's directories."""
    words = [Path(word).name if os.sep in word else word for word in sys.argv[1:]]
    return shlex.join(["python", "tools/reproduce_paper.py", *words])


def main() -> None:
    arguments = parse_arguments()
    program = Program(arguments)
    with program.progress:
        study = program.study()
    folder = arguments.write.parent / "reproduction"
    folder.mkdir(parents=True, exist_ok=True)
    program.draw(study, folder)
    write_atomically(arguments.write, document.text(study).encode())
    print(arguments.write)


if __name__ == "__main__":
    try:
        main()
    except (GenreEdgeError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on where it stopped")
