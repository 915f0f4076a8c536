"""Golden numbers: reference results that this machine must reproduce, up to rounding.

golden.json has spectrograms and MFCC by librosa, resampled audio, and logits by TensorFlow Lite's reference kernels.
`tools/golden.py` writes it. The inputs are computed here from integers, sums and products, so they have the same bits
on every machine.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genre_edge.diagnostics.synthetic_audio import Samples, music, noise
from genre_edge.errors import GenreEdgeError
from genre_edge.mel import _logmel
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames, MelSpectrogram
from genre_edge.model.bundle import Bundle
from genre_edge.model.prediction import Model

CONFIGS = {  # key: FFT length
    "2048": MelConfig(n_fft=2048, hop_length=512, n_mels=128),
    "512": MelConfig(sr=16000, n_fft=512, hop_length=256, n_mels=96),
    "1023": MelConfig(n_fft=1023, hop_length=300, n_mels=64),  # an odd length uses FFTW
}
N_MFCC = 20
RATE_IN, RATE_OUT = 44100, 16000  # of the resampled audio, in Hz
DB_LIMIT = 5e-4  # as in docs/mel.md: for bands in the accurate range, which all bands of `signal` are
SAMPLE_LIMIT = 1e-5  # of resampled audio, full scale +-1
# For `patches`, the optimised kernels of x86-64 and Arm differ from the reference kernels by up to five, for music by
# seven.
STEP_LIMIT = 6
_N_PATCHES = 20
_FILE = Path(__file__).with_name("golden.json")


def numbers() -> dict[str, Any]:
    """Read golden.json.

    Returns:
        Keys "db" and "mfcc": by key of `CONFIGS`, a list of frames; "resampled": samples; "logits": by the SHA-256 of
        model.tflite, a list of outputs.

    Raises:
        OSError, ValueError: the file is missing or damaged.
    """
    content: dict[str, Any] = json.loads(_FILE.read_text())
    return content


def signal() -> Samples:
    """Return 2048 samples of music, with enough noise that all bands are in the accurate range."""
    return (0.5 * music(0.1, 22050)[:2048] + 0.5 * noise(2048, 1)).astype(np.float32)


def patches(bundle: Bundle) -> list[Frames]:
    """Return synthetic patches `(n_mels, patch_frames)` in dB: noisy rectangles of several sizes."""
    bands, frames = bundle.mel.n_mels, bundle.patch_frames
    result = []
    for seed in range(_N_PATCHES):
        size = 2 + seed % 7
        coarse = noise(bands * frames, seed).reshape(bands, frames)
        rectangles = coarse.repeat(size, axis=0).repeat(size, axis=1)[:bands, :frames]
        result.append(70 * rectangles + 10 * noise(bands * frames, 100 + seed).reshape(bands, frames) - 35)
    return result


def logits(model: Model) -> NDArray[np.float64]:
    """Return the network's output for each patch, `(n_patches, n_outputs)`."""
    return np.array([model.logits(patch) for patch in patches(model.bundle)])


def needs_fftw(key: str) -> bool:
    """Return True if the configuration `CONFIGS[key]` uses FFTW."""
    return _logmel.needs_fftw(CONFIGS[key].n_fft)


def mel_difference(key: str) -> float:
    """Return the largest difference from the golden spectrogram and MFCC, in dB.

    Args:
        key: key of `CONFIGS`.

    Raises:
        GenreEdgeError: a stream and a whole signal give different bits, or a value is NaN.
    """
    mel, y, golden = MelSpectrogram(CONFIGS[key]), signal(), numbers()
    db, mfcc = mel.db(y), mel.mfcc(y, N_MFCC, top_db=None)
    if not np.array_equal(_streamed(mel, y, 0), db) or not np.array_equal(_streamed(mel, y, N_MFCC), mfcc):
        raise GenreEdgeError("a stream and the whole signal yield different values")
    expected_db, expected_mfcc = np.array(golden["db"][key]).T, np.array(golden["mfcc"][key]).T
    differences = (
        db - expected_db,
        10 * np.log10(mel.mel(y)) - expected_db,
        (mfcc - expected_mfcc) / math.sqrt(mel.config.n_mels),  # the DCT adds the differences of all bands
    )
    return max(float(np.abs(difference).max()) for difference in differences)


def _streamed(mel: MelSpectrogram, y: Samples, n_mfcc: int) -> Frames:
    """Return the frames of a stream, from chunks shorter and longer than a frame."""
    stream = mel.stream(n_mfcc=n_mfcc)
    chunks = [stream.push(y[:1]), stream.push(y[1:78]), stream.push(y[78:1500]), stream.push(y[1500:]), stream.flush()]
    return np.concatenate(chunks, axis=1)


def resampler_difference() -> float:
    """Return the largest difference from the golden resampled audio, full scale +-1.

    Raises:
        GenreEdgeError: the number of samples differs.
    """
    from genre_edge.audio.resample import Resampler

    resampler, expected = Resampler(RATE_IN, RATE_OUT), np.array(numbers()["resampled"])
    resampled = np.concatenate([resampler.push(signal()), resampler.flush()])
    if len(resampled) != len(expected):
        raise GenreEdgeError(f"the resampler returns {len(resampled)} samples instead of {len(expected)}")
    return float(np.abs(resampled - expected).max())


def logits_difference(model: Model) -> tuple[int, str]:
    """Return the largest difference in int8 steps, and the name of the reference.

    The reference is golden.json; for a bundle that is not in it, the runtime's reference kernels.
    """
    golden = numbers()["logits"].get(model.bundle.sha256)
    expected = logits(Model(model.path, reference=True)) if golden is None else np.array(golden)
    steps = np.rint(np.abs(logits(model) - expected) / model.logit_step).max()
    return int(steps), "the runtime's reference kernels" if golden is None else "the golden numbers"
