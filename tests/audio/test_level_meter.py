"""The level of a stream, and what else has gone by."""

import numpy as np
import pytest

from genre_edge.audio.block import Block
from genre_edge.audio.level_meter import AVERAGING_S, FLOOR_DB, LevelMeter
from tests.helpers.audio import tone
from tests.helpers.view import RATE, meter


@pytest.mark.parametrize(("amplitude", "level_db"), [(1.0, -3.01), (0.1, -23.01), (0.001, -63.01)])
@pytest.mark.parametrize("size", [100, 2205, 22050])
def test_the_level_is_that_of_the_samples_however_they_are_cut(amplitude: float, level_db: float, size: int) -> None:
    found, samples = LevelMeter(), tone(441, 4, RATE, amplitude)
    for i in range(0, len(samples), size):
        found(Block(samples[i : i + size], RATE, i))
    assert found.level_db == pytest.approx(level_db, abs=0.2)
    assert found.end_s == 4


def test_the_level_falls_within_a_second() -> None:
    found = meter(4, 1.0)
    for i in range(10):
        found(Block(np.zeros(2205, np.float32), RATE, 4 * RATE + i * 2205))
    assert found.level_db == pytest.approx(-3 + 10 * np.log10(np.exp(-1 / AVERAGING_S)), abs=0.1)


def test_silence_and_nothing_have_a_level() -> None:
    found = LevelMeter()
    assert (found.level_db, found.end_s) == (FLOOR_DB, 0.0)
    found(Block(np.empty(0, np.float32), RATE, 100, dropped=100))
    assert (found.heard, found.dropped_samples) == (False, 100)
    found(Block(np.zeros(100, np.float32), RATE, 100))
    found(Block(np.empty(0, np.float32), RATE, 300, dropped=100))
    assert found.heard
    assert (found.level_db, found.dropped_samples, found.end_s) == (FLOOR_DB, 200, 300 / RATE)
