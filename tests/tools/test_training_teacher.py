"""tools/training/teacher.py against a naive implementation with random weights; nothing is downloaded."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="training needs the extra 'train'")

from tools.training import teacher

KERNELS = [(7, 38, 1, 6), (7, 67, 1, 6), (128, 1, 1, 4), (64, 1, 1, 4), (32, 1, 1, 4)]
WIDTH = sum(shape[-1] for shape in KERNELS)
OVER_TIME = [(7, WIDTH, 1, 5), (7, 5, 1, 5), (7, 5, 1, 5)]
DENSE = 2 * (WIDTH + 3 * 5)


def _weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)

    def name(kind: str, i: int) -> str:
        return f"{kind}_{i}" if i else kind

    arrays = {}
    norms = [1, *[shape[-1] for shape in KERNELS + OVER_TIME], DENSE, 7]
    for i, n in enumerate(norms):
        for part in ("gamma", "beta", "moving_mean"):  # a scale may be negative
            arrays[f"{name('batch_normalization', i)}/{part}"] = rng.normal(size=n)
        arrays[f"{name('batch_normalization', i)}/moving_variance"] = rng.uniform(0.5, 2, n)
    for i, shape in enumerate(KERNELS + OVER_TIME):
        arrays[f"{name('conv2d', i)}/kernel"] = rng.normal(size=shape) / np.sqrt(np.prod(shape[:3]))
        arrays[f"{name('conv2d', i)}/bias"] = rng.normal(size=shape[-1])
    for dense, shape in (("dense", (DENSE, 7)), ("dense_1", (7, 3))):
        arrays[f"{dense}/kernel"], arrays[f"{dense}/bias"] = rng.normal(size=shape), rng.normal(size=shape[1])
    return {key: value.astype(np.float32) for key, value in arrays.items()}


def _naive(x: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Compute the network in the order of the paper: convolution by TensorFlow, ReLU, norm, maximum over bands."""
    import tensorflow as tf

    def norm(y: np.ndarray, i: int) -> np.ndarray:
        g, b, m, v = (
            weights[f"batch_normalization{f'_{i}' if i else ''}/{part}"]
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return (y - m) / np.sqrt(v + 1e-3) * g + b

    def conv(y: np.ndarray, i: int) -> np.ndarray:
        kernel, bias = (weights[f"conv2d{f'_{i}' if i else ''}/{part}"] for part in ("kernel", "bias"))
        if kernel.shape[0] == 7:
            y = np.pad(y, ((0, 0), (3, 3), (0, 0), (0, 0)))
        padding = "VALID" if kernel.shape[0] == 7 else "SAME"
        return norm(np.maximum(tf.nn.conv2d(y, kernel, 1, padding).numpy() + bias, 0), i + 1)

    y = norm(x[..., None], 0)
    front = np.concatenate([conv(y, i).max(axis=2) for i in range(5)], axis=2)
    first = conv(front[..., None], 5)[:, :, 0]
    second = first + conv(first[..., None], 6)[:, :, 0]
    third = second + conv(second[..., None], 7)[:, :, 0]
    features = np.concatenate([front, first, second, third], axis=2)
    pooled = np.stack([features.max(axis=1), features.mean(axis=1)], axis=2).reshape(len(x), -1)
    embedding = norm(np.maximum(norm(pooled, 9) @ weights["dense/kernel"] + weights["dense/bias"], 0), 10)
    return np.concatenate([embedding, embedding @ weights["dense_1/kernel"] + weights["dense_1/bias"]], axis=1)


@pytest.mark.train
def test_network_equals_naive_implementation() -> None:
    """The network gives the outputs of the naive implementation within 1e-3, also with negative scales."""
    import tensorflow as tf

    weights = _weights()
    x = np.random.default_rng(1).uniform(0, 3, (2, teacher.PATCH_FRAMES, teacher.MEL.n_mels)).astype(np.float32)
    outputs = teacher._musicnn(weights.__getitem__)(tf.constant(x)).numpy()
    expected = _naive(x, weights)
    assert outputs.shape == (2, 10)
    np.testing.assert_allclose(outputs, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_log_mel_is_independent_of_level() -> None:
    """Samples are resampled to 16 kHz and scaled to one level."""
    y = np.random.default_rng(2).normal(size=3 * 22050).astype(np.float32)
    loud, soft = teacher.log_mel(y, 22050), teacher.log_mel(y * np.float32(0.01), 22050)
    assert loud.shape == (3 * 16000 // 256 + 1, 96)
    np.testing.assert_allclose(loud, soft, atol=1e-3)


def test_fetch_wrong_hash(tmp_path: Path) -> None:
    """A wheel with another SHA-256 is refused and nothing is extracted."""
    with zipfile.ZipFile(tmp_path / teacher.WHEEL, "w") as archive:
        archive.writestr("musicnn/MSD_musicnn/.index", "")
    with pytest.raises(SystemExit, match=r"SHA-256 is .*, expected f38a4890"):
        teacher.fetch(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [teacher.WHEEL]
