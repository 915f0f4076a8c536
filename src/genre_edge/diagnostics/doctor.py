"""The checks of `genre-edge doctor`, one function for each line of its report.

Each check imports the component that it tests, so that a missing or broken component fails its own check only.
"""

import platform
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from genre_edge.errors import AudioError, GenreEdgeError
from genre_edge.system.packages import install_command

State = Literal["ok", "warn", "bad"]

REINSTALL = "run: pip install --force-reinstall --no-deps genre-edge"
SIMD_NAMES = {1: "none", 4: "SSE2 or NEON", 8: "AVX2"}  # by lanes
LOW_MEMORY_MB, MIN_MEMORY_MB = 150, 80
SLOW, TOO_SLOW = 3, 1  # times real time
_SPEED_SECONDS, _SPEED_RATE, _SPEED_BURSTS = 10, 44100, 3
_FFMPEG_TIMEOUT_S = 20  # the first start reads the program from a slow SD card


@dataclass(frozen=True)
class Finding:
    """Result of a check.

    Args:
        state: "ok"; "warn" if something optional is missing or slow; "bad" if it does not work.
        value: the result, or the error message.
        advice: how to fix it; None if the state is "ok".
        measured: the number in `value`, if there is one.
    """

    state: State
    value: str
    advice: str | None = None
    measured: float | None = None


Check = Callable[[], Finding]


def examine(model: str) -> Iterator[tuple[str, Finding]]:
    """Run all checks, and yield the name and finding of each as soon as it is done.

    Args:
        model: a bundle's name or directory.
    """
    checks: dict[str, Check] = {
        "system": system,
        "simd": simd,
        "fftw": partial(fftw, model),
        "runtime": runtime,
        "model": partial(bundle, model),
        "mel": mel,
        "network": partial(network, model),
        "soundfile": soundfile,
        "ffmpeg": ffmpeg,
        "devices": devices,
        "memory": memory,
        "speed": partial(speed, model),
    }
    reported: dict[str, str] = {}  # error -> the first check that reported it
    for name, check in checks.items():
        finding = run_check(check)
        first = reported.setdefault(finding.value, name) if finding.state == "bad" else name
        yield name, finding if first == name else replace(finding, advice=f"see {first}")


def run_check(check: Check) -> Finding:
    """Run one check. An exception becomes a "bad" finding."""
    try:
        return check()
    except GenreEdgeError as error:
        return Finding("bad", str(error), REINSTALL)
    except Exception as error:  # a broken component may raise anything
        return Finding("bad", f"{type(error).__name__}: {' '.join(str(error).split())}", REINSTALL)


def system() -> Finding:
    """Report versions, operating system and processor."""
    from importlib.metadata import version

    from genre_edge.system import machine

    versions = [f"genre-edge {version('genre-edge')}", f"Python {platform.python_version()}"]
    return Finding("ok", ", ".join([*versions, machine.operating_system(), machine.processor()]))


def simd() -> Finding:
    """Report the SIMD vectors that the core uses."""
    from genre_edge.mel.spectrogram import MelSpectrogram

    lanes = MelSpectrogram().lanes
    value = f"vectors of {lanes} floats ({SIMD_NAMES.get(lanes, 'unknown')})"
    if lanes > 1:
        return Finding("ok", value, measured=lanes)
    return Finding("warn", value, "spectrograms are slow: use a 64-bit system if the processor supports one", lanes)


def fftw(model: str) -> Finding:
    """Report the version and origin of FFTW; without FFTW, whether this model needs it."""
    from genre_edge.mel import _logmel
    from genre_edge.mel import fftw as loader
    from genre_edge.model.bundle import Bundle, bundle_path

    try:
        origin = loader.ensure_loaded()
    except GenreEdgeError as error:
        n_fft = Bundle.load(bundle_path(model)).mel.n_fft
        if _logmel.needs_fftw(n_fft):
            return Finding("bad", f"{error}; {model} needs it for n_fft = {n_fft}", "pip install pyfftw")
        return Finding("warn", "not found; only unusual FFT lengths need it", "pip install pyfftw")
    origin_name = {"system": "the system's", None: "of unknown origin"}.get(origin, "pyFFTW's")
    return Finding("ok", f"{_logmel.fftw_version()}, {origin_name}")


def runtime() -> Finding:
    """Report the name and version of the TensorFlow Lite runtime."""
    from genre_edge.model import interpreter

    try:
        return Finding("ok", " ".join(interpreter.runtime()))
    except GenreEdgeError as error:
        value, _, advice = str(error).partition(": pip install ")
        return Finding("bad", value, f"pip install {advice}" if advice else "install another version of ai-edge-litert")


def bundle(model: str) -> Finding:
    """Load and verify the model bundle."""
    from genre_edge.errors import ModelError
    from genre_edge.model.bundle import installed
    from genre_edge.model.prediction import Model

    try:
        loaded = Model(model).bundle
    except ModelError as error:
        return Finding("bad", str(error), REINSTALL if model in installed() else "copy or export this bundle again")
    return Finding("ok", f"{loaded.name} {loaded.version}, SHA-256 {loaded.sha256[:16]}... verified")


def mel() -> Finding:
    """Compare spectrograms, MFCC and resampled audio with golden numbers. Without FFTW, skip those that need it."""
    from genre_edge.diagnostics import golden
    from genre_edge.mel import fftw as loader

    has_fftw = False
    with suppress(GenreEdgeError):  # the check "fftw" reports it
        loader.ensure_loaded()
        has_fftw = True
    advice = f"spectrograms are wrong on this machine: {REINSTALL} - if that does not help, report it"
    difference = golden.resampler_difference()
    if not difference <= golden.SAMPLE_LIMIT:
        value = f"resampled audio differs by {difference:.0e} from the golden samples (limit {golden.SAMPLE_LIMIT:.0e})"
        return Finding("bad", value, advice)
    keys = [key for key in golden.CONFIGS if has_fftw or not golden.needs_fftw(key)]
    difference = max(map(golden.mel_difference, keys))
    value = f"differs by {difference:.0e} dB from the golden spectrograms (limit {golden.DB_LIMIT:.0e} dB)"
    if difference <= golden.DB_LIMIT:
        return Finding("ok", value, measured=difference)
    return Finding("bad", value, advice, difference)


def network(model: str) -> Finding:
    """Compare the network's output with golden numbers."""
    from genre_edge.diagnostics import golden
    from genre_edge.model.prediction import Model

    steps, reference = golden.logits_difference(Model(model))
    value = f"differs by {steps} int8 steps from {reference} (limit {golden.STEP_LIMIT})"
    if steps <= golden.STEP_LIMIT:
        return Finding("ok", value, measured=steps)
    advice = "the TensorFlow Lite runtime is wrong on this machine: install another version, and report it"
    return Finding("bad", value, advice, steps)


def soundfile() -> Finding:
    """Report the decoder's version, and whether it supports mp3."""
    import soundfile as library

    value = f"soundfile {library.__version__}, libsndfile {library.__libsndfile_version__}"
    if "MP3" in library.available_formats():
        return Finding("ok", value)
    return Finding("warn", f"{value} cannot decode mp3", "install libsndfile 1.1: pip install --upgrade soundfile")


def ffmpeg() -> Finding:
    """Find ffmpeg, start it, and report its version."""
    from genre_edge.audio.ffmpeg.process import ffmpeg_program

    advice = install_command("ffmpeg")
    try:
        program = ffmpeg_program("m4a, aac, radios")
        command = [program, "-nostdin", "-version"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_FFMPEG_TIMEOUT_S)
    except AudioError:
        return Finding("warn", "not found; m4a, aac and internet radio need it", advice)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("warn", f"{program} cannot be started: {error}", advice)
    match = re.match(rb"ffmpeg version (\S+)", done.stdout)
    if done.returncode != 0 or not match:
        return Finding("warn", f"{program} does not report its version", advice)
    return Finding("ok", f"{match[1].decode(errors='replace')}, {program}")


def devices() -> Finding:
    """List the capture devices."""
    from genre_edge.audio import microphone

    try:
        inputs = microphone.devices()
    except AudioError as error:
        advice = f"for microphones only: {install_command('libportaudio2')}; pip install 'genre-edge[live]'"
        return Finding("warn", str(error), advice)
    if not inputs:
        advice = "connect a microphone or sound card, or use `genre-edge stream` with a URL or a pipe"
        return Finding("warn", "no capture device", advice, 0)
    names = ", ".join(f"{device.number} {device.name}" for device in inputs)
    return Finding("ok", f"{len(inputs)}: {names}", measured=len(inputs))


def memory() -> Finding:
    """Report the free memory."""
    from genre_edge.system import machine

    free = machine.free_memory_mb()
    if free is None:
        return Finding("ok", "not reported by this system")
    if free >= LOW_MEMORY_MB:
        return Finding("ok", f"{free:.0f} MB free", measured=free)
    state: State = "bad" if free < MIN_MEMORY_MB else "warn"
    advice = f"stop other programs or add swap: live classification needs about {MIN_MEMORY_MB} MB"
    return Finding(state, f"{free:.0f} MB free", advice, free)


def speed(model: str) -> Finding:
    """Measure the speed from samples to a verdict, as a multiple of real time."""
    from genre_edge.classify.classifier import Classifier
    from genre_edge.diagnostics.synthetic_audio import ArraySource, music
    from genre_edge.diagnostics.timing import format_number, time_call

    classifier = Classifier(model)
    seconds = max(_SPEED_SECONDS, 2 * classifier.bundle.patch_s)
    samples = music(seconds, _SPEED_RATE)
    timing = time_call(lambda: classifier.classify(ArraySource(samples, _SPEED_RATE)), _SPEED_BURSTS)
    factor = seconds / timing.median
    value = f"{format_number(factor)} times real time, from {_SPEED_RATE} Hz samples to a verdict"
    if factor >= SLOW:
        return Finding("ok", value, measured=factor)
    advice = "stop other programs; check cooling and power supply (`vcgencmd get_throttled` on a Raspberry Pi)"
    return Finding("bad" if factor < TOO_SLOW else "warn", value, advice, factor)


def healthy(findings: dict[str, Finding]) -> bool:
    """Return True if no finding is "bad"."""
    return all(finding.state != "bad" for finding in findings.values())
