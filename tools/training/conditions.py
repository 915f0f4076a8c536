"""Recording conditions for robustness tests: codecs, levels, speed, telephone band, reverberation, noise."""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr
from scipy.fft import next_fast_len

# (mono samples, sample rate, path without suffix) -> the file written
Condition = Callable[[np.ndarray, int, Path], Path]


def _float_wav(y: np.ndarray, rate: int, to: Path) -> Path:
    path = to.with_suffix(".wav")
    soundfile.write(path, y, rate, subtype="FLOAT")
    return path


def wav_44100_stereo(y: np.ndarray, rate: int, to: Path) -> Path:
    """Write CD quality: 16 bits, two channels, 44.1 kHz."""
    y = soxr.resample(y, rate, 44100)
    y = y * min(1.0, 0.99 / max(1e-9, float(np.abs(y).max())))
    path = to.with_suffix(".wav")
    soundfile.write(path, np.stack([y, y], axis=1), 44100, subtype="PCM_16")
    return path


def encoded(suffix: str, codec: str, kbps: int) -> Condition:
    """Return a condition that encodes 44.1 kHz stereo with one of ffmpeg's encoders at `kbps` kbit/s."""

    def write(y: np.ndarray, rate: int, to: Path) -> Path:
        source, path = wav_44100_stereo(y, rate, to), to.with_suffix(suffix)
        options = ["-nostdin", "-loglevel", "error", "-y", "-i", str(source), "-c:a", codec, "-b:a", f"{kbps}k"]
        subprocess.run(["ffmpeg", *options, str(path)], check=True)
        return path

    return write


def level(db: float, subtype: str) -> Condition:
    """Return a condition that changes the level by `db` and writes samples of a type, such as "PCM_16" or "FLOAT"."""

    def write(y: np.ndarray, rate: int, to: Path) -> Path:
        path = to.with_suffix(".wav")
        soundfile.write(path, y * 10 ** (db / 20), rate, subtype=subtype)
        return path

    return write


def speed(factor: float) -> Condition:
    """Return a condition that plays `factor` times as fast, which changes the pitch, too."""

    def write(y: np.ndarray, rate: int, to: Path) -> Path:
        return _float_wav(soxr.resample(y, factor, 1.0), rate, to)

    return write


def telephone(y: np.ndarray, rate: int, to: Path) -> Path:
    """Band-limit to 300 to 3400 Hz and resample to 8 kHz."""
    spectrum = np.fft.rfft(y)
    f = np.fft.rfftfreq(len(y), 1 / rate)
    spectrum[(f < 300) | (f > 3400)] = 0
    return _float_wav(soxr.resample(np.fft.irfft(spectrum, len(y)).astype(np.float32), rate, 8000), 8000, to)


def clipped(y: np.ndarray, rate: int, to: Path) -> Path:
    """Amplify until 5 % of the samples exceed full scale, and clip them."""
    limit = max(1e-9, float(np.quantile(np.abs(y), 0.95)))
    return _float_wav(np.clip(y / limit, -1, 1), rate, to)


def room(y: np.ndarray, rate: int, to: Path) -> Path:
    """Add reverberation of 0.6 s as loud as the direct sound (exponentially decaying noise)."""
    return _float_wav(reverberate(y, rate, 0.6, np.random.default_rng(0)), rate, to)


def reverberate(y: np.ndarray, rate: int, decay_s: float, rng: np.random.Generator) -> np.ndarray:
    """Return `y` with reverberation as loud as the direct sound: noise that decays by 60 dB in `decay_s`."""
    t = np.arange(int(4 / 3 * decay_s * rate)) / rate
    tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / decay_s) * (t > 0.005)
    tail /= np.sqrt((tail**2).sum())
    tail[0] = 1
    n = next_fast_len(len(y) + len(t) - 1, real=True)  # a prime length would take several times as long
    wet: np.ndarray = np.fft.irfft(np.fft.rfft(y, n) * np.fft.rfft(tail, n), n)[: len(y)].astype(np.float32)
    return wet


def noisy(y: np.ndarray, rate: int, to: Path) -> Path:
    """Add pink noise 10 dB below the music."""
    return _float_wav(add_pink_noise(y, rate, 10, np.random.default_rng(0)), rate, to)


def add_pink_noise(y: np.ndarray, rate: int, snr_db: float, rng: np.random.Generator) -> np.ndarray:
    """Return `y` with pink noise at a signal-to-noise ratio in dB."""
    f = np.fft.rfftfreq(len(y), 1 / rate)
    white = np.fft.rfft(rng.standard_normal(len(y)))
    noise = np.fft.irfft(white / np.sqrt(np.maximum(f, 20)), len(y))
    noise *= np.sqrt((y**2).mean() / (noise**2).mean()) * 10 ** (-snr_db / 20)
    noisy: np.ndarray = (y + noise).astype(np.float32)
    return noisy


# The first condition is the reference that losses are measured against.
CONDITIONS: dict[str, Condition] = {
    "unchanged": _float_wav,
    "wav, 44.1 kHz stereo, 16 bits": wav_44100_stereo,
    "mp3, 128 kbit/s": encoded(".mp3", "libmp3lame", 128),
    "mp3, 64 kbit/s": encoded(".mp3", "libmp3lame", 64),
    "Opus, 64 kbit/s": encoded(".opus", "libopus", 64),
    "30 dB quieter, 16 bits": level(-30, "PCM_16"),  # quantisation noise rises
    "12 dB louder, float": level(12, "FLOAT"),
    "4 % faster": speed(1.04),
    "4 % slower": speed(1 / 1.04),
    "telephone band, 8 kHz": telephone,
    "clipped, 5 % of the samples": clipped,
    "room, 0.6 s reverberation": room,
    "pink noise, 10 dB below": noisy,
}
ENCODED = ("mp3, 64 kbit/s", "Opus, 64 kbit/s")  # one for each encoder of ffmpeg
# The most accuracy, in percentage points, that a condition may cost
_TARGETS = {
    "wav, 44.1 kHz stereo, 16 bits": 1,
    "mp3, 128 kbit/s": 1,
    "mp3, 64 kbit/s": 1,
    "Opus, 64 kbit/s": 1,
    "30 dB quieter, 16 bits": 1,
    "12 dB louder, float": 1,
    "telephone band, 8 kHz": 8,
    "room, 0.6 s reverberation": 4,
    "pink noise, 10 dB below": 8,
}


def allowed_loss(condition: str) -> int | None:
    """Return the target: the most accuracy, in percentage points, that a condition may cost; None if there is none."""
    return _TARGETS.get(condition)


def check_encoders() -> None:
    """Check that ffmpeg is installed and has the encoders.

    Raises:
        SystemExit: it is not, or one is missing.
    """
    silence = np.zeros(4410, dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        for name in ENCODED:
            try:
                CONDITIONS[name](silence, 44100, Path(folder) / "silence")
            except FileNotFoundError:
                raise SystemExit("ffmpeg is required to encode mp3 and Opus, and is not installed") from None
            except subprocess.CalledProcessError:
                raise SystemExit(f"ffmpeg cannot encode {name}; another build of it is required") from None
