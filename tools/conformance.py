"""The table of differences from librosa: mel power and decibels, on the shipped song and on noise.

python tools/conformance.py                     # print it
python tools/conformance.py --write README.md   # put it between the page's conformance markers
python tools/conformance.py --check README.md   # exit 1 if the page has other cases, or a figure is too large

Figures vary a little by processor, so a check compares the cases and the limits, not the digits.
"""

import argparse
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soundfile
from numpy.typing import NDArray

from genre_edge import MelConfig, MelSpectrogram
from genre_edge.files import write_atomically

SONG = Path(__file__).parents[1] / "demo" / "song.ogg"
BEGIN, END = "<!-- conformance:begin -->", "<!-- conformance:end -->"
HEAD = """| parameters | mel, relative: song / noise | dB: song / noise | dB, every band: song / noise |
| --- | --- | --- | --- |
"""

FLOOR_DB = -100.0
NEAR_DB = 50.0  # the figures count bands at most this far below the loudest band of their frame
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
Figures = tuple[float, ...]  # relative, dB, dB in every band
Measured = dict[str, tuple[Figures, Figures]]


def signals() -> tuple[Signal, Signal]:
    """The song, and ten seconds of noise."""
    song, _ = soundfile.read(SONG, dtype="float32")
    noise = np.random.default_rng(0).standard_normal(10 * 22050 + 1) * 0.3
    return song, noise.astype(np.float32)


def figures(parameters: dict[str, Any], y: Signal) -> Figures:
    """Largest differences: relative and in dB near the loudest band, and in dB in all bands above the floor."""
    mel_of = MelSpectrogram(MelConfig(**parameters))
    mel = librosa.feature.melspectrogram(y=y, **parameters)
    db = librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=None)
    reach = NEAR_DB if mel_of.config.power == 2 else NEAR_DB / 2  # 10 log10 of a magnitude is half its level
    above = db > FLOOR_DB
    near = above & (db >= db.max(axis=0) - reach)
    relative = np.abs(mel_of.mel(y) - mel)[near] / mel[near]
    apart = np.abs(mel_of.db(y) - db)
    return float(relative.max()), float(apart[near].max()), float(apart[above].max())


def measure() -> Measured:
    """Case -> its figures on the song and on noise."""
    song, noise = signals()
    names = [", ".join(f"{name}={value}" for name, value in case.items()) or "librosa's defaults" for case in CASES]
    return {name: (figures(case, song), figures(case, noise)) for name, case in zip(names, CASES, strict=True)}


def table(measured: Measured) -> str:
    """Markdown, one row per case."""
    rows = []
    for name, (song, noise) in measured.items():
        cells = [f"{a:.1e} / {b:.1e}" for a, b in zip(song, noise, strict=True)]
        rows.append(f"| {name} | {' | '.join(cells)} |\n")
    return HEAD + "".join(rows)


def parse(markdown: str) -> Measured:
    """The inverse of `table`, to its digits."""
    measured: Measured = {}
    for line in markdown.splitlines()[2:]:
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        song, noise = zip(*(map(float, cell.split("/")) for cell in cells), strict=True)
        measured[name] = song, noise
    return measured


def faults(page: Path) -> list[str]:
    """What is wrong with the table in `page`, or with today's figures."""
    today, written = measure(), parse(marked(page)[1])
    found = [] if list(written) == list(today) else [f"{page} has other cases than tools/conformance.py: make docs"]
    for origin, measured in ((str(page), written), ("today", today)):
        for name, (song, noise) in measured.items():
            relative, db, _ = np.maximum(song, noise)
            if not (relative <= LIMITS[0] and db <= LIMITS[1]):
                found.append(f"{origin}: {name}: {song} on the song, {noise} on noise; limits {LIMITS}")
    return found


def marked(page: Path) -> tuple[str, str, str]:
    """The page's text up to the table, the table, and the rest."""
    parts = re.fullmatch(rf"(.*{BEGIN}\n)(.*)({END}.*)", page.read_text(), flags=re.DOTALL)
    if parts is None:
        sys.exit(f"{page} has no lines {BEGIN} and {END}")
    return parts[1], parts[2], parts[3]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", type=Path, metavar="FILE")
    action.add_argument("--check", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    warnings.filterwarnings("error", ".*mel bands hold no FFT bin")  # a case with empty bands is no good example
    if arguments.write:
        before, _, after = marked(arguments.write)
        write_atomically(arguments.write, (before + table(measure()) + after).encode())
    elif arguments.check:
        found = faults(arguments.check)
        sys.exit("\n".join(found) or 0)
    else:
        print(table(measure()), end="")


if __name__ == "__main__":
    main()
