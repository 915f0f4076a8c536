"""Measure differences from librosa: mel power and decibels of the shipped song and of noise, on every platform.

python -m tools.conformance                     # print the table
python -m tools.conformance --write docs/mel.md   # write it between the page's conformance markers
python -m tools.conformance --check docs/mel.md   # exit 1 if the page has other cases, or a figure exceeds its limit

A platform is a processor with a vector width. aarch64 is also measured on x86-64 if its C compiler (Debian packages
gcc-aarch64-linux-gnu, libc6-dev-arm64-cross) and qemu-user-static are installed. Figures vary a little by processor, so
--check compares the cases and the limits, not the digits.
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
from genre_edge.mel.spectrogram import ACCURATE_RANGE_DB
from genre_edge.system.atomic_write import write_atomically
from tools.docs.pages import split_page

ROOT = Path(__file__).parents[1]
SONG = ROOT / "demo" / "song.ogg"
CSRC = ROOT / "csrc"
CROSS, QEMU = "aarch64-linux-gnu-gcc", "qemu-aarch64-static"

FLOOR_DB = -100.0
LIMITS = (1e-4, 5e-4)  # relative difference, dB

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
Compute = Callable[[MelConfig, Signal, bool], Signal]  # config, samples, decibels or power -> (n_mels, n_frames)
Figures = tuple[float, float, float]  # relative, dB, dB over all bands
Measured = dict[str, dict[str, Figures | None]]  # case -> platform -> figures; None: cannot be measured


def signals() -> tuple[Signal, Signal]:
    """Return the song and ten seconds of noise, both mono at 22050 Hz."""
    song, _ = soundfile.read(SONG, dtype="float32")
    noise = np.random.default_rng(0).standard_normal(10 * 22050 + 1) * 0.3
    return song, noise.astype(np.float32)


def compute_native(lanes: int, config: MelConfig, y: Signal, decibel: bool) -> Signal:
    """Compute with this process's core and a vector width."""
    spectrogram = MelSpectrogram(config, lanes=lanes)
    return spectrogram.db(y) if decibel else spectrogram.mel(y)


def compute_emulated(command: list[str], config: MelConfig, y: Signal, decibel: bool) -> Signal:
    """Compute with csrc/test/mel_of_samples.c, compiled for another processor."""
    c = config
    win_length, top = c.n_fft if c.win_length is None else c.win_length, c.sr / 2 if c.fmax is None else c.fmax
    flags = [c.center, c.pad_mode == "reflect", c.power, c.n_mels, c.fmin, top, c.htk, c.norm == "slaney", decibel, 4]
    arguments = [c.sr, c.n_fft, c.hop_length, win_length, *flags]
    texts = [str(int(x) if isinstance(x, bool) else x) for x in arguments]
    done = subprocess.run([*command, *texts], input=y.tobytes(), stdout=subprocess.PIPE, check=True, timeout=300)
    return np.frombuffer(done.stdout, np.float32).reshape(-1, c.n_mels).T


def platforms(folder: Path) -> dict[str, Compute]:
    """Return the platforms that can be measured on this machine, widest vectors first."""
    computes: dict[str, Compute] = {}
    for lanes in (8, 4, 1):
        with contextlib.suppress(ParameterError):
            MelSpectrogram(lanes=lanes)
            computes[f"{platform.machine()}, {lanes} lanes"] = partial(compute_native, lanes)
    if platform.machine() == "x86_64" and shutil.which(CROSS) and shutil.which(QEMU):
        program = str(folder / "mel_of_samples")
        sources = [CSRC / "test" / "mel_of_samples.c", *CSRC.glob("*.c"), *CSRC.glob("kernels/*.c")]
        flags = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O3", "-ffp-contract=fast"]
        subprocess.run([CROSS, *flags, *map(str, sources), "-o", program, "-lm", "-ldl", "-lpthread"], check=True)
        computes["aarch64, 4 lanes"] = partial(compute_emulated, [QEMU, "-L", "/usr/aarch64-linux-gnu", program])
    return computes


def figures(compute: Compute, config: MelConfig, y: Signal, mel: Signal) -> Figures:
    """Return the largest differences: relative and in dB near the loudest band, and in dB in all bands above the floor.

    Args:
        compute: the platform.
        config: spectrogram parameters.
        y: samples.
        mel: librosa's mel power, `(n_mels, n_frames)`.
    """
    db = librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None)
    # 10 log10 of a magnitude is half its level.
    range_db = ACCURATE_RANGE_DB if config.power == 2 else ACCURATE_RANGE_DB / 2
    above = db > FLOOR_DB
    near = above & (db >= db.max(axis=0) - range_db)
    relative = np.abs(compute(config, y, False) - mel)[near] / mel[near]
    difference = np.abs(compute(config, y, True) - db)
    return float(relative.max()), float(difference[near].max()), float(difference[above].max())


def measure_case(case: dict[str, Any], computes: dict[str, Compute]) -> dict[str, Figures | None]:
    """Return the largest figures over both signals, by platform."""
    config = MelConfig(**case)
    result: dict[str, Figures | None] = dict.fromkeys(computes, (0.0, 0.0, 0.0))
    for y in signals():
        mel = librosa.feature.melspectrogram(y=y, **case)
        for name, compute in computes.items():
            if config.n_fft % 2 and compute.func is compute_emulated:  # type: ignore[attr-defined]
                result[name] = None  # odd sizes need FFTW, which the cross compiler's libraries lack
            elif (so_far := result[name]) is not None:
                result[name] = tuple(map(max, so_far, figures(compute, config, y, mel)))  # type: ignore[assignment]
    return result


def measure() -> Measured:
    """Measure all cases on all platforms."""
    names = [", ".join(f"{name}={value}" for name, value in case.items()) or "librosa's defaults" for case in CASES]
    with tempfile.TemporaryDirectory() as folder:
        computes = platforms(Path(folder))
        return {name: measure_case(case, computes) for name, case in zip(names, CASES, strict=True)}


def table(measured: Measured) -> str:
    """Return Markdown: relative difference / dB by case and platform, and dB over all bands on the first platform."""
    first, *others = next(iter(measured.values()))
    lines = [
        f"| parameters | {' | '.join([first, *others])} | all bands, dB |",
        "| --- |" + " --- |" * (len(others) + 2),
    ]
    for name, by_platform in measured.items():
        cells = [
            f"{figures[0]:.1e} / {figures[1]:.1e}" if figures else "needs FFTW" for figures in by_platform.values()
        ]
        widest = by_platform[first]
        assert widest is not None
        lines.append(f"| {name} | {' | '.join(cells)} | {widest[2]:.1e} |")
    return "\n".join(lines) + "\n"


def parse(markdown: str) -> dict[str, list[tuple[float, float]]]:
    """Parse a table: case -> (relative, dB) of each platform."""
    parsed = {}
    for line in markdown.splitlines()[2:]:
        name, *cells, _ = (cell.strip() for cell in line.strip("|").split("|"))
        pairs = [cell.split("/") for cell in cells if "/" in cell]
        parsed[name] = [(float(relative), float(db)) for relative, db in pairs]
    return parsed


def violations(page: Path) -> list[str]:
    """Return one message per figure above its limit, in the page or measured now, and one for other cases."""
    measured, written = parse(table(measure())), parse(split_page(page, "conformance")[1])
    messages = []
    if list(written) != list(measured):
        messages.append(f"{page} has other cases than tools/conformance.py: run make docs")
    for origin, cases in ((str(page), written), ("measured now", measured)):
        for name, pairs in cases.items():
            for relative, db in pairs:
                if not (relative <= LIMITS[0] and db <= LIMITS[1]):
                    messages.append(f"{origin}: {name}: {relative} relative, {db} dB; limits {LIMITS}")
    return messages


def main() -> None:
    """Measure, then print, write or check the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", type=Path, metavar="FILE", help="write the table into a page")
    action.add_argument("--check", type=Path, metavar="FILE", help="check the table in a page and the limits")
    arguments = parser.parse_args()
    warnings.filterwarnings("error", ".*mel bands hold no FFT bin")  # no case may have empty bands
    if arguments.write:
        before, _, after = split_page(arguments.write, "conformance")
        write_atomically(arguments.write, (before + table(measure()) + after).encode())
    elif arguments.check:
        sys.exit("\n".join(violations(arguments.check)) or 0)
    else:
        print(table(measure()), end="")


if __name__ == "__main__":
    main()
