"""Spectrograms of a mel archive in the front end of the distilled networks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import resample_poly

from genre_edge.diagnostics.synthetic_audio import music
from genre_edge.mel.spectrogram import MelSpectrogram
from tools.training import archive_frames
from tools.training.data import ARCHIVE_MEL, Track
from tools.training.distillation import students

BELOW_11_KHZ = 115  # bands of students.MEL


def track(name: str, frames: np.ndarray) -> Track:
    return Track(name, "jazz", "train", frames)


def test_conversion_resembles_the_spectrogram_of_the_audio() -> None:
    """The estimate has the duration and the course of what the other front end computes, up to a gain."""
    y = music(20, 22050)
    archived = MelSpectrogram(ARCHIVE_MEL).db(y)
    expected = MelSpectrogram(students.MEL).db(resample_poly(y, 640, 441).astype(np.float32))
    estimate = archive_frames.convert(archived, students.MEL)
    assert estimate.dtype == np.float32 and abs(estimate.shape[1] - expected.shape[1]) <= 8
    n = min(estimate.shape[1], expected.shape[1])
    loud = expected[:BELOW_11_KHZ, :n] > expected.max() - 50
    assert np.corrcoef(estimate[:BELOW_11_KHZ, :n][loud], expected[:BELOW_11_KHZ, :n][loud])[0, 1] > 0.8
    assert estimate[-1].max() < -80  # the archive has nothing above 11 kHz


def naive(frames: np.ndarray, band: int, column: int) -> float:
    """Return one value of the estimate, frequency by frequency."""
    filterbank, mel = MelSpectrogram(students.MEL).filterbank(), students.MEL
    weights = MelSpectrogram(ARCHIVE_MEL).filterbank()
    centres = [float(np.average(np.arange(len(w)), weights=w)) * 22050 / 2048 for w in weights]
    position = column * 320 / 32000 * 22050 / 1708
    first = min(int(position), frames.shape[1] - 2)
    at = []
    for frame in (frames[:, first], frames[:, first + 1]):
        power = 0.0
        for k, weight in enumerate(filterbank[band]):
            hz = k * mel.sr / mel.n_fft
            power += weight * 10 ** ((np.interp(hz, centres, frame) if hz <= 11025 else -100.0) / 10)
        at.append(10 * np.log10(max(power, 1e-10)))
    return at[0] + min(position - first, 1.0) * (at[1] - at[0])


@given(seed=st.integers(0, 1000), band=st.integers(0, 127), n=st.integers(2, 12), share=st.floats(0, 1))
def test_conversion_equals_its_naive_twin(seed: int, band: int, n: int, share: float) -> None:
    frames = np.random.default_rng(seed).uniform(-80, 0, (128, n)).astype(np.float32)
    estimate = archive_frames.convert(frames, students.MEL)
    column = round(share * (estimate.shape[1] - 1))
    assert estimate[band, column] == pytest.approx(naive(frames, band, column), abs=1e-3)


def test_tracks_with_and_without_audio() -> None:
    """A track with audio gets its archived spectrogram beside its own; one without audio has no other."""
    own, archived = np.zeros((128, 50), np.float32), np.zeros((128, 20), np.float32)
    heard = [track("a", own), track("b", own)]
    a, b, c = archive_frames.add(heard, [track("c", archived), track("a", archived)], students.MEL)
    assert [x.name for x in (a, b, c)] == ["a", "b", "c"]
    assert a.frames is own and a.archived is not None and a.archived.shape == c.frames.shape == (128, 154)
    assert b.archived is None and c.archived is None
