"""Killed scans and scans of bad files, on small libraries; the programs themselves take larger ones."""

import random
from pathlib import Path

import pytest

from tools.library import kill_scan, odd_files


@pytest.mark.slow
def test_kills_at_random_moments(tmp_path: Path) -> None:
    """After each kill each row is that of an uninterrupted scan, and nothing is left behind."""
    library = kill_scan.make_library(tmp_path, 24)
    _, n_rows = kill_scan.run_kills(library, 5, random.Random(0))
    assert n_rows == 24


@pytest.mark.slow
def test_odd_files(tmp_path: Path) -> None:
    """A scan of damaged, odd and huge files ends within its limits, with a row or a message for each."""
    odd_files.write_all(tmp_path / "music", n_mutated=30, bomb_s=60, seed=1)
    faults, summary = odd_files.check(tmp_path / "music", tmp_path / "library.db", odd_files.Limits())
    assert not faults, summary
