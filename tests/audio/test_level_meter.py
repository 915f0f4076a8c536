"""LevelMeter: level, position and dropped samples of a stream."""

import numpy as np
import pytest

from genre_edge.audio.block import Block
from genre_edge.audio.level_meter import AVERAGING_S, FLOOR_DB, LevelMeter
from tests.helpers.audio import tone

RATE = 22050


@pytest.mark.parametrize(("amplitude", "level_db"), [(1.0, -3.01), (0.1, -23.01), (0.001, -63.01)])
@pytest.mark.parametrize("size", [100, 2205, 22050])
def test_level_of_sine(amplitude: float, level_db: float, size: int) -> None:
    """The level is the RMS of the samples, for any block size."""
    meter, samples = LevelMeter(), tone(441, 4, RATE, amplitude)
    for i in range(0, len(samples), size):
        meter(Block(samples[i : i + size], RATE, i))
    assert meter.level_db == pytest.approx(level_db, abs=0.2)
    assert meter.end_s == 4


def test_level_decays_in_silence() -> None:
    """The level falls with the averaging time constant."""
    meter = LevelMeter()
    meter(Block(tone(441, 4, RATE, 1.0), RATE, 0))
    for i in range(10):
        meter(Block(np.zeros(2205, np.float32), RATE, 4 * RATE + i * 2205))
    assert meter.level_db == pytest.approx(-3 + 10 * np.log10(np.exp(-1 / AVERAGING_S)), abs=0.1)


def test_level_without_samples() -> None:
    """Silence and a stream without samples have the floor level; dropped samples are no samples."""
    meter = LevelMeter()
    assert (meter.level_db, meter.end_s) == (FLOOR_DB, 0.0)
    meter(Block(np.empty(0, np.float32), RATE, 100, dropped=100))
    assert (meter.has_samples, meter.dropped_samples) == (False, 100)
    meter(Block(np.zeros(100, np.float32), RATE, 100))
    meter(Block(np.empty(0, np.float32), RATE, 300, dropped=100))
    assert meter.has_samples
    assert (meter.level_db, meter.dropped_samples, meter.end_s) == (FLOOR_DB, 200, 300 / RATE)
