"""What `genre-edge doctor` looks at, one function a line of its report.

Each check imports what it looks at by itself: a part that is missing or broken must not hide what the others say.
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

State = Literal["ok", "warn", "bad"]

# From the folder: an index may know a stranger's package of this name.
REINSTALL = "install it again, in the folder of genre-edge: pip install --force-reinstall ."
VECTORS = {1: "none", 4: "SSE2 or NEON", 8: "AVX2"}
LITTLE_MEMORY_MB, TOO_LITTLE_MEMORY_MB = 150, 80
SLOW, TOO_SLOW = 3, 1  # times real time
_SPEED_SECONDS, _SPEED_RATE, _SPEED_BURSTS = 10, 44100, 3
_FFMPEG_TIMEOUT_S = 20  # of a card that must be read first


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Args:
        state: "ok"; "warn", something optional is missing or it is slow; "bad", it does not work.
        value: what there is, or what is wrong.
        advice: what to do, unless it is ok.
        measured: the number in `value`, where there is one.
    """

    state: State
    value: str
    advice: str | None = None
    measured: float | None = None


Check = Callable[[], Finding]


def examine(model: str) -> Iterator[tuple[str, Finding]]:
    """All checks' names and findings, as they come. `model` is a bundle's name or directory."""
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
    told: dict[str, str] = {}  # what is bad -> the first line that says so
    for name, check in checks.items():
        finding = outcome(check)
        first = told.setdefault(finding.value, name) if finding.state == "bad" else name
        yield name, finding if first == name else replace(finding, advice=f"as for {first}")


def outcome(check: Check) -> Finding:
    """The finding; what a check dies of is one, too."""
    try:
        return check()
    except GenreEdgeError as error:
        return Finding("bad", str(error), REINSTALL)
    except Exception as error:  # the ill part may fail in any way
        return Finding("bad", f"{type(error).__name__}: {' '.join(str(error).split())}", REINSTALL)


def system() -> Finding:
    from importlib.metadata import version

    from genre_edge.system import machine

    words = [f"genre-edge {version('genre-edge')}", f"Python {platform.python_version()}", machine.system()]
    return Finding("ok", ", ".join([*words, machine.processor()]))


def simd() -> Finding:
    """The vectors that the core uses."""
    from genre_edge.mel.spectrogram import MelSpectrogram

    lanes = MelSpectrogram().lanes
    value = f"{lanes} floats side by side ({VECTORS.get(lanes, 'unknown')})"
    if lanes > 1:
        return Finding("ok", value, measured=lanes)
    return Finding("warn", value, "spectrograms are slow: use a 64-bit system, if the processor can", lanes)


def fftw(model: str) -> Finding:
    """Which FFTW, and whether this model needs one at all."""
    from genre_edge.mel import _logmel
    from genre_edge.mel import fftw as finder
    from genre_edge.model.bundle import Bundle, bundle_path

    try:
        origin = finder.ensure_loaded()
    except GenreEdgeError as error:
        n_fft = Bundle.load(bundle_path(model)).mel.n_fft
        if _logmel.needs_fftw(n_fft):
            return Finding("bad", f"{error}; {model} needs it for frames of {n_fft}", "pip install pyfftw")
        return Finding("warn", "not found; needed for odd sizes of frame only", "pip install pyfftw")
    where = {"system": "the system's", None: "of unknown origin"}.get(origin, "pyFFTW's")
    return Finding("ok", f"{_logmel.fftw_version()}, {where}")


def runtime() -> Finding:
    """TensorFlow Lite's name and version."""
    from genre_edge.model import interpreter

    try:
        return Finding("ok", " ".join(interpreter.runtime()))
    except GenreEdgeError as error:
        value, _, advice = str(error).partition(": ")
        return Finding("bad", value, advice)


def bundle(model: str) -> Finding:
    """Name, version and hash of the model; loading has verified them."""
    from genre_edge.errors import ModelError
    from genre_edge.model.bundle import installed
    from genre_edge.model.prediction import Model

    try:
        found = Model(model).bundle
    except ModelError as error:
        return Finding("bad", str(error), REINSTALL if model in installed() else "copy or make this bundle again")
    return Finding("ok", f"{found.name} {found.version}, SHA-256 {found.sha256[:16]}... verified")


def mel() -> Finding:
    """Spectrograms on this processor, by the core's own FFT and by FFTW where there is one."""
    from genre_edge.diagnostics import golden
    from genre_edge.mel import fftw as finder

    sizes = ["own"]
    with suppress(GenreEdgeError):  # its own line says so
        finder.ensure_loaded()
        sizes.append("fftw")
    difference = max(map(golden.mel_difference, sizes))
    value = f"{difference:.0e} dB from the golden spectrograms, at most {golden.DB_LIMIT:.0e} is allowed"
    if difference <= golden.DB_LIMIT:
        return Finding("ok", value, measured=difference)
    return Finding(
        "bad", value, f"its spectrograms are wrong here: report it, unless this helps: {REINSTALL}", difference
    )


def network(model: str) -> Finding:
    """The network's logits on this processor."""
    from genre_edge.diagnostics import golden
    from genre_edge.model.prediction import Model

    steps, expected = golden.logits_difference(Model(model))
    value = f"{steps} int8 steps from {expected}, at most {golden.STEP_LIMIT} are allowed"
    if steps <= golden.STEP_LIMIT:
        return Finding("ok", value, measured=steps)
    advice = "the runtime computes wrongly here: install another version of it, then report it"
    return Finding("bad", value, advice, steps)


def soundfile() -> Finding:
    """The decoder, and whether it is new enough for mp3."""
    import soundfile as library

    value = f"soundfile {library.__version__}, libsndfile {library.__libsndfile_version__}"
    if "MP3" in library.available_formats():
        return Finding("ok", value)
    return Finding("warn", f"{value} cannot decode mp3", "libsndfile 1.1 can: pip install --upgrade soundfile")


def ffmpeg() -> Finding:
    """Found and able to start, or not."""
    from genre_edge.audio.ffmpeg import ffmpeg_program

    advice = "apt install ffmpeg"
    try:
        program = ffmpeg_program("m4a, aac, radios")
        command = [program, "-nostdin", "-version"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_FFMPEG_TIMEOUT_S)
    except AudioError:
        return Finding("warn", "not found: m4a, aac and addresses of radios cannot be heard", advice)
    except (OSError, subprocess.SubprocessError) as error:
        return Finding("warn", f"{program} cannot be started: {error}", advice)
    found = re.match(rb"ffmpeg version (\S+)", done.stdout)
    if done.returncode != 0 or not found:
        return Finding("warn", f"{program} does not tell its version", advice)
    return Finding("ok", f"{found[1].decode(errors='replace')}, {program}")


def devices() -> Finding:
    """Sound cards that can be listened to."""
    from genre_edge.audio import microphone

    try:
        found = microphone.devices()
    except AudioError as error:
        advice = "for microphones only: apt install libportaudio2; in the folder of genre-edge: pip install '.[live]'"
        return Finding("warn", str(error), advice)
    if not found:
        advice = "plug one in, or give `genre-edge stream` an address or a pipe"
        return Finding("warn", "no sound card that can be listened to", advice, 0)
    names = ", ".join(f"{device.number} {device.name}" for device in found)
    return Finding("ok", f"{len(found)}: {names}", measured=len(found))


def memory() -> Finding:
    """What is free."""
    from genre_edge.system import machine

    free = machine.free_memory_mb()
    if free >= LITTLE_MEMORY_MB:
        return Finding("ok", f"{free:.0f} MB free", measured=free)
    state: State = "bad" if free < TOO_LITTLE_MEMORY_MB else "warn"
    advice = f"end other programs or add swap: listening takes about {TOO_LITTLE_MEMORY_MB} MB"
    return Finding(state, f"{free:.0f} MB free", advice, free)


def speed(model: str) -> Finding:
    """The whole path from samples to a verdict, in times real time."""
    from genre_edge.classify.classifier import Classifier
    from genre_edge.diagnostics.synthetic_audio import Made, music
    from genre_edge.diagnostics.timing import digits, time_of

    classifier = Classifier(model)
    seconds = max(_SPEED_SECONDS, 2 * classifier.bundle.patch_s)
    samples = music(seconds, _SPEED_RATE)
    timing = time_of(lambda: classifier.classify(Made(samples, _SPEED_RATE)), _SPEED_BURSTS)
    factor = seconds / timing.median
    value = f"{digits(factor)} times real time, from {_SPEED_RATE} Hz samples to a verdict"
    if factor >= SLOW:
        return Finding("ok", value, measured=factor)
    advice = "end other programs; see that the processor is cool and gets enough power (`vcgencmd get_throttled`)"
    return Finding("bad" if factor < TOO_SLOW else "warn", value, advice, factor)


def healthy(findings: dict[str, Finding]) -> bool:
    """Whether nothing is bad."""
    return all(finding.state != "bad" for finding in findings.values())
