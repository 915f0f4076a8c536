"""Fuzz the command line with mutated audio files of many formats, and with playlists named as audio.

    python -m tools.fuzz_files --n 10000 --seed 0
    python -m tools.fuzz_files --n 2000 --without-ffmpeg
    python -m tools.fuzz_files --only 1234 --seed 0 --keep build/fuzz     # one file of a corpus again

Classifies the files in batches, `genre-edge classify DIR --format jsonl --jobs 1`, and those of a batch that fails one
by one. A file fails if the program crashes, runs longer than --limit seconds, uses more than --memory MB (itself or a
child process), leaves a child process, opens a file or an address that a playlist names, or writes anything but one
result of tests/data/verdict.schema.json, or one message and exit code 1. Files that fail are saved with their recipe.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os import fsdecode
from pathlib import Path

from genre_edge.audio.suffixes import is_audio_name
from tools.audio_corpus import check_run
from tools.audio_corpus.command_line import CLASSIFY, LIMIT_MB, program_environment
from tools.audio_corpus.corpus import Corpus, FuzzFile, encode_bases
from tools.audio_corpus.formats import FORMATS
from tools.audio_corpus.run_program import Run, run
from tools.audio_corpus.traps import Canary

BATCH_S_PER_FILE = 3.0  # time limit of a batch beyond that of a file, per file


@dataclass(frozen=True)
class Failure:
    """A file that fails, what is wrong with it, and how it was made."""

    file: FuzzFile
    faults: list[str]


@dataclass
class Report:
    """What a batch or all batches gave: numbers of files and results, peaks in MB and seconds, failures."""

    n_files: int = 0
    n_results: int = 0
    memory_mb: float = 0.0
    children_mb: float = 0.0
    slowest_s: float = 0.0
    recipes: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        """Add the report of another batch."""
        self.n_files += other.n_files
        self.n_results += other.n_results
        self.memory_mb = max(self.memory_mb, other.memory_mb)
        self.children_mb = max(self.children_mb, other.children_mb)
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.recipes.update(other.recipes)
        self.failures += other.failures

    def measure(self, run: Run) -> None:
        """Add the resources of a run."""
        self.memory_mb = max(self.memory_mb, run.memory_mb)
        self.children_mb = max(self.children_mb, run.children_mb)


@dataclass(frozen=True)
class Fuzzer:
    """Runs a program over batches of files.

    Attributes:
        corpus: makes the files.
        neighbour: content of the canary's file.
        program: the command, without the files.
        limit_s: time limit of one file in seconds.
        limit_mb: memory limit in MB.
        environment: environment of the program.
    """

    corpus: Corpus
    neighbour: bytes
    program: list[str]
    limit_s: float
    limit_mb: float
    environment: dict[str, str]

    def examine(self, indices: list[int]) -> Report:
        """Classify the files with these numbers, and those of a batch that fails one by one."""
        report = Report(len(indices))
        with tempfile.TemporaryDirectory() as name, Canary(Path(name), self.neighbour) as canary:
            folder = Path(name)
            files = [self.corpus.file(index, folder, canary.url) for index in indices]
            report.recipes.update(file.recipe.partition(":")[0] for file in files)
            limit_s = self.limit_s + BATCH_S_PER_FILE * len(files)
            done, faults = self._run(files, folder, canary, limit_s)
            report.measure(done)
            report.n_results, report.slowest_s = len(done.out.splitlines()), done.seconds / len(files)
            if faults:
                report.failures += self._examine_each(files, folder, canary, report) or [Failure(files[0], faults)]
        return report

    def _examine_each(self, files: list[FuzzFile], folder: Path, canary: Canary, report: Report) -> list[Failure]:
        found = []
        for file in files:
            done, faults = self._run([file], folder, canary, self.limit_s)
            report.measure(done)
            report.slowest_s = max(report.slowest_s, done.seconds)
            if faults:
                found.append(Failure(file, faults))
        return found

    def _run(self, files: list[FuzzFile], folder: Path, canary: Canary, limit_s: float) -> tuple[Run, list[str]]:
        """Write files to the folder, run the program over it, and delete them; return what happened and the faults."""
        paths = [folder / fsdecode(file.name) for file in files]
        for path, file in zip(paths, files, strict=True):
            path.write_bytes(file.content)
        others = [str(path) for path in paths if not is_audio_name(path)]  # not read as part of the folder
        target = [str(folder)] if len(others) < len(paths) else []
        done = run([*self.program, *target, *others], limit_s, self.environment)
        faults = check_run.faults(done, [file.index for file in files], limit_s, self.limit_mb)
        if opened := canary.touched():
            faults.append(opened)
        for path in paths:
            path.unlink()
        return done, faults


def save(failure: Failure, seed: int, folder: Path) -> None:
    """Save a file that fails, and append its recipe and faults to failures.jsonl."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{seed}-{fsdecode(failure.file.name)}").write_bytes(failure.file.content)
    entry = {"seed": seed, "index": failure.file.index, "recipe": failure.file.recipe, "faults": failure.faults}
    with (folder / "failures.jsonl").open("a") as file:
        file.write(json.dumps(entry) + "\n")


def summary(report: Report) -> list[str]:
    """Return the report in sentences."""
    kinds = Counter(fault.partition(":")[0] for failure in report.failures for fault in failure.faults)
    return [
        f"{report.n_files} files of {len(report.recipes)} formats and playlists: {report.n_results} results, "
        f"{len(report.failures)} failures",
        f"peak memory {report.memory_mb:.0f} MB, of a child process {report.children_mb:.0f} MB; "
        f"slowest file {report.slowest_s:.1f} s",
        *(f"{n} x {kind}" for kind, n in kinds.most_common()),
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1000, help="number of files")
    parser.add_argument("--seed", type=int, default=0, help="seed of the corpus")
    parser.add_argument("--start", type=int, default=0, help="number of the first file")
    parser.add_argument("--only", type=int, help="number of the only file")
    parser.add_argument("--batch", type=int, default=40, help="files per process")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--limit", type=float, default=60.0, help="time limit of one file in seconds")
    parser.add_argument("--memory", type=float, default=LIMIT_MB, help="memory limit in MB")
    parser.add_argument("--without-ffmpeg", action="store_true", help="run the program where ffmpeg is not installed")
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz_files"), help="folder for files that fail")
    return parser.parse_args()


def main() -> None:
    """Fuzz, save what fails and print the summary. Exit code 1 if a file fails."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        bases = encode_bases(Path(folder))
    environment = program_environment(not arguments.without_ffmpeg)
    neighbour = next(content for format, content in bases.items() if format.suffix in (".ts", ".wav"))
    corpus = Corpus(arguments.seed, bases)
    fuzzer = Fuzzer(corpus, neighbour, CLASSIFY, arguments.limit, arguments.memory, environment)
    print(f"{len(bases)} of {len(FORMATS)} formats have an encoder here")
    start, n = (arguments.start, arguments.n) if arguments.only is None else (arguments.only, 1)
    batches = [list(range(at, min(at + arguments.batch, start + n))) for at in range(start, start + n, arguments.batch)]
    total = Report()
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for report in pool.map(fuzzer.examine, batches):
            total.add(report)
            for failure in report.failures:
                save(failure, arguments.seed, arguments.keep)
                print(f"{failure.file.index:06d} ({failure.file.recipe}): {'; '.join(failure.faults)}", flush=True)
    print(*summary(total), sep="\n")
    sys.exit(1 if total.failures else 0)


if __name__ == "__main__":
    main()
