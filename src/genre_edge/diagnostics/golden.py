"""Numbers that this processor must find again: spectrograms by librosa, logits by the runtime's plain kernels.

golden.json is made by tools/golden.py. What goes in is made here, of integers, sums and products, so it is the same
everywhere; what comes out may differ by rounding only.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genre_edge.diagnostics.synthetic_audio import Samples, music, noise
from genre_edge.errors import GenreEdgeError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames, MelSpectrogram
from genre_edge.model.bundle import Bundle
from genre_edge.model.prediction import Model

CONFIGS = {  # by whose FFT they use
    "own": MelConfig(n_fft=2048, hop_length=512, n_mels=128),
    "fftw": MelConfig(n_fft=1023, hop_length=512, n_mels=32),
}
DB_LIMIT = 5e-4  # what docs/mel.md promises, for bands within 50 dB of their frame's loudest; here all are
# One step was found between fast and plain kernels, two between the fast ones of x86-64 and Arm.
STEP_LIMIT = 3
_PATCHES = 4
_FILE = Path(__file__).with_name("golden.json")


def numbers() -> dict[str, Any]:
    """`{"db": {"own": [frames], "fftw": [frames]}, "logits": {SHA-256: [patches]}}`. Raises OSError, ValueError."""
    content: dict[str, Any] = json.loads(_FILE.read_text())
    return content


def signal() -> Samples:
    """Music in noise loud enough that no band is faint: 5 frames of either configuration."""
    return (0.5 * music(0.1, 22050)[:2048] + 0.5 * noise(2048, 1)).astype(np.float32)


def patches(bundle: Bundle) -> list[Frames]:
    """Pictures `(n_mels, patch_frames)` in dB: rectangles of several sizes with a grain."""
    bands, frames = bundle.mel.n_mels, bundle.patch_frames
    pictures = []
    for seed in range(_PATCHES):
        size = 3 + 5 * seed
        coarse = noise(bands * frames, seed).reshape(bands, frames)
        rectangles = coarse.repeat(size, axis=0).repeat(size, axis=1)[:bands, :frames]
        pictures.append(70 * rectangles + 10 * noise(bands * frames, 100 + seed).reshape(bands, frames) - 35)
    return pictures


def logits(model: Model) -> NDArray[np.float64]:
    """What a network says of its patches, `(patches, n_outputs)`."""
    return np.array([model.logits(patch) for patch in patches(model.bundle)])


def mel_difference(fft: str) -> float:
    """The largest difference in dB from the golden spectrogram.

    Raises:
        GenreEdgeError: a stream gives other bits than one piece, or NaN.
    """
    mel, y = MelSpectrogram(CONFIGS[fft]), signal()
    db = mel.db(y)
    stream = mel.stream()
    pieces = [stream.push(y[:1]), stream.push(y[1:1500]), stream.push(y[1500:]), stream.flush()]
    if not np.array_equal(np.concatenate(pieces, axis=1), db):
        raise GenreEdgeError("a stream gives other numbers than one piece")
    expected = np.array(numbers()["db"][fft]).T
    return float(np.abs(db - expected).max())


def logits_difference(model: Model) -> tuple[int, str]:
    """The largest difference in int8 steps, and from what: a bundle without golden numbers meets the plain kernels."""
    known = numbers()["logits"].get(model.bundle.sha256)
    expected = logits(Model(model.path, reference=True)) if known is None else np.array(known)
    steps = np.rint(np.abs(logits(model) - expected) / model.logit_step).max()
    return int(steps), "the runtime's plain kernels" if known is None else "the golden numbers"
