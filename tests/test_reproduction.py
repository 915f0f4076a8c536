"""tools/reproduction: features against librosa and naive twins, methods on genres that anybody could tell apart."""

from itertools import pairwise

import librosa
import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the study needs the extra 'train'")
from reproduction import features
from reproduction.methods import METHODS, Method
from reproduction.networks import networks

ALL = METHODS + networks()


def some_frames(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(-40, 15, (128, n)).astype(np.float32)


def test_mfcc_are_librosas() -> None:
    frames = some_frames(50)
    np.testing.assert_allclose(features.mfcc(frames), librosa.feature.mfcc(S=frames, n_mfcc=20), rtol=1e-4, atol=1e-3)


def test_energy_and_its_naive_twin() -> None:
    frames = some_frames(7)
    naive = [10 * np.log10(np.mean([10 ** (float(v) / 10) for v in column])) for column in frames.T]
    np.testing.assert_allclose(features.energy(frames)[0], naive, rtol=1e-5)


def test_statistics_and_their_naive_twin() -> None:
    x = np.random.default_rng(1).normal(size=(3, 9))
    naive = []
    for rows in ([list(row) for row in x], [[b - a for a, b in pairwise(row)] for row in x]):
        means = [sum(row) / len(row) for row in rows]
        naive += means
        naive += [(sum((v - m) ** 2 for v in row) / len(row)) ** 0.5 for row, m in zip(rows, means, strict=True)]
    np.testing.assert_allclose(features.statistics(x), naive, rtol=1e-12)


@pytest.mark.parametrize("n", [13, 14, 40])
def test_seconds_and_their_naive_twin(n: int) -> None:
    x = np.random.default_rng(2).normal(size=(2, n))
    found = features.seconds(x)
    assert found.shape == (n // 13, 12)
    for second, row in enumerate(found):
        parts = x[:, 13 * second : 13 * second + 13]
        naive = [part.mean() for part in parts] + [part.std() for part in parts]
        naive += [np.polyfit(np.arange(13), part, 1)[0] for part in parts]
        naive += [np.percentile(part, q) for q in (10, 50, 90) for part in parts]
        np.testing.assert_allclose(row, naive, rtol=1e-9)


def test_less_than_a_second_is_an_error() -> None:
    with pytest.raises(ValueError, match="12 frames are less than a second"):
        features.seconds(np.zeros((2, 12)))


def genre(c: int, seed: int) -> np.ndarray:
    """Loud where no other class is, and restless in its own way."""
    frames = some_frames(60, seed)
    frames[40 * c : 40 * c + 40] += 25 + 10 * np.sin(np.arange(60) * (0.3 + c))
    return frames


@pytest.mark.parametrize("method", ALL, ids=[method.name for method in ALL])
def test_a_method_tells_genres_apart(method: Method) -> None:
    classes = np.tile([0, 1, 2], 12)
    tracks = [genre(c, i) for i, c in enumerate(classes)]
    predictor = method.fit(tracks[:24], classes[:24], 0)
    assert predictor(tracks[24:]).tolist() == classes[24:].tolist()
    again = method.fit(tracks[:24], classes[:24], 0)
    noise = [some_frames(60, 100 + i) for i in range(8)]
    assert np.array_equal(predictor(noise), again(noise))
    assert set(predictor(noise)) <= {0, 1, 2}
