"""How fast the log-mel core is, beside the FFT that it competes with and beside its peers: all in one run, as ratios.

python -m tools.bench_mel                              # everybody who is installed, a few minutes
python -m tools.bench_mel --quick --only ours,r2c      # a first impression
python -m tools.bench_mel --json bench.json --chart bench.svg
python -m tools.bench_mel --write docs/mel.md          # put the tables between the page's bench markers

A frame is a 30 s signal in one call, divided by its frames; a hop is one frame of a stream, as it comes. Contestants
take turns in rounds, each in a process and on a thread of its own. Best of all rounds, the median in brackets; ratios
are of the best, because what disturbs a round only ever adds to it. r2c is FFTW's real-to-complex transform of the same
size and nothing else, planned with ESTIMATE. It is timed without Python: one call runs a thousand transforms of one
frame in FFTW's own loop (bench/fft.py). On an x86-64 that gave 2 to 4 % more than the same loop in a C program of
its own, and as much as that C loop called from a Python that has imported numpy.
"""

import argparse
import importlib.metadata
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np

from genre_edge.system import machine
from tools.docs.pages import split_page
from tools.peers.peers import ENTRIES
from tools.peers.race import Pace, race
from tools.peers.setups import Floats, Setup

SETUPS = {"A": Setup(22050, 2048, 512, 128), "B": Setup(16000, 512, 256, 96)}
THOROUGH, QUICK = Pace(rounds=200, burst_seconds=2e-3, starts=2), Pace(rounds=5, burst_seconds=1e-3, starts=1)
COLUMNS = "| µs per frame | to r2c | to ours | µs per hop | to r2c | to ours | dB off | start, ms | start, MB |\n"

Report = dict[str, Any]
Cells = tuple[float | None, ...]


def reference(setup: Setup) -> tuple[Floats, Floats]:
    """librosa's filterbank, and its decibels of the signal in float64."""
    import librosa

    parameters = {"sr": setup.sr, "n_fft": setup.n_fft, "n_mels": setup.n_mels}
    y = setup.signal().astype(np.float64)
    mel = librosa.feature.melspectrogram(y=y, hop_length=setup.hop_length, dtype=np.float64, **parameters)
    return librosa.filters.mel(**parameters), librosa.power_to_db(mel, amin=1e-10, top_db=None)


def measure(names: list[str], pace: Pace) -> Report:
    """All setups."""
    installed = [name for name in names if importlib.util.find_spec(ENTRIES[name].module)]
    absent = dict.fromkeys(sorted(set(names) - set(installed)), "not installed")
    setups = {}
    for key, setup in SETUPS.items():
        contestants, failed = race(installed, setup, *reference(setup), pace)
        setups[key] = {"title": str(setup), "parameters": vars(setup), "contestants": contestants}
        absent |= failed
    packages = {"numpy", "librosa", *(ENTRIES[name].package for name in installed)}
    return {
        "machine": machine.describe(),
        "versions": {package: importlib.metadata.version(package) for package in sorted(packages, key=str.lower)},
        "rounds": pace.rounds,
        "labels": {name: ENTRIES[name].label for name in names},
        "absent": absent,
        "setups": setups,
    }


def number(value: float | None) -> str:
    """Three digits or so, and no exponent."""
    if value is None:
        return "–"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def row(figures: dict[str, Any]) -> str:
    """The cells of one contestant."""
    cells = []
    for kind in ("frame", "hop"):
        us = figures.get(f"us_per_{kind}")
        cells.append(f"{number(us['best'])} ({number(us['median'])})" if us else "–")
        cells += [number(figures.get(f"{kind}_to_{other}")) for other in ("r2c", "ours")]
    difference = figures.get("max_db_difference")
    cells.append("–" if difference is None else f"{difference:.0e}" if difference < 0.1 else number(difference))
    return " | ".join([*cells, number(figures.get("start_ms")), number(figures.get("start_mb"))])


def tables(report: Report) -> str:
    """Markdown: a table for each setup, fastest first, and where the figures come from."""
    text = ""
    for setup in report["setups"].values():
        ranked = sorted(setup["contestants"].items(), key=lambda item: item[1]["us_per_frame"]["best"])
        text += f"| {setup['title']} {COLUMNS}| --- |{' ---: |' * (COLUMNS.count('|') - 1)}\n"
        text += "".join(f"| {report['labels'][name]} | {row(figures)} |\n" for name, figures in ranked) + "\n"
    of = report["machine"]
    versions = ", ".join(f"{package} {version}" for package, version in report["versions"].items())
    text += f"{of['processor']}, {of['lanes']} lanes, {of['os']}; Python {of['python']}, {of['fftw']}, {versions}.\n"
    text += f"Best of {report['rounds']} rounds (median), one thread each.\n"
    if report["absent"]:
        why = "; ".join(f"{report['labels'][name]} ({reason})" for name, reason in report["absent"].items())
        text += f"Not measured: {why}.\n"
    return text


def parse(markdown: str) -> dict[str, dict[str, Cells]]:
    """Setup's title -> label -> figures: what is in brackets is left out, and a dash is None."""
    found: dict[str, dict[str, Cells]] = {}
    rows: dict[str, Cells] = {}
    for line in markdown.splitlines():
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        if line.endswith(COLUMNS.strip()):
            rows = found.setdefault(name, {})
        elif line.startswith("|") and name != "---":
            rows[name] = tuple(None if cell == "–" else float(cell.split()[0]) for cell in cells)
    return found


def names_of(text: str) -> list[str]:
    """A comma-separated choice of contestants. Raises argparse.ArgumentTypeError."""
    names = text.split(",")
    if unknown := sorted(set(names) - set(ENTRIES)):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(ENTRIES)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=names_of, default=list(ENTRIES), metavar="NAMES", help=", ".join(ENTRIES))
    parser.add_argument("--quick", action="store_true", help="few rounds: no figures to quote")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg")
    parser.add_argument("--write", type=Path, metavar="FILE.md")
    arguments = parser.parse_args()
    if arguments.write:
        split_page(arguments.write, "bench")  # complains before minutes are spent
    report = measure(arguments.only, QUICK if arguments.quick else THOROUGH)
    print(tables(report), end="")

    from genre_edge.system.atomic_write import write_atomically

    if arguments.json:
        write_atomically(arguments.json, (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode())
    if arguments.chart:
        from tools.peers.chart import draw

        write_atomically(arguments.chart, draw(report))
    if arguments.write:
        before, _, after = split_page(arguments.write, "bench")
        write_atomically(arguments.write, (before + tables(report) + after).encode())


if __name__ == "__main__":
    main()
