"""Effects on mel spectrograms, against their definitions."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="training needs the extra 'train'")

from genre_edge.mel.spectrogram import MelSpectrogram
from tools.training.distillation.effects import FLOOR_DB, Effects, crop, to_db, to_power
from tools.training.distillation.students import MEL

EFFECTS = Effects(MEL)


def sound(seed: int = 0, n: int = 200) -> np.ndarray:
    """Return a random spectrogram, `(n_mels, n)` in dB."""
    return np.random.default_rng(seed).normal(-30, 8, (MEL.n_mels, n)).astype(np.float32)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def mean_db(x: np.ndarray) -> float:
    return float(10 * np.log10((10 ** (x.astype(np.float64) / 10)).mean()))


def test_to_db_inverts_to_power() -> None:
    """Powers below the floor become the floor."""
    x = np.array([[-120.0, -99.0, 0.0, 40.0]], dtype=np.float32)
    np.testing.assert_allclose(to_db(to_power(x)), np.maximum(x, FLOOR_DB), atol=1e-4)


def test_noise_matches_noise_in_samples() -> None:
    """Power and spread in each band are those of white noise in the samples, at the stated ratio."""
    y = np.random.default_rng(1).normal(0, 1, 20 * int(MEL.sr)).astype(np.float32)
    real = to_power(MelSpectrogram(MEL).db(y)[:, 5:-5])
    simulated = EFFECTS._white_noise
    ratio = (real.mean(axis=1) / simulated.mean(axis=1))[2:]
    np.testing.assert_allclose(ratio / ratio.mean(), 1, atol=0.15)
    spread = [(p.std(axis=1) / p.mean(axis=1))[[5, 60, 120]] for p in (real, simulated)]
    np.testing.assert_allclose(*spread, rtol=0.35)


@pytest.mark.parametrize("snr_db", [-3.0, 10.0, 30.0])
def test_add_noise_ratio(snr_db: float) -> None:
    """The added power is `snr_db` below the sound's."""
    x = sound()
    noise = to_power(EFFECTS.add_noise(x, snr_db, rng())) - to_power(x)
    assert 10 * np.log10(to_power(x).mean() / noise.mean()) == pytest.approx(snr_db, abs=0.1)


def test_mix_adds_powers() -> None:
    """The second sound has the stated level relative to the first."""
    x, other = sound(0), sound(1) - 20
    mixed = EFFECTS.mix(x, other, -6.0)
    share = to_power(mixed) - to_power(x)
    assert 10 * np.log10(share.mean() / to_power(x).mean()) == pytest.approx(-6, abs=0.01)
    assert np.corrcoef(share.ravel(), to_power(other).ravel())[0, 1] > 0.999


def test_bandpass_keeps_band_and_attenuates_rest() -> None:
    """Bands within the limits are unchanged; each band beyond loses the slope once more."""
    x = sound()
    y = EFFECTS.bandpass(x, 300, 3400, 6.0)
    inside = (EFFECTS.band_hz > 320) & (EFFECTS.band_hz < 3350)
    assert np.array_equal(y[inside], x[inside])
    first = int(np.flatnonzero(EFFECTS.band_hz > 3600)[0])
    loss = (x - y)[first : first + 5, 0]
    np.testing.assert_allclose(np.diff(loss), 6, atol=0.01)
    assert EFFECTS.bandpass(x, 0, 3400, 6.0)[0, 0] == x[0, 0]


def test_reverberation_decays_exponentially() -> None:
    """After a click the power decays by 60 dB in the reverberation time, in all bands alike."""
    x = np.full((MEL.n_mels, 150), FLOOR_DB, dtype=np.float32)
    x[:, 20] = 0
    level = EFFECTS.reverberate(x, rng()).mean(axis=0)
    slopes = np.diff(level[25:60])
    assert np.ptp(slopes) < 0.05 and -60 / 20 < slopes.mean() < -60 / 120


def test_random_effects_are_reproducible_and_finite() -> None:
    """The same generator state gives the same result; another one does not."""
    for effect in (EFFECTS.equalise, EFFECTS.limit_band, EFFECTS.telephone, EFFECTS.reverberate, EFFECTS.code):
        x = effect(sound(), rng())
        assert x.dtype == np.float32 and x.shape == sound().shape and np.isfinite(x).all()
        assert np.array_equal(x, effect(sound(), rng()))
        assert not np.array_equal(x, effect(sound(), np.random.default_rng(8)))


@pytest.mark.parametrize("n", [1, 100, 499, 500, 5000])
def test_crop_has_length_and_own_values(n: int) -> None:
    """A crop of any recording has the length, and no values but the recording's."""
    frames = sound(0, n).astype(np.float16)
    generator = rng()
    for _ in range(20):
        x = crop(frames, 500, generator)
        assert x.shape == (MEL.n_mels, 500) and x.dtype == np.float32
        assert np.isin(x, frames.astype(np.float32)).all()
