"""A scan: what it writes when files change, vanish or cannot be classified meanwhile, and which rows it knows."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile

from genre_edge.library.database import LibraryDatabase
from genre_edge.library.discovery import Filter, FoundFile, discover
from genre_edge.library.pool import Pool
from genre_edge.library.scan import Scan
from genre_edge.library.worker import FileScanner, ScanSettings, failed_row
from genre_edge.library.worker_process import Failure, Limits, StartError
from genre_edge.model.prediction import Model
from tests.helpers.audio import music

LIMITS = Limits(300, 1 << 30)
SETTINGS = ScanSettings("nano", "nano", Model("nano").bundle.sha256)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A song in a folder of its own."""
    (tmp_path / "music").mkdir()
    path = tmp_path / "music" / "a.wav"
    soundfile.write(path, music(6.0, 22050, seed=0), 22050)
    return path


@pytest.fixture
def scan(song: Path, tmp_path: Path) -> Iterator[Scan]:
    """A scan of the folder into a new database."""
    with LibraryDatabase(tmp_path / "a.db") as database:
        yield Scan(database, [song.parent], SETTINGS)


def found(*roots: Path) -> list[FoundFile]:
    """Return the files below some folders; there must be no errors."""
    files = [item for item in discover(roots, Filter()) if isinstance(item, FoundFile)]
    assert files
    return files


def test_file_saved_during_its_classification(song: Path, scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next scan classifies it again: the result is that of the audio that was there before."""
    scanner = FileScanner(SETTINGS)
    classify = scanner._classifier.classify

    def classify_and_save(*arguments: Any) -> Any:
        verdict = classify(*arguments)
        soundfile.write(song, music(8.0, 22050, seed=1), 22050)
        return verdict

    monkeypatch.setattr(scanner._classifier, "classify", classify_and_save)
    (file,) = found(song.parent)
    scan.database.write([scanner(file)])
    assert [row.duration_s for row in scan.database.rows()] == [pytest.approx(6, abs=0.1)]
    assert scan.plan(found(song.parent), False).classify == found(song.parent)
    scan.database.write([FileScanner(SETTINGS)(found(song.parent)[0])])
    assert scan.plan(found(song.parent), False).n_unchanged == 1


def test_file_saved_before_its_classification(song: Path, scan: Scan) -> None:
    """A file that is saved while it waits for a worker is classified once; only its size and time are new."""
    (file,) = found(song.parent)
    soundfile.write(song, music(8.0, 22050, seed=1), 22050)
    scan.database.write([FileScanner(SETTINGS)(file)])
    assert [row.duration_s for row in scan.database.rows()] == [pytest.approx(8, abs=0.1)]
    assert scan.plan(found(song.parent), False).touched == found(song.parent)


def test_vanished_file_keeps_its_row(song: Path, scan: Scan) -> None:
    """If a disk is lost during a scan, its files fail, and the rows of earlier scans stay."""
    list(scan.classify(found(song.parent), 1, LIMITS))
    before = list(scan.database.rows())
    assert before[0].error is None
    (file,) = found(song.parent)
    song.rename(song.with_name("elsewhere"))
    new = replace(file, path=str(song.with_name("new.wav")))
    rows = {row.path: row.error for row in scan.classify([replace(file, size=1), new], 1, LIMITS)}
    assert rows.keys() == {file.path, new.path}
    assert all(error is not None and "No such file" in error for error in rows.values())
    assert list(scan.database.rows()) == before
    song.write_text("text")
    list(scan.classify(found(song), 1, LIMITS))
    assert [row.error for row in scan.database.rows()] == ["not an audio file that can be read"]


def test_workers_that_cannot_start(song: Path, scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scan ends, no file gets an error, and the results that are there are written."""
    broken = replace(scan, settings=replace(SETTINGS, model="no such model"))
    with pytest.raises(StartError, match=r"a worker process cannot be started: .*no such model"):
        list(broken.classify(found(song.parent), 1, LIMITS))
    assert not list(scan.database.rows())

    def run(pool: object, tasks: list[FoundFile]) -> Iterator[tuple[FoundFile, Failure]]:
        yield tasks[0], Failure("reason")
        raise StartError("the second worker")

    monkeypatch.setattr(Pool, "run", run)
    with pytest.raises(StartError, match="the second worker"):
        list(scan.classify(found(song.parent), 1, LIMITS))
    assert [row.error for row in scan.database.rows()] == ["reason"]


def test_rows_of_files_that_a_pattern_finds(song: Path, scan: Scan) -> None:
    """Files are compared with their rows also if a pattern has found them; other rows are not missing."""
    (file,) = found(song.parent)
    scan.database.write([(failed_row(SETTINGS, file, "reason"), [])])
    scan.database.write([(failed_row(SETTINGS, replace(file, path=f"{file.path}2.wav"), "reason"), [])])
    pattern = song.parent.parent / "mus*" / "a.*"
    changes = replace(scan, roots=[pattern]).plan(found(pattern), False)
    assert (changes.n_unchanged, changes.classify, changes.gone) == (1, [], [])
