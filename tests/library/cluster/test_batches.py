"""Batches of files: complete, in order, and stable when files come and go."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from genre_edge.library.cluster.batches import batches
from genre_edge.library.discovery import FoundFile
from genre_edge.library.worker import ScanSettings

SETTINGS = ScanSettings("edge", "edge 6", "ab" * 32)


def files(n: int) -> list[FoundFile]:
    return [FoundFile(f"/music/{i:05d}.mp3", 1000 + i, i) for i in range(n)]


@given(st.integers(0, 500), st.integers(1, 64))
def test_all_files_in_order(n: int, size: int) -> None:
    found = list(batches(files(n), SETTINGS, size))
    assert [file for batch in found for file in batch.files] == files(n)
    assert all(0 < len(batch.files) <= 4 * size for batch in found)
    assert len({batch.name for batch in found}) == len(found)


@given(st.integers(0, 1999))
def test_change_of_one_file(index: int) -> None:
    """Another file, or one of another size or time, changes the name of its own batch, or three at a boundary."""
    before = {batch.name for batch in batches(files(2000), SETTINGS, 16)}
    changed, removed = files(2000), files(2000)
    changed[index] = replace(changed[index], mtime_ns=10**18)
    del removed[index]
    assert len({batch.name for batch in batches(changed, SETTINGS, 16)} - before) == 1
    assert len({batch.name for batch in batches(removed, SETTINGS, 16)} - before) <= 3


def test_name_depends_on_settings() -> None:
    names = {
        next(batches(files(3), settings, 16)).name
        for settings in (SETTINGS, replace(SETTINGS, coverage=0.5), replace(SETTINGS, model_sha256="cd" * 32))
    }
    assert len(names) == 3


def test_mean_size() -> None:
    assert 8 < 2000 / len(list(batches(files(2000), SETTINGS, 16))) < 24


def test_names_that_are_not_utf8() -> None:
    assert len(list(batches([FoundFile("/music/\udcff.mp3", 1, 1)], SETTINGS, 16))) == 1
