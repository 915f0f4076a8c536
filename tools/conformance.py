"""The table of differences from librosa: mel power and decibels, on the shipped song and on noise, on every path.

python -m tools.conformance                     # print it
python -m tools.conformance --write docs/mel.md   # put it between the page's conformance markers
python -m tools.conformance --check docs/mel.md   # exit 1 if the page has other cases, or a figure is too large

A path is a processor and a width of its vectors. aarch64 is measured on x86-64 too, where its C compiler
(Debian: gcc-aarch64-linux-gnu, libc6-dev-arm64-cross) and qemu-user-static are installed.
Figures vary a little by processor, so a check compares the cases and the limits, not the digits.
"""

import argparse
import contextlib
import platform
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soundfile
from numpy.typing import NDArray

from genre_edge import MelConfig, MelSpectrogram, ParameterError
from genre_edge.system.atomic_write import write_atomically
from tools.docs.pages import split_page

ROOT = Path(__file__).parents[1]
SONG = ROOT / "demo" / "song.ogg"
CSRC = ROOT / "csrc"
CROSS, QEMU = "aarch64-linux-gnu-gcc", "qemu-aarch64-static"

FLOOR_DB = -100.0
ACCURATE_RANGE_DB = 50.0  # the figures count bands at most this far below the loudest band of their frame
LIMITS = (1e-4, 5e-4)  # of the relative difference and of the decibels

CASES: list[dict[str, Any]] = [
    {},
    {"sr": 16000, "n_fft": 400, "hop_length": 160, "n_mels": 40},
    {"sr": 16000, "n_fft": 512, "hop_length": 160, "win_length": 400, "n_mels": 80, "fmin": 20, "fmax": 7600},
    {"sr": 44100, "n_fft": 2048, "hop_length": 441, "n_mels": 64},
    {"sr": 48000, "n_fft": 4096, "hop_length": 1024, "n_mels": 256},
    {"n_fft": 256, "hop_length": 64, "n_mels": 20},
    {"n_fft": 1023, "hop_length": 300, "n_mels": 64},
    {"hop_length": 4096},
    {"power": 1},
    {"htk": True, "norm": None},
    {"center": False},
    {"pad_mode": "reflect"},
]

Signal = NDArray[np.float32]
Compute = Callable[[MelConfig, Signal, bool], Signal]  # config, y, decibel -> (n_mels, n_frames)
Figures = tuple[float, float, float]  # relative, dB, dB in every band
Measured = dict[str, dict[str, Figures | None]]  # case -> path -> its figures; None: cannot be measured there


def signals() -> tuple[Signal, Signal]:
    """The song, and ten seconds of noise."""
    song, _ = soundfile.read(SONG, dtype="float32")
    noise = np.random.default_rng(0).standard_normal(10 * 22050 + 1) * 0.3
    return song, noise.astype(np.float32)


def computed_here(lanes: int, config: MelConfig, y: Signal, decibel: bool) -> Signal:
    mel_of = MelSpectrogram(config, lanes=lanes)
    return mel_of.db(y) if decibel else mel_of.mel(y)


def computed_by(command: list[str], config: MelConfig, y: Signal, decibel: bool) -> Signal:
    """By csrc/test/mel_of_samples.c on another processor."""
    c = config
    win_length, top = c.n_fft if c.win_length is None else c.win_length, c.sr / 2 if c.fmax is None else c.fmax
    flags = [c.center, c.pad_mode == "reflect", c.power, c.n_mels, c.fmin, top, c.htk, c.norm == "slaney", decibel, 4]
    arguments = [c.sr, c.n_fft, c.hop_length, win_length, *flags]
    texts = [str(int(x) if isinstance(x, bool) else x) for x in arguments]
    done = subprocess.run([*command, *texts], input=y.tobytes(), stdout=subprocess.PIPE, check=True, timeout=300)
    return np.frombuffer(done.stdout, np.float32).reshape(-1, c.n_mels).T


def paths(folder: Path) -> dict[str, Compute]:
    """What can be measured here. The first is the widest."""
    found: dict[str, Compute] = {}
    for lanes in (8, 4, 1):
        with contextlib.suppress(ParameterError):
            MelSpectrogram(lanes=lanes)
            found[f"{platform.machine()}, {lanes} lanes"] = partial(computed_here, lanes)
    if platform.machine() == "x86_64" and shutil.which(CROSS) and shutil.which(QEMU):
        program = str(folder / "mel_of_samples")
        sources = [CSRC / "test" / "mel_of_samples.c", *CSRC.glob("*.c"), *CSRC.glob("kernels/*.c")]
        flags = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O3", "-ffp-contract=fast"]
        subprocess.run([CROSS, *flags, *map(str, sources), "-o", program, "-lm", "-ldl", "-lpthread"], check=True)
        found["aarch64, 4 lanes"] = partial(computed_by, [QEMU, "-L", "/usr/aarch64-linux-gnu", program])
    return found


def figures(compute: Compute, config: MelConfig, y: Signal, mel: Signal) -> Figures:
    """Largest differences: relative and in dB near the loudest band, and in dB in all bands above the floor."""
    db = librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None)
    reach = (
        ACCURATE_RANGE_DB if config.power == 2 else ACCURATE_RANGE_DB / 2
    )  # 10 log10 of a magnitude is half its level
    above = db > FLOOR_DB
    near = above & (db >= db.max(axis=0) - reach)
    relative = np.abs(compute(config, y, False) - mel)[near] / mel[near]
    apart = np.abs(compute(config, y, True) - db)
    return float(relative.max()), float(apart[near].max()), float(apart[above].max())


def measure_case(case: dict[str, Any], ways: dict[str, Compute]) -> dict[str, Figures | None]:
    config, found = MelConfig(**case), dict.fromkeys(ways, (0.0, 0.0, 0.0))
    result: dict[str, Figures | None] = dict(found)
    for y in signals():
        mel = librosa.feature.melspectrogram(y=y, **case)
        for name, compute in ways.items():
            if config.n_fft % 2 and compute.func is computed_by:  # type: ignore[attr-defined]
                result[name] = None  # an odd size is FFTW's, which the other processor's root lacks
            elif (so_far := result[name]) is not None:
                result[name] = tuple(map(max, so_far, figures(compute, config, y, mel)))  # type: ignore[assignment]
    return result


def measure() -> Measured:
    """Each case on each path: the larger of the song's figures and the noise's."""
    names = [", ".join(f"{name}={value}" for name, value in case.items()) or "librosa's defaults" for case in CASES]
    with tempfile.TemporaryDirectory() as folder:
        ways = paths(Path(folder))
        return {name: measure_case(case, ways) for name, case in zip(names, CASES, strict=True)}


def table(measured: Measured) -> str:
    """Markdown, one row per case: relative difference / dB, and dB in every band on the first path."""
    first, *others = next(iter(measured.values()))
    lines = [
        f"| parameters | {' | '.join([first, *others])} | every band, dB |",
        "| --- |" + " --- |" * (len(others) + 2),
    ]
    for name, by_path in measured.items():
        cells = [f"{figures[0]:.1e} / {figures[1]:.1e}" if figures else "FFTW's" for figures in by_path.values()]
        widest = by_path[first]
        assert widest is not None
        lines.append(f"| {name} | {' | '.join(cells)} | {widest[2]:.1e} |")
    return "\n".join(lines) + "\n"


def parse(markdown: str) -> dict[str, list[tuple[float, float]]]:
    """Case -> (relative, dB) of each path in a table."""
    found = {}
    for line in markdown.splitlines()[2:]:
        name, *cells, _ = (cell.strip() for cell in line.strip("|").split("|"))
        pairs = [cell.split("/") for cell in cells if "/" in cell]
        found[name] = [(float(relative), float(db)) for relative, db in pairs]
    return found


def faults(page: Path) -> list[str]:
    """What is wrong with the table in `page`, or with today's figures."""
    measured, written = parse(table(measure())), parse(split_page(page, "conformance")[1])
    found = [] if list(written) == list(measured) else [f"{page} has other cases than tools/conformance.py: make docs"]
    for origin, cases in ((str(page), written), ("today", measured)):
        for name, pairs in cases.items():
            for relative, db in pairs:
                if not (relative <= LIMITS[0] and db <= LIMITS[1]):
                    found.append(f"{origin}: {name}: {relative} relative, {db} dB; limits {LIMITS}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", type=Path, metavar="FILE")
    action.add_argument("--check", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    warnings.filterwarnings("error", ".*mel bands hold no FFT bin")  # a case with empty bands is no good example
    if arguments.write:
        before, _, after = split_page(arguments.write, "conformance")
        write_atomically(arguments.write, (before + table(measure()) + after).encode())
    elif arguments.check:
        found = faults(arguments.check)
        sys.exit("\n".join(found) or 0)
    else:
        print(table(measure()), end="")


if __name__ == "__main__":
    main()
