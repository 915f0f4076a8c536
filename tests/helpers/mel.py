"""Signals, configurations and SIMD widths for the tests of spectrograms."""

import contextlib

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from genre_edge.errors import ParameterError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import MelSpectrogram

DERANDOMIZED = settings(derandomize=True, deadline=None, max_examples=80)


def noise(n: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(n) * 0.3).astype(np.float32)


@st.composite
def configs(draw, n_fft, window, hop_length, sr, n_mels, fmin) -> MelConfig:
    n_fft, sr = draw(n_fft), draw(sr)
    return MelConfig(
        sr=sr,
        n_fft=n_fft,
        hop_length=draw(hop_length),
        win_length=max(1, int(n_fft * draw(window))),
        center=draw(st.booleans()),
        pad_mode=draw(st.sampled_from(["constant", "reflect"])),
        power=draw(st.sampled_from([1, 2])),
        n_mels=draw(n_mels),
        fmin=draw(fmin) * sr,
        fmax=draw(st.sampled_from([None, 0.4])) and 0.4 * sr,
        htk=draw(st.booleans()),
        norm=draw(st.sampled_from(["slaney", None])),
    )


def supported_lanes() -> list[int]:
    """Return the SIMD widths that this CPU supports."""
    supported = []
    for lanes in (1, 4, 8):
        with contextlib.suppress(ParameterError):
            supported.append(MelSpectrogram(lanes=lanes).lanes)
    return supported


LANES = st.sampled_from(supported_lanes())
SMALL = configs(
    n_fft=st.integers(2, 200),
    window=st.floats(0, 1),
    hop_length=st.integers(1, 250),
    sr=st.floats(1000, 96000),
    n_mels=st.integers(1, 30),
    fmin=st.floats(0, 0.35),
)
USUAL = configs(
    n_fft=st.sampled_from([256, 400, 1024, 2048, 4096]),
    window=st.sampled_from([1, 0.75, 0.51]),
    hop_length=st.sampled_from([128, 256, 441]),
    sr=st.sampled_from([16000, 22050, 44100, 48000]),
    n_mels=st.sampled_from([32, 64, 128]),
    fmin=st.sampled_from([0, 0.003]),
)


def streamed(spectrogram: MelSpectrogram, y: np.ndarray, sizes: list[int]) -> np.ndarray:
    """Return the frames of a stream that gets `y` in chunks of these sizes, then the rest."""
    stream, chunks = spectrogram.stream(), np.split(y, np.cumsum(sizes))
    return np.concatenate([*(stream.push(chunk) for chunk in chunks), stream.flush()], axis=1)
