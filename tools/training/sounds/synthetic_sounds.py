"""Synthetic non-music audio: speech, noises, tones, chirps. Mono, up to 20 s each."""

import io
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

TEXT = Path(__file__).parents[3] / "LICENSE"  # a text that does not change, so the speech stays the same
# espeak-ng voices for training, and other voices for tests.
VOICES = ("en", "en-us", "de", "fr", "es", "it", "pt", "nl", "sv", "pl", "ru", "tr")
TEST_VOICES = ("en-gb-scotland", "cs", "fi", "el", "hu", "ro")
VARIANTS = ("", "+f2", "+m3", "+f4", "+m7", "+whisper", "+croak")
LENGTH_S = 12
Recordings = Iterator[np.ndarray]


def read_mono(source: Path | io.BytesIO, rate: int) -> np.ndarray:
    """Read an audio file and return mono float32 samples, resampled to `rate` Hz."""
    y, own_rate = soundfile.read(source, dtype="float32", always_2d=True)
    mono: np.ndarray = soxr.resample(y.mean(axis=1), own_rate, rate)
    return mono


def speech(rng: np.random.Generator, rate: int, for_test: bool) -> Recordings:
    """Yield speech of espeak-ng in many languages and voices: 50 words from random positions of the licence."""
    text = TEXT.read_text().split()
    for voice in (TEST_VOICES if for_test else VOICES) * 4:
        options = ["-v", voice + str(rng.choice(VARIANTS)), "-s", str(rng.integers(110, 220))]
        options += ["-p", str(rng.integers(20, 80)), "--stdin", "--stdout"]
        first = rng.integers(len(text) - 50)
        script = " ".join(text[first : first + 50]).encode()
        done = subprocess.run(["espeak-ng", *options], input=script, capture_output=True, check=True)
        yield read_mono(io.BytesIO(done.stdout), rate)[: 20 * rate]


def noises(rng: np.random.Generator, rate: int, for_test: bool) -> Recordings:
    """Yield noise of several colours: stationary, band-passed, amplitude-modulated, crackling, with mains hum."""
    t = np.arange(LENGTH_S * rate) / rate
    f = np.fft.rfftfreq(len(t), 1 / rate)
    for i in range(30 if for_test else 60):
        spectrum = np.fft.rfft(rng.standard_normal(len(t))) / np.maximum(f, 20) ** rng.uniform(0, 1.1)
        if i % 5 == 1:
            spectrum *= (f > rng.uniform(50, 2000)) & (f < rng.uniform(2500, 10000))
        y = np.fft.irfft(spectrum, len(t))
        y /= np.abs(y).max()
        if i % 5 == 2:
            y *= 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.1, 5) * t)
        elif i % 5 == 3:
            clicks = rng.random(len(t)) < rng.uniform(1e-4, 1e-3)
            y = 0.05 * y + clicks * rng.standard_normal(len(t))
        elif i % 5 == 4:
            hum = sum(np.sin(2 * np.pi * 50 * h * t + rng.uniform(0, 6)) / h for h in range(1, 12))
            y = 0.1 * y + 0.2 * hum
        yield y


def tones(rng: np.random.Generator, rate: int, for_test: bool) -> Recordings:
    """Yield sines, square waves, sweeps, beeps, DTMF tones and sirens in faint noise."""
    t = np.arange(LENGTH_S * rate) / rate
    for i in range(30 if for_test else 60):
        f = np.exp(rng.uniform(np.log(60), np.log(8000)))
        phase = 2 * np.pi * f * t
        on = (t * rng.uniform(0.5, 6)) % 1 < rng.uniform(0.1, 0.8)
        sweep = np.geomspace(f, np.clip(f * rng.uniform(0.1, 10), 40, 10000), len(t))
        dial = np.sin(2 * np.pi * rng.choice([697, 770, 852, 941]) * t)
        dial += np.sin(2 * np.pi * rng.choice([1209, 1336, 1477]) * t)
        siren = np.sin(phase + rng.uniform(1, 8) * np.sin(2 * np.pi * rng.uniform(0.3, 8) * t))
        kinds = (np.sin(phase), np.sign(np.sin(phase)), np.sin(2 * np.pi * np.cumsum(sweep) / rate))
        y = (*kinds, np.sin(phase) * on, dial * on, siren)[i % 6]
        yield y + rng.choice([0, 0.001, 0.01]) * rng.standard_normal(len(t))


def chirps(rng: np.random.Generator, rate: int, for_test: bool) -> Recordings:
    """Yield synthetic birdsong: short whistles with glides and trills in faint noise."""
    for _ in range(15 if for_test else 30):
        y = 0.01 * rng.standard_normal(LENGTH_S * rate)
        base, at_s = rng.uniform(1800, 6000), 0.0
        while at_s < LENGTH_S - 1:
            n = int(rng.uniform(0.04, 0.4) * rate)
            u = np.linspace(0, 1, n)
            trill = rng.uniform(0, 0.15) * np.sin(2 * np.pi * rng.uniform(2, 30) * n / rate * u)
            f = base * np.exp(rng.uniform(-0.5, 0.5) * u + trill)
            first = int(at_s * rate)
            y[first : first + n] += np.sin(2 * np.pi * np.cumsum(f) / rate) * np.hanning(n) * rng.uniform(0.2, 1)
            at_s += n / rate + rng.exponential(0.25)
        yield y


KINDS: dict[str, Callable[[np.random.Generator, int, bool], Recordings]] = {
    "synthetic-speech": speech,
    "noises": noises,
    "tones": tones,
    "chirps": chirps,
}
