"""Measure how long `genre-edge` takes from its start to its end, in new processes, relative to imports alone.

    python -m tools.startup --runs 20
    python -m tools.startup --python before/bin/python --python after/bin/python

Runs `classify` of 30 s of audio (a WAV of synthetic music), `--help` and `--version`. In turn with each runs the floor,
a process that only imports what the command cannot avoid: numpy, soundfile and typer, or typer. The table has medians
of the CPU times, and of the ratio of command and floor in each round; the same of the wall-clock times, which depend on
what else the machine does. Exit code 1 if a ratio of CPU times is above its limit.

`--python`, once for each environment, compares several in the same rounds, without PYTHONPATH. Install genre-edge there
with pip: an editable installation adds to each start. Bytecode is cached even if PYTHONDONTWRITEBYTECODE is set.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import soundfile

from genre_edge.diagnostics.synthetic_audio import music

AUDIO_IMPORTS, TYPER_IMPORT = "import numpy, soundfile, typer", "import typer"
SONG = "song.wav"


class Case(NamedTuple):
    """Arguments of `genre-edge`, the imports that they are compared with, and the limit of the ratio."""

    arguments: tuple[str, ...]
    imports: str
    limit: float


CASES = (
    Case(("classify", SONG), AUDIO_IMPORTS, 1.6),
    Case(("--help",), TYPER_IMPORT, 1.3),
    Case(("--version",), TYPER_IMPORT, 1.3),
)


class Usage(NamedTuple):
    """CPU time, user and system, and wall-clock time of a process, in seconds."""

    cpu_s: float
    wall_s: float


def run(python: str, arguments: tuple[str, ...], folder: Path) -> Usage:
    """Run Python in a folder and return its usage. Raises CalledProcessError if it fails."""
    dropped = {"PYTHONDONTWRITEBYTECODE"} | ({"PYTHONPATH"} if python != sys.executable else set())
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    environment["OPENBLAS_NUM_THREADS"] = "1"  # as genre-edge does: the floor must not depend on the number of cores
    before, start_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([python, *arguments], cwd=folder, env=environment, capture_output=True, check=True)
    wall_s, after = time.perf_counter() - start_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Usage(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall_s)


def measure(pythons: list[str], n_runs: int, folder: Path) -> dict[tuple[str, Case], list[tuple[Usage, Usage]]]:
    """Return pairs (command, floor) of each interpreter and case, one for each round. One more round warms up.

    Args:
        pythons: the interpreters, of environments in which genre-edge is installed.
        n_runs: number of rounds.
        folder: has the file SONG.
    """
    usages: dict[tuple[str, Case], list[tuple[Usage, Usage]]] = {}
    for i in range(n_runs + 1):
        for case in CASES:
            for python in pythons:
                floor = run(python, ("-c", case.imports), folder)
                command = run(python, ("-m", "genre_edge", *case.arguments), folder)
                if i > 0:
                    usages.setdefault((python, case), []).append((command, floor))
    return usages


def _row(python: str, case: Case, pairs: list[tuple[Usage, Usage]]) -> str:
    columns = [python, " ".join(case.arguments), case.imports]
    for field in ("cpu_s", "wall_s"):
        figures = [(getattr(command, field), getattr(floor, field)) for command, floor in pairs]
        columns += [f"{median(command for command, _ in figures):.3f}", f"{median(floor for _, floor in figures):.3f}"]
        columns += [f"{median(command / floor for command, floor in figures):.2f}"]
    return f"| {' | '.join(columns)} | {case.limit} |"


def main() -> None:
    """Measure, print the table and exit with code 1 if a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="number of rounds")
    parser.add_argument("--python", action="append", help="interpreter to measure (default: this one; repeatable)")
    parser.add_argument("--rate", type=int, default=22050, help="sampling rate of the audio")
    arguments = parser.parse_args()
    pythons = [str(Path(python).absolute()) for python in arguments.python or [sys.executable]]
    with tempfile.TemporaryDirectory() as folder:
        soundfile.write(Path(folder, SONG), music(30.0, arguments.rate), arguments.rate)
        try:
            usages = measure(pythons, arguments.runs, Path(folder))
        except subprocess.CalledProcessError as error:
            sys.exit(f"startup: {' '.join(error.cmd)} failed: {error.stderr.decode(errors='replace').strip()}")
    print("| Python | command | floor | CPU, s | floor, s | ratio | wall, s | floor, s | ratio | limit of CPU ratio |")
    print(f"|{' --- |' * 10}")
    for (python, case), pairs in usages.items():
        print(_row(python, case, pairs))
    if any(median(c.cpu_s / f.cpu_s for c, f in pairs) > case.limit for (_, case), pairs in usages.items()):
        sys.exit("startup: a limit is exceeded")


if __name__ == "__main__":
    main()
