"""`Overview` against its naive twin, and the PNG image."""

import io
from itertools import product

import numpy as np
import pytest
from PIL import Image

from genre_edge.errors import GenreEdgeError
from genre_edge.mel.config import MelConfig
from genre_edge.output.spectrogram_image import Overview, draw


def frames(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(-40, 10, (8, n)).astype(np.float32)


LENGTHS = [1, 1399, 1400, 1401, 2801, 5603, 20011]


@pytest.mark.parametrize(("n", "chunk"), [*product(LENGTHS, [7, 4096]), *product(LENGTHS[:-1], [1])])
def test_overview_equals_naive_maximum(n: int, chunk: int) -> None:
    """Each column is the maximum of its frames, for any chunk sizes."""
    x, overview = frames(n), Overview(8)
    for first in range(0, n, chunk):
        overview.push(x[:, first : first + chunk])
    k = overview.frames_per_column
    naive = np.stack([x[:, first : first + k].max(axis=1) for first in range(0, n, k)], axis=1)
    assert np.array_equal(overview.columns(), naive)
    assert overview.columns().shape[1] <= 1401


def test_draw_loud_band() -> None:
    """The image shows a loud band at its place."""
    mel = MelConfig(n_mels=64, hop_length=1708)
    x = np.full((64, 100), -80, dtype=np.float32)
    x[20, 50:] = 0
    overview = Overview(64)
    overview.push(x)
    image = np.asarray(Image.open(io.BytesIO(draw(overview, mel, 80.0, "a tone"))).convert("L")).astype(int)
    plot = image[40 : 40 + 64 * 3, 74 : 74 + 900]
    assert plot[:, :440].max() < 40  # dark before the tone
    bright = np.flatnonzero(plot[:, 800] > 200)
    assert bright.tolist() == [3 * (63 - 20), 3 * (63 - 20) + 1, 3 * (63 - 20) + 2]


def test_draw_without_frames() -> None:
    """An overview without frames is a GenreEdgeError."""
    with pytest.raises(GenreEdgeError, match="holds no audio"):
        draw(Overview(8), MelConfig(n_mels=8), 80.0, "nothing")
