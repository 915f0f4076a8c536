"""Compares the installed genre-edge with one on another machine: spectrograms, networks and verdict.

python -m tools.selfcheck --write FILE.npz   # on a machine that is trusted: store its numbers
python -m tools.selfcheck --check FILE.npz   # elsewhere: compute them again; exit 1 if they differ by too much

tools/arm64.sh runs both. Decibels are as librosa's power_to_db(ref=1, amin=1e-10, top_db=None).
"""

import argparse
import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from genre_edge import Classifier, GenreEdgeError, MelConfig, MelSpectrogram
from genre_edge.audio.resample import Resampler
from genre_edge.mel import _logmel
from genre_edge.model import bundle as model

SONG = Path(__file__).parents[1] / "demo" / "song.ogg"
CONFIGS = (
    MelConfig(sr=22050, n_fft=2048, hop_length=512, n_mels=128),
    MelConfig(sr=16000, n_fft=512, hop_length=256, n_mels=96),
    MelConfig(sr=22050, n_fft=1023, hop_length=300, n_mels=64),  # an odd length is FFTW's
)
N_PATCHES = 20
PACKAGES = ("genre-edge", "numpy", "pyfftw", "soundfile", "soxr", "ai-edge-litert", "tflite-runtime")

SAMPLE_LIMIT = 1e-5  # decoders and resamplers round by themselves; full scale is 1
FLOOR_DB = -100.0
ACCURATE_RANGE_DB = 50.0  # bands further below their frame's loudest lose digits to float32
RELATIVE_LIMIT, DB_LIMIT = 1e-4, 5e-4
STEP_LIMIT = 2  # processors have kernels of their own, which round the int8 sums in different ways

Results = dict[str, NDArray[Any]]
Check = tuple[bool, str]


def noise(n: int, seed: int) -> NDArray[np.float32]:
    """Uniform in [-0.5, 0.5): made of integers alone, so the same bits on every machine (a normal one takes logs)."""
    return np.random.default_rng(seed).random(n, dtype=np.float32) - np.float32(0.5)


def song(rate: float) -> NDArray[np.float32]:
    """The shipped song at `rate`."""
    samples, its_rate = soundfile.read(SONG, dtype="float32")
    resampler = Resampler(its_rate, rate)
    return np.concatenate([resampler.push(samples), resampler.flush()])


def in_pieces(mel: MelSpectrogram, y: NDArray[np.float32]) -> NDArray[np.float32]:
    """`mel.db(y)` by way of a stream, in pieces shorter and longer than a frame."""
    stream = mel.stream()
    cuts = np.cumsum(np.resize([1, 77, 3001], len(y) // 1026))
    frames = [stream.push(piece) for piece in np.split(y, cuts)]
    return np.concatenate([*frames, stream.flush()], axis=1)


def patches(bundle: model.Bundle) -> Iterator[NDArray[np.float32]]:
    """Random pictures of rectangles with a grain, in dB, each with its own size of rectangle."""
    shape = bundle.mel.n_mels, bundle.patch_frames
    for seed in range(N_PATCHES):
        size = 2 + seed
        coarse = noise(-(-shape[0] // size) * -(-shape[1] // size), seed).reshape(-(-shape[0] // size), -1)
        picture = coarse.repeat(size, axis=0).repeat(size, axis=1)[: shape[0], : shape[1]]
        yield 70 * picture + 10 * noise(picture.size, 1000 + seed).reshape(shape) - 35


def versions() -> str:
    """This machine's and its packages' versions, one line; FFTW by its file too, once the core has bound one."""
    found = [platform.machine(), f"python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    found.append(f"vectors of {MelSpectrogram().lanes} floats")
    if fftw := _logmel.fftw_version():
        maps = Path("/proc/self/maps").read_text() if sys.platform == "linux" else ""
        found += [fftw, *sorted(set(re.findall(r"[^/\n]*libfftw3f[^/\n]*", maps)))]
    return ", ".join(found)


def measure(given: Results) -> Results:
    """Everything that is compared, by name.

    Spectrograms are of the `given` samples, if any: what a resampler rounds shows in frames that are all but silent.
    """
    results: Results = {}
    for config in CONFIGS:
        mel = MelSpectrogram(config)
        title = f"{config.n_fft}/{config.hop_length}/{config.n_mels} at {config.sr:g} Hz"
        for name, y in (("song", song(config.sr)), ("noise", noise(int(10 * config.sr) + 1, 0))):
            samples = f"samples: {name} at {config.sr:g} Hz"
            results[samples] = y
            y = given.get(samples, y)
            results[f"mel: {name}, {title}"] = mel.mel(y)
            results[f"db: {name}, {title}"] = db = mel.db(y)
            results[f"pieces: {name}, {title}"] = np.array(np.array_equal(in_pieces(mel, y), db))
    for name in model.installed():
        network = model.Model(name)
        raw = np.array([network.logits(patch) for patch in patches(network.bundle)])
        results[f"logits: {name}"] = raw
        results[f"probabilities: {name}"] = model.probabilities(
            raw, len(network.bundle.labels), network.bundle.temperature
        )
        verdict = Classifier(name).classify(SONG)
        by_genre = {genre.genre: genre.probability for genre in verdict.genres}
        results[f"verdict: {name}"] = np.array([by_genre.get(label, np.nan) for label in network.bundle.labels])
        results[f"genre: {name}"] = np.array(verdict.genre or verdict.reason)
    return results


def within(what: str, difference: float, limit: float) -> Check:
    return difference <= limit, f"{what}: largest difference {difference:.1e}, limit {limit:.1e}"


def compare(reference: Results, today: Results) -> Iterator[Check]:
    """One check a name."""
    if differing := set(reference) ^ set(today):
        yield False, f"the reference was made by another selfcheck.py: {', '.join(sorted(differing))}"
        return
    for name, value in today.items():
        kind, _, what = name.partition(": ")
        expected = reference[name]
        if value.shape != expected.shape:
            yield False, f"{name}: shape {value.shape}, the reference has {expected.shape}"
        elif kind == "samples":
            yield within(name, np.abs(value - expected).max(), SAMPLE_LIMIT)
        elif kind in ("mel", "db"):
            yield spectrogram(name, value, expected, reference[f"db: {what}"])
        elif kind == "pieces":
            yield bool(value), f"{name}: a stream gives {'the same' if value else 'other'} bits"
        elif kind == "genre":
            yield bool(value == expected), f"{name} calls the song {value}, the reference {expected}"
        elif kind == "logits":
            yield logits(name, value, expected)
        else:
            # The most that STEP_LIMIT steps can do: a probability is a sigmoid of (logit - the others), slope 1/4.
            raw = reference[f"logits: {what}"]
            limit = STEP_LIMIT * step(raw) / model.Model(what).bundle.temperature / 2
            yield within(name, np.abs(value - expected).max(), limit)


def spectrogram(name: str, value: NDArray[Any], expected: NDArray[Any], db: NDArray[Any]) -> Check:
    near = (db > FLOOR_DB) & (db >= db.max(axis=0) - ACCURATE_RANGE_DB)
    apart = np.abs(value - expected)[near]
    if name.startswith("mel"):
        return within(f"{name}, relative", (apart / expected[near]).max(), RELATIVE_LIMIT)
    return within(name, apart.max(), DB_LIMIT)


def step(logits: NDArray[Any]) -> float:
    """One int8 step: the least distance of two of the many different logits."""
    return float(np.diff(np.unique(logits)).min())


def logits(name: str, value: NDArray[Any], expected: NDArray[Any]) -> Check:
    one = step(expected)
    steps = np.rint(np.abs(value - expected) / one).astype(int)
    leaders = np.sort(expected, axis=1)
    clear = leaders[:, -1] - leaders[:, -2] > (STEP_LIMIT + 0.5) * one  # who leads by less may lose to rounding
    others = value.argmax(axis=1) != expected.argmax(axis=1)
    return bool(steps.max() <= STEP_LIMIT and not (clear & others).any()), (
        f"{name}: {(steps > 0).mean():.1%} of {steps.size} differ, by at most {steps.max()} int8 steps of {one:.3g}, "
        f"limit {STEP_LIMIT}; another genre leads in {(clear & others).sum()} of the {clear.sum()} patches with a "
        f"clear lead, in {(others & ~clear).sum()} of the other {(~clear).sum()}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", type=Path, metavar="FILE", help="store this machine's numbers")
    action.add_argument("--check", type=Path, metavar="FILE", help="compare with stored numbers")
    arguments = parser.parse_args()
    try:
        if arguments.write:
            content: dict[str, Any] = measure({})
            content["versions"] = np.array(versions())
            with arguments.write.open("wb") as file:  # a name would get .npz appended
                np.savez(file, **content)
            print(f"written on {versions()}")
            return
        with np.load(arguments.check) as stored:
            reference = dict(stored)
        today = measure(reference)
    except (GenreEdgeError, OSError, ValueError) as error:
        sys.exit(f"FAILED {error}")
    print(f"reference: {reference.pop('versions', 'unknown')}\nhere: {versions()}")
    passed = True
    for fine, text in compare(reference, today):
        passed &= fine
        print(f"{'ok' if fine else 'FAILED'} {text}", flush=True)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
