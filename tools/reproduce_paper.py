"""The paper's study, again: its CNN, its rivals, its figures, and what its split hides -> docs/reproduction.md.

    python -m tools.reproduce_paper --mels mel.npz --tracks tracks.csv --songs my_music/

Interrupt it when you like: the same command goes on where it stopped (answers are kept in --out). --quick is a
rehearsal in minutes, one seed and few epochs; it keeps its answers, and by default its page, in a folder of its own.
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

import soundfile
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from genre_edge.errors import GenreEdgeError
from genre_edge.model.bundle import Bundle, bundle_path
from genre_edge.system.atomic_write import write_atomically
from tools import imitate
from tools.paper import analysis, charts, document, figures, intervals, material, networks, results
from tools.paper.imitation import song, sound, style
from tools.paper.methods import METHODS, Method
from tools.paper.protocols import CLEAN, TEST_SHARE, Split, check, check_splits, check_table, splits
from tools.paper.study import Resolution, Study
from tools.training import data, float_network
from tools.training.architectures import ARCHITECTURES

ROOT = Path(__file__).parents[1]
SONG = ROOT / "demo" / "song.ogg"
OUT, REHEARSAL = Path("runs/reproduction"), "rehearsal"
SEEDS, CURVE_EPOCHS, IMITATION_STEPS, IMITATION_S = 5, 60, 400, 10.0
CURVED = ("random-0", "filtered-0")  # splits on which the paper's network is trained beyond its end
RESOLUTIONS = ("paper", "paper660")
QUICK_EPOCHS, QUICK_STEPS = 2, 5


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mels", type=Path, required=True, help="mel archive (.npz)")
    parser.add_argument("--tracks", type=Path, required=True, help="the archive's tracks.csv")
    parser.add_argument("--audio", type=Path, help="a folder a genre: 387 against 660 frames, on what is long enough")
    parser.add_argument("--songs", type=Path, help="a folder a genre: the first song of each is imitated")
    parser.add_argument("--out", type=Path, help=f"where answers are kept (default: {OUT})")
    parser.add_argument("--write", type=Path, help="the page (default: docs/reproduction.md)")
    parser.add_argument("--quick", action="store_true", help=f"a rehearsal: one seed, few epochs, in OUT/{REHEARSAL}")
    return parser.parse_args()


class Program:
    """Asks everything that the page tells, showing progress on stderr."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._command, self._quick = public_command(arguments), arguments.quick
        self._seeds = 1 if self._quick else SEEDS
        check_table(arguments.tracks)
        self._tracks = data.load_archive(arguments.mels, arguments.tracks)
        check(self._tracks, str(arguments.tracks))
        self.labels = sorted({track.genre for track in self._tracks})
        self._splits = list(splits(self._tracks, self._seeds))
        check_splits(self._splits, str(arguments.tracks))
        self._judge = Bundle.load(bundle_path("edge"))
        self._songs = material.first_songs(arguments.songs, self.labels, self._judge) if arguments.songs else []
        self._audio = (
            material.long_tracks(arguments.audio, RESOLUTIONS, self.labels, self._tracks) if arguments.audio else {}
        )
        self._methods = [*METHODS, *networks.networks(QUICK_EPOCHS if self._quick else None)]
        self._published = min(networks.PAPER.schedule.epochs, QUICK_EPOCHS if self._quick else CURVE_EPOCHS)
        self._imitator: imitate.Imitator | None = None
        self._out, self.page = places(arguments)
        self._kept = results.Kept(self._out)
        self._data = results.fingerprint(self._tracks)
        jobs = len(self._methods) * len(self._splits) + len(self._songs) + self._seeds * len(self._audio)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.progress = Progress(*columns, console=Console(stderr=True))
        self._task = self.progress.add_task("", total=jobs)

    def _doing(self, what: str) -> None:
        self.progress.update(self._task, description=what)
        if not self.progress.console.is_terminal:
            print(what, file=sys.stderr, flush=True)

    def study(self) -> Study:
        cnn = self._methods[-1].name
        curves: dict[str, networks.Curves] = {}
        found = {method.name: self._results(method, curves if method.name == cnn else None) for method in self._methods}
        at_random = [split for split in self._splits if split.protocol == "random"]
        return Study(
            command=self._command,
            rehearsal=self._quick,
            counts=dict(Counter(track.split for track in self._tracks).most_common()),
            shape=self._tracks[0].frames.shape,
            labels=self.labels,
            methods=self._methods,
            results=found,
            cnn=cnn,
            dropout=networks.paper_dropout(),
            curves=curves,
            published_epochs=self._published,
            faults=dict(Counter(track.genre for track in self._tracks if track.split not in CLEAN)),
            correlation=analysis.correlation(self._tracks, self.labels),
            leaks=analysis.leaks(zip(at_random, found[cnn]["random"], strict=True)),
            resolution=self._resolution() if self._audio else None,
            judge=self._judge.data,
            imitations=[self._imitation(path) for path in self._songs],
        )

    def _results(self, method: Method, curves: dict[str, networks.Curves] | None) -> dict[str, list[results.Result]]:
        """Of each protocol. With `curves`, the network of some splits is trained on, and its curves are put there."""
        found: dict[str, list[results.Result]] = {}
        for split in self._splits:
            self._doing(f"{method.name}: {split.name}")
            if curves is not None and split.name in CURVED:
                epochs = 2 * QUICK_EPOCHS if self._quick else CURVE_EPOCHS
                result, curves[split.protocol] = results.measure_long(
                    self._kept, self._data, method, split, self._published, epochs
                )
            else:
                result = results.measure(self._kept, self._data, method, split)
            found.setdefault(split.protocol, []).append(result)
            self.progress.advance(self._task)
        return found

    def _resolution(self) -> Resolution:
        found: dict[str, list[results.Result]] = {}
        for name, tracks in self._audio.items():
            architecture = ARCHITECTURES[name]
            method = networks.paper(architecture, QUICK_EPOCHS if self._quick else architecture.schedule.epochs)
            mark = results.fingerprint(tracks)
            for seed in range(self._seeds):
                split = Split("audio", seed, *data.random_split(tracks, TEST_SHARE, seed))
                self._doing(f"{method.name}: {split.name}")
                found.setdefault(method.name, []).append(results.measure(self._kept, mark, method, split))
                self.progress.advance(self._task)
        return Resolution(len(tracks), material.LEAST_S, material.LIMIT_HZ, found)

    def _imitation(self, path: Path) -> dict[str, Any]:
        genre = path.parent.name
        self._doing(f"imitating {path.name}")
        steps = QUICK_STEPS if self._quick else IMITATION_STEPS
        code = results.origin(imitate, song, sound, style, float_network)
        identity = [code, steps, hashlib.sha256(path.read_bytes()).hexdigest(), self._judge.sha256]

        def ask() -> dict[str, Any]:
            self._imitator = self._imitator or imitate.Imitator()
            output = self._out / f"imitation.{genre}.wav"
            return asdict(self._imitator.imitate(path, output, IMITATION_S, steps, 0, quiet=True))

        answer: dict[str, Any] = self._kept.get(f"imitation.{genre}", identity, ask)
        split = next((t.split for t in self._tracks if (t.genre, t.name) == (genre, path.stem)), "")
        self.progress.advance(self._task)
        return {"folder": genre, "split": split, **answer}

    def draw(self, study: Study, folder: Path) -> None:
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
        rows = {name: {p: intervals.summary(r) for p, r in row.items()} for name, row in study.results.items()}
        charts.methods(rows, folder / "methods.svg")


def places(arguments: argparse.Namespace) -> tuple[Path, Path]:
    """Where answers are kept, and the page. A rehearsal touches nothing of the whole study."""
    out: Path = (arguments.out or OUT) / (REHEARSAL if arguments.quick else "")
    return out, arguments.write or (out if arguments.quick else ROOT / "docs") / "reproduction.md"


def public_command(arguments: argparse.Namespace) -> str:
    """The command without its maker's directories."""
    words = ["python", "tools/reproduce_paper.py"]
    for name, value in vars(arguments).items():
        if isinstance(value, Path):
            words += [f"--{name}", value.resolve().name]
        elif value:
            words.append(f"--{name}")
    return shlex.join(words)


def main() -> None:
    program = Program(parse_arguments())
    folder = program.page.parent / "reproduction"
    folder.mkdir(parents=True, exist_ok=True)
    with program.progress:
        study = program.study()
    program.draw(study, folder)
    write_atomically(program.page, document.text(study).encode())
    print(program.page)


if __name__ == "__main__":
    try:
        main()
    except (GenreEdgeError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on where it stopped")
