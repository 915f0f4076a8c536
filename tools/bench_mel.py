"""Benchmark the log-mel core against a plain FFT and against other libraries, all in one run.

python -m tools.bench_mel                              # all installed libraries, a few minutes
python -m tools.bench_mel --quick --only ours,r2c      # a rough estimate
python -m tools.bench_mel --json bench.json --chart bench.svg
python -m tools.bench_mel --write docs/mel.md          # write the tables between the page's bench markers

"Per frame" is the time of one call with a 30 s signal, divided by its number of frames; "per hop" is the time of one
frame of a stream. The implementations are timed in interleaved rounds, each in a single-threaded process of its own.
Figures are the best of all rounds, with the median in brackets; ratios compare best times, because disturbances only
add time. r2c is FFTW's real-to-complex transform of the same size and nothing else, planned with FFTW_ESTIMATE. One
call runs a thousand transforms in an FFTW plan, so that Python's overhead is not measured (tools/peers/fft.py). On one
x86-64 machine this gave 2 to 4 % more than the same loop in a C program, and as much as that C loop called from a
Python process that has imported numpy.
"""

import argparse
import importlib.metadata
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np

from genre_edge.diagnostics import environment
from tools.docs.pages import split_page
from tools.peers.benchmark import Effort, run_benchmark
from tools.peers.implementations import ENTRIES
from tools.peers.setups import Floats, Setup

SETUPS = {"A": Setup(22050, 2048, 512, 128), "B": Setup(16000, 512, 256, 96)}
THOROUGH = Effort(rounds=200, burst_seconds=2e-3, starts=2)
QUICK = Effort(rounds=5, burst_seconds=1e-3, starts=1)
COLUMNS = (
    "| µs per frame | to r2c | to ours | µs per hop | to r2c | to ours "
    "| max error, dB | start-up, ms | start-up, MB |\n"
)

Report = dict[str, Any]
Cells = tuple[float | None, ...]


def reference(setup: Setup) -> tuple[Floats, Floats]:
    """Return librosa's filterbank, `(n_mels, n_fft // 2 + 1)`, and its decibels of the signal computed in float64."""
    import librosa

    parameters: dict[str, Any] = {"sr": setup.sr, "n_fft": setup.n_fft, "n_mels": setup.n_mels}
    y = setup.signal().astype(np.float64)
    mel = librosa.feature.melspectrogram(y=y, hop_length=setup.hop_length, dtype=np.float64, **parameters)
    return librosa.filters.mel(**parameters), librosa.power_to_db(mel, amin=1e-10, top_db=None)


def measure(names: list[str], effort: Effort) -> Report:
    """Measure the implementations that are installed, with all setups."""
    installed = [name for name in names if importlib.util.find_spec(ENTRIES[name].module)]
    absent = dict.fromkeys(sorted(set(names) - set(installed)), "not installed")
    setups = {}
    for key, setup in SETUPS.items():
        figures, failed = run_benchmark(installed, setup, *reference(setup), effort)
        setups[key] = {"title": str(setup), "parameters": vars(setup), "contestants": figures}
        absent |= failed
    packages = {"numpy", "librosa", *(ENTRIES[name].package for name in installed)}
    return {
        "machine": environment.describe(),
        "versions": {package: importlib.metadata.version(package) for package in sorted(packages, key=str.lower)},
        "rounds": effort.rounds,
        "labels": {name: ENTRIES[name].label for name in names},
        "absent": absent,
        "setups": setups,
    }


def number(value: float | None) -> str:
    """Format with about three digits and without an exponent."""
    if value is None:
        return "–"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def row(figures: dict[str, Any]) -> str:
    """Return the table cells of one implementation."""
    cells = []
    for kind in ("frame", "hop"):
        us = figures.get(f"us_per_{kind}")
        cells.append(f"{number(us['best'])} ({number(us['median'])})" if us else "–")
        cells += [number(figures.get(f"{kind}_to_{other}")) for other in ("r2c", "ours")]
    difference = figures.get("max_db_difference")
    cells.append("–" if difference is None else f"{difference:.0e}" if difference < 0.1 else number(difference))
    return " | ".join([*cells, number(figures.get("start_ms")), number(figures.get("start_mb"))])


def tables(report: Report) -> str:
    """Return Markdown: one table per setup, fastest first, and a line about machine and versions."""
    text = ""
    for setup in report["setups"].values():
        ranked = sorted(setup["contestants"].items(), key=lambda item: item[1]["us_per_frame"]["best"])
        text += f"| {setup['title']} {COLUMNS}| --- |{' ---: |' * (COLUMNS.count('|') - 1)}\n"
        text += "".join(f"| {report['labels'][name]} | {row(figures)} |\n" for name, figures in ranked) + "\n"
    machine_info = report["machine"]
    versions = ", ".join(f"{package} {version}" for package, version in report["versions"].items())
    text += f"{machine_info['processor']}, {machine_info['lanes']} lanes, {machine_info['os']}; "
    text += f"Python {machine_info['python']}, {machine_info['fftw']}, {versions}.\n"
    text += f"Best of {report['rounds']} rounds (median), one thread each.\n"
    if report["absent"]:
        reasons = "; ".join(f"{report['labels'][name]} ({reason})" for name, reason in report["absent"].items())
        text += f"Not measured: {reasons}.\n"
    return text


def parse(markdown: str) -> dict[str, dict[str, Cells]]:
    """Parse tables: setup's title -> label -> figures. Medians in brackets are ignored; a dash is None."""
    parsed: dict[str, dict[str, Cells]] = {}
    rows: dict[str, Cells] = {}
    for line in markdown.splitlines():
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        if line.endswith(COLUMNS.strip()):
            rows = parsed.setdefault(name, {})
        elif line.startswith("|") and name != "---":
            rows[name] = tuple(None if cell == "–" else float(cell.split()[0]) for cell in cells)
    return parsed


def parse_names(text: str) -> list[str]:
    """Split a comma-separated list of implementations. Raises argparse.ArgumentTypeError."""
    names = text.split(",")
    if unknown := sorted(set(names) - set(ENTRIES)):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(ENTRIES)}")
    return names


def main() -> None:
    """Measure, print the tables and write the requested files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=parse_names, default=list(ENTRIES), metavar="NAMES", help=", ".join(ENTRIES))
    parser.add_argument("--quick", action="store_true", help="few rounds: rough figures, not for publication")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg", help="write a chart")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="write the tables into a page")
    arguments = parser.parse_args()
    if arguments.write:
        split_page(arguments.write, "bench")  # fails before the measurement
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
