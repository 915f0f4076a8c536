"""Killed scans and scans of bad files, on small libraries; the programs themselves take larger ones."""

import random
from pathlib import Path

import pytest

from tools.library import kill_scan, odd_files
from tools.library.kills import DamageError


@pytest.mark.slow
def test_kills_at_random_moments(tmp_path: Path) -> None:
    """After each kill each row is that of an uninterrupted scan, and nothing is left behind."""
    library = kill_scan.make_library(tmp_path, 24)
    _, n_rows = kill_scan.run_kills(library, 5, random.Random(0))
    assert n_rows == 24


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"/a": (1,)}, None),
        ({"/a": (2,)}, "the row of '/a' differs"),
        ({"/c": (1,)}, "'/c' has a row, but not after"),
    ],
)
def test_check_rows(rows: dict[str, tuple[object, ...]], message: str | None) -> None:
    """Rows may be missing after a kill; another row, or one of an unknown file, is damage."""
    expected: dict[str, tuple[object, ...]] = {"/a": (1,), "/b": (1,)}
    if message is None:
        kill_scan.check_rows(rows, expected)
    else:
        with pytest.raises(DamageError, match=message):
            kill_scan.check_rows(rows, expected)


@pytest.mark.slow
def test_odd_files(tmp_path: Path) -> None:
    """A scan of damaged, odd and huge files ends within its limits, with a row or a message for each."""
    odd_files.write_all(tmp_path / "music", n_mutated=30, bomb_s=60, seed=1)
    faults, summary = odd_files.check(tmp_path / "music", tmp_path / "library.db", odd_files.Limits())
    assert not faults, "\n".join([summary, *faults])
