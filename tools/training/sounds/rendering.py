"""Render music that is stored as notes: MIDI, ABC, tracker modules, and projects of LMMS and Hydrogen."""

import os
import subprocess
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr

from genre_edge.audio.suffixes import is_audio_name

RATE = 32000  # of rendered audio, mono
MAX_LENGTH_S = 240.0
TIMEOUT_S = 900
ARCHIVES = {".pk3", ".zip"}
MODULES = {".mod", ".xm", ".it", ".s3m", ".wv"}  # ffmpeg decodes them; .wv is WavPack, which libsndfile lacks
CHARTS = {"notes.mid"}  # of Frets on Fire: keys to press, no music
PROGRAMS = {".mid": "fluidsynth", **dict.fromkeys(MODULES, "ffmpeg"), ".mmpz": "lmms", ".h2song": "h2cli"}

Samples = np.ndarray


def unpack_archives(folder: Path) -> None:
    """Replace each zip archive below a folder by a folder with the audio and the notes that it holds."""
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in ARCHIVES):
        with zipfile.ZipFile(path) as archive:
            wanted = [n for n in archive.namelist() if is_audio_name(Path(n)) or Path(n).suffix.lower() in PROGRAMS]
            archive.extractall(path.with_suffix(""), wanted)
        path.unlink()


def render_all(folder: Path, soundfonts: Sequence[Path]) -> None:
    """Render all notes below a folder to FLAC files beside them; damaged files are skipped.

    Each MIDI file gets one of the sound fonts, chosen by its name.
    """
    notes = (p for p in folder.rglob("*") if p.suffix.lower() in PROGRAMS and p.name not in CHARTS and p.is_file())
    for path in sorted(notes):
        font = soundfonts[zlib.crc32(path.name.encode()) % len(soundfonts)] if soundfonts else None
        try:
            write_flac(render(path, font), path.with_name(f"{path.name}.flac"))
        except (subprocess.SubprocessError, soundfile.SoundFileError, ValueError):
            continue


def render(path: Path, soundfont: Path | None) -> Samples:
    """Return the mono samples at RATE of a file of notes.

    Raises:
        subprocess.SubprocessError: the program failed or took longer than TIMEOUT_S.
        soundfile.SoundFileError: the program wrote no audio.
    """
    with tempfile.TemporaryDirectory() as scratch:
        wav = Path(scratch) / "rendered.wav"
        subprocess.run(
            COMMANDS[PROGRAMS[path.suffix.lower()]](path, wav, soundfont),
            capture_output=True,
            check=True,
            timeout=TIMEOUT_S,
            env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        )
        y, rate = soundfile.read(wav, dtype="float32", always_2d=True, frames=int(MAX_LENGTH_S * 48000))
    mono: Samples = soxr.resample(y.mean(axis=1), rate, RATE)[: int(MAX_LENGTH_S * RATE)]
    return mono


def _fluidsynth(path: Path, wav: Path, soundfont: Path | None) -> list[str | Path]:
    options = ["-niq", "-o", "synth.dynamic-sample-loading=1", "-g", "0.5", "-r", str(RATE), "-F"]
    return ["fluidsynth", *options, wav, str(soundfont), path]


# Program -> its command line for the notes, the WAV file to write and the sound font
COMMANDS: dict[str, Callable[[Path, Path, Path | None], list[str | Path]]] = {
    "fluidsynth": _fluidsynth,
    "ffmpeg": lambda path, wav, _: ["ffmpeg", "-v", "error", "-i", path, "-t", str(MAX_LENGTH_S), wav],
    "lmms": lambda path, wav, _: ["lmms", "--allowroot", "render", path, "-f", "wav", "-o", wav],
    "h2cli": lambda path, wav, _: ["h2cli", "-s", path, "-o", wav],
}


def write_flac(y: Samples, path: Path) -> None:
    """Write samples at RATE, normalised to a peak of 0.7, without the silence at their end.

    Raises:
        ValueError: the samples are silent.
    """
    audible = np.flatnonzero(np.abs(y) > 1e-3)
    if not len(audible):
        raise ValueError(f"{path.name}: silent")
    y = y[: audible[-1] + 1]
    soundfile.write(path, 0.7 * y / np.abs(y).max(), RATE)
