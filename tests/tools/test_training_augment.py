"""tools/training/augment.py: shapes, seeds and the effect of each augmentation."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from tools.training import augment


def test_augmentations_are_seeded() -> None:
    """The same seed gives the same result; shapes and float32 are kept; masks set values to 0."""
    x = np.random.default_rng(3).normal(0, 15, (40, 32, 12)).astype(np.float32)

    def augmented(seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        return [augment.crop(x[0], 3, 20, 1.5, rng), augment.perturb(x, rng), augment.mask(x, rng)]

    first, again, other = augmented(5), augmented(5), augmented(6)
    assert [(a.shape, a.dtype) for a in first] == [((32, 20), np.float32), (x.shape, np.float32), (x.shape, np.float32)]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first[1:], other[1:], strict=True))
    hidden = first[2] == 0
    assert 0.02 < hidden.mean() < 0.9 and np.array_equal(first[2][~hidden], x[~hidden])


def test_perturb_applies_one_gain_per_band() -> None:
    """The equaliser is constant over time and smooth over bands."""
    x = np.random.default_rng(4).uniform(-20, 0, (20, 32, 12)).astype(np.float32)  # nothing near any floor
    gains = augment.perturb(x, np.random.default_rng(0)) - x
    assert np.ptp(gains, axis=2).max() < 1e-4
    assert np.abs(gains).max() > 3 and np.median(np.abs(np.diff(gains[:, :, 0], axis=1))) < 1  # smooth


def test_add_noise_power() -> None:
    """The added power is 3 to 30 dB below the patch's mean power."""
    x = np.random.default_rng(4).uniform(-20, 0, (300, 32, 12)).astype(np.float32)
    noisy = augment.add_noise(x, np.random.default_rng(1))
    power = 10 ** (x / 10)
    below = -10 * np.log10((10 ** (noisy / 10) - power).mean(axis=(1, 2)) / power.mean(axis=(1, 2)))
    assert (noisy > x - 1e-4).all() and noisy.dtype == np.float32
    assert 2.99 < below.min() < 5 and 28 < below.max() < 30.1


def test_limit_band_attenuates_edges() -> None:
    """Only outer bands are attenuated: the top more often than the bottom, the middle never."""
    x = np.random.default_rng(4).uniform(-20, 0, (300, 32, 12)).astype(np.float32)
    lost = (x - augment.limit_band(x, np.random.default_rng(1))).min(axis=2)
    assert np.array_equal(lost[:, 5:16], np.zeros((300, 11)))
    assert (lost >= 0).all() and (lost[:, -1] > 8).mean() > 0.5 and 0.2 < (lost[:, 0] > 8).mean() < 0.6


def test_limit_to_telephone_band() -> None:
    """Bands of 300 to 3400 Hz are unchanged, all others removed; the edges vary between patches."""
    x = np.full((50, 128, 3), -20, dtype=np.float32)
    lost = (x - augment.limit_to_telephone_band(x, np.random.default_rng(1)))[..., 0]
    assert not lost[:, 14:82].any() and (lost[:, [0, 7, 88, 127]] > 60).all()
    assert len({tuple(row > 0) for row in lost}) > 10


def test_degrade_keeps_some_patches() -> None:
    """About four ninths of the patches get neither degradation; the seed decides which."""
    x = np.random.default_rng(4).uniform(-20, 0, (300, 32, 12)).astype(np.float32)
    degraded = augment.degrade(x, np.random.default_rng(1))
    same = (degraded == x).all(axis=(1, 2))
    assert 0.35 < same.mean() < 0.55  # two thirds of two thirds
    assert np.array_equal(degraded, augment.degrade(x, np.random.default_rng(1)))


def test_crop_wraps_around() -> None:
    """A crop that extends beyond an end of the track continues at the other end."""
    frames = np.arange(10, dtype=np.float32)[None] * np.ones((3, 1), dtype=np.float32)

    class NoChange:
        def random(self) -> float:
            return 0.9  # neither speed nor pitch

    cropped = augment.crop(frames, 8, 4, 1, NoChange())  # type: ignore[arg-type]
    assert cropped.tolist() == [[8, 9, 0, 1]] * 3
    assert augment.crop(frames, -2, 4, 2, NoChange()).tolist() == [[8, 0, 2, 4]] * 3  # type: ignore[arg-type]


def test_mixup_blends_inputs_and_targets() -> None:
    """Inputs and targets are blended with the same weights, for a share of the examples."""
    x = np.arange(50, dtype=np.float32)
    mixed, targets = augment.mixup(x[:, None, None], np.eye(50, dtype=np.float32), np.random.default_rng(0), 0.3)
    np.testing.assert_allclose(mixed[:, 0, 0], targets @ x, rtol=1e-4)
    assert 5 < (targets.max(axis=1) < 1).sum() < 30 and np.argmax(targets, axis=1).tolist() == list(range(50))
