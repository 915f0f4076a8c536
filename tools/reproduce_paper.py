"""Reproduce the paper's study: its CNN, other methods, its figures and stricter splits. Writes docs/reproduction.md.

    python -m tools.reproduce_paper --mels mel.npz --tracks tracks.csv --songs my_music/

An interrupted run resumes with the same command: results are cached in --out. --quick is a rehearsal of some minutes
with one seed and few epochs; its cache and, by default, its page are in a folder of their own.
"""

import argparse
import hashlib
import os
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
from tools.docs import commands
from tools.paper import analysis, audio_selection, charts, document, figures, intervals, networks, results
from tools.paper.imitation import song, style, synthesis
from tools.paper.methods import METHODS, Method
from tools.paper.protocols import CLEAN, TEST_SHARE, Split, check, check_splits, check_table, splits
from tools.paper.study import Resolution, Study
from tools.training import data, float_network
from tools.training.architectures import ARCHITECTURES, PAPER_SCHEDULE

ROOT = Path(__file__).parents[1]
SONG = ROOT / "demo" / "song.ogg"
OUT, REHEARSAL = Path("runs/reproduction"), "rehearsal"
SEEDS, CURVE_EPOCHS, IMITATION_STEPS, IMITATION_S = 5, 60, 400, 31.0
LONG_SPLITS = ("random-0", "filtered-0")  # splits on which the paper's network is trained for CURVE_EPOCHS
RESOLUTIONS = ("paper", "paper660")
QUICK_EPOCHS, QUICK_STEPS = 2, 5


def parse_arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mels", type=Path, required=True, help="mel archive (.npz)")
    parser.add_argument("--tracks", type=Path, required=True, help="the archive's tracks.csv")
    parser.add_argument(
        "--audio", type=Path, help="one folder per genre: compare 387 and 660 frames on tracks that are long enough"
    )
    parser.add_argument("--songs", type=Path, help="one folder per genre: imitate the first usable song of each")
    parser.add_argument("--out", type=Path, help=f"cache of results (default: {OUT})")
    parser.add_argument("--write", type=Path, help="page to write (default: docs/reproduction.md)")
    parser.add_argument(
        "--quick", action="store_true", help=f"rehearsal with one seed and few epochs, in OUT/{REHEARSAL}"
    )
    return parser.parse_args()


class Program:
    """Runs the study with progress on stderr.

    The constructor checks all input before hours of training.

    Attributes:
        labels: genres, sorted.
        page: page to write.
        progress: progress bar.

    Raises:
        SystemExit: the archive, the table or the audio cannot be used.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        paths = [value for value in vars(arguments).values() if isinstance(value, Path)]
        self._command, self._quick = commands.public_command("reproduce_paper", paths), arguments.quick
        self._seeds = 1 if self._quick else SEEDS
        check_table(arguments.tracks)
        self._tracks = data.load_archive(arguments.mels, arguments.tracks)
        check(self._tracks, str(arguments.tracks))
        self.labels = sorted({track.genre for track in self._tracks})
        self._splits = list(splits(self._tracks, self._seeds))
        check_splits(self._splits, str(arguments.tracks))
        self._bundle = Bundle.load(bundle_path("edge"))
        self._songs = audio_selection.first_songs(arguments.songs, self.labels, self._bundle) if arguments.songs else []
        self._audio = (
            audio_selection.long_tracks(arguments.audio, RESOLUTIONS, self.labels, self._tracks)
            if arguments.audio
            else {}
        )
        self._methods = [*METHODS, *networks.networks(QUICK_EPOCHS if self._quick else None)]
        self._published = min(PAPER_SCHEDULE.epochs, QUICK_EPOCHS if self._quick else CURVE_EPOCHS)
        self._imitator: imitate.Imitator | None = None
        self._out, self.page = output_paths(arguments)
        self._cache = results.ResultCache(self._out)
        self._data = results.fingerprint(self._tracks)
        jobs = len(self._methods) * len(self._splits) + len(self._songs) + self._seeds * len(self._audio)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.progress = Progress(*columns, console=Console(stderr=True))
        self._task = self.progress.add_task("", total=jobs)

    def _show(self, activity: str) -> None:
        self.progress.update(self._task, description=activity)
        if not self.progress.console.is_terminal:
            print(activity, file=sys.stderr, flush=True)

    def study(self) -> Study:
        """Compute all results, or read them from the cache."""
        cnn = self._methods[-1].name
        curves: dict[str, networks.Curves] = {}
        by_method = {
            method.name: self._results(method, curves if method.name == cnn else None) for method in self._methods
        }
        random_splits = [split for split in self._splits if split.protocol == "random"]
        return Study(
            command=self._command,
            rehearsal=self._quick,
            counts=dict(Counter(track.split for track in self._tracks).most_common()),
            shape=self._tracks[0].frames.shape,
            labels=self.labels,
            methods=self._methods,
            results=by_method,
            cnn=cnn,
            dropout=networks.paper_dropout(),
            curves=curves,
            published_epochs=self._published,
            faults=dict(Counter(track.genre for track in self._tracks if track.split not in CLEAN)),
            correlation=analysis.correlation(self._tracks, self.labels),
            leaks=analysis.leaks(zip(random_splits, by_method[cnn]["random"], strict=True)),
            resolution=self._resolution() if self._audio else None,
            training_data=self._bundle.data,
            imitations=[self._imitation(path) for path in self._songs],
        )

    def _results(self, method: Method, curves: dict[str, networks.Curves] | None) -> dict[str, list[results.Result]]:
        """Return a method's results by protocol. With `curves`, train longer on LONG_SPLITS and add their curves."""
        by_protocol: dict[str, list[results.Result]] = {}
        for split in self._splits:
            self._show(f"{method.name}: {split.name}")
            if curves is not None and split.name in LONG_SPLITS:
                epochs = 2 * QUICK_EPOCHS if self._quick else CURVE_EPOCHS
                result, curves[split.protocol] = results.measure_long(
                    self._cache, self._data, method, split, self._published, epochs
                )
            else:
                result = results.measure(self._cache, self._data, method, split)
            by_protocol.setdefault(split.protocol, []).append(result)
            self.progress.advance(self._task)
        return by_protocol

    def _resolution(self) -> Resolution:
        by_network: dict[str, list[results.Result]] = {}
        for name, tracks in self._audio.items():
            architecture = ARCHITECTURES[name]
            method = networks.paper(architecture, QUICK_EPOCHS if self._quick else PAPER_SCHEDULE.epochs)
            data_hash = results.fingerprint(tracks)
            for seed in range(self._seeds):
                split = Split("audio", seed, *data.random_split(tracks, TEST_SHARE, seed))
                self._show(f"{method.name}: {split.name}")
                by_network.setdefault(method.name, []).append(results.measure(self._cache, data_hash, method, split))
                self.progress.advance(self._task)
        return Resolution(len(tracks), audio_selection.MIN_S, audio_selection.LIMIT_HZ, by_network)

    def _imitation(self, path: Path) -> dict[str, Any]:
        genre = path.parent.name
        self._show(f"imitating {path.name}")
        steps = QUICK_STEPS if self._quick else IMITATION_STEPS
        code = results.code_hash(imitate, song, synthesis, style, float_network)
        identity = [code, steps, hashlib.sha256(path.read_bytes()).hexdigest(), self._bundle.sha256]

        def compute() -> dict[str, Any]:
            self._imitator = self._imitator or imitate.Imitator()
            output = self._out / f"imitation.{genre}.wav"
            return asdict(self._imitator.imitate(path, output, IMITATION_S, steps, 0, quiet=True))

        imitation: dict[str, Any] = self._cache.get(f"imitation.{genre}", identity, compute)
        split = next((t.split for t in self._tracks if (t.genre, t.name) == (genre, path.stem)), "")
        self.progress.advance(self._task)
        return {"folder": genre, "split": split, **imitation}

    def draw(self, study: Study, folder: Path) -> None:
        """Write all figures as SVG."""
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


def output_paths(arguments: argparse.Namespace) -> tuple[Path, Path]:
    """Return the cache folder and the page. A rehearsal writes to other paths than the full study."""
    out: Path = (arguments.out or OUT) / (REHEARSAL if arguments.quick else "")
    return out, arguments.write or (out if arguments.quick else ROOT / "docs") / "reproduction.md"


def run(arguments: argparse.Namespace) -> None:
    """Run the study, draw the figures and write the page."""
    program = Program(arguments)
    folder = program.page.parent / "reproduction"
    folder.mkdir(parents=True, exist_ok=True)
    with program.progress:
        study = program.study()
    program.draw(study, folder)
    write_atomically(program.page, document.text(study).encode())
    print(program.page)


def main() -> None:
    """Parse the command line and run the study. Errors end the program with one line and exit code 1."""
    try:
        run(parse_arguments())
    except (GenreEdgeError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: run the same command again to resume")


if __name__ == "__main__":
    main()
