"""The task of a Dask worker, without Dask: partitions, files that cannot be read, workers that cannot do the scan."""

import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pyarrow import parquet

from genre_edge.errors import GenreEdgeError, ModelError
from genre_edge.library.cluster import task
from genre_edge.library.cluster.batches import Batch
from genre_edge.library.cluster.task import Unreadable, UrlScanner, scan_batch
from genre_edge.library.cluster.urls import RemoteFile
from genre_edge.library.discovery import FoundFile
from genre_edge.library.worker import ScanSettings
from genre_edge.library.worker_process import Limits
from genre_edge.model.bundle import Bundle, bundle_path
from tests.library.cluster.nas import register_nas

SETTINGS = ScanSettings("nano", "nano", Bundle.load(bundle_path("nano")).sha256)
LIMITS = Limits(600, 1 << 30)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for the worker; its process ends after the test."""
    (tmp_path / "worker").mkdir()
    (tmp_path / "out").mkdir()
    yield tmp_path
    if hasattr(task._local, "pool"):
        task._local.pool.close()


def batch_of(*paths: Path) -> Batch:
    return Batch("part-ab.parquet", tuple(FoundFile(str(path), 1, 1) for path in paths))


def scan(folder: Path, batch: Batch, is_last: bool, settings: ScanSettings = SETTINGS) -> task.BatchResult:
    return scan_batch(batch, settings, LIMITS, str(folder / "out"), is_last, str(folder / "worker"))


@pytest.mark.slow
def test_batch_with_bad_file(folder: Path, song: Path) -> None:
    """A file without audio is a row with an error, in a partition that is complete."""
    (folder / "bad.mp3").write_text("no audio")
    result = scan(folder, batch_of(folder / "bad.mp3", song), is_last=False)
    assert result.name == "part-ab.parquet" and result.n_files == 2
    assert result.failures == ((str(folder / "bad.mp3"), "not an audio file that can be read"),)
    errors = parquet.read_table(folder / "out" / result.name)["error"].to_pylist()
    assert errors == ["not an audio file that can be read", None]


@pytest.mark.slow
def test_batch_with_unreadable_file(folder: Path, song: Path) -> None:
    """The batch is left to another worker; the last one writes a partition that does not count as complete."""
    batch = batch_of(folder / "gone.mp3", song)
    with pytest.raises(GenreEdgeError, match=f"^{folder}/gone.mp3: No such file or directory$"):
        scan(folder, batch, is_last=False)
    assert not list((folder / "out").iterdir())
    result = scan(folder, batch, is_last=True)
    assert result.name == batch.retry_name == "retry-ab.parquet"
    assert [path.name for path in (folder / "out").iterdir()] == ["retry-ab.parquet"]
    errors = parquet.read_table(folder / "out" / result.name)["error"].to_pylist()
    assert errors == ["No such file or directory", None]
    shutil.copy(song, folder / "gone.mp3")
    assert scan(folder, batch, is_last=False).name == "part-ab.parquet"


def test_batch_with_another_model(folder: Path, song: Path) -> None:
    with pytest.raises(ModelError, match=r"SHA-256 .* not 00"):
        scan(folder, batch_of(song), is_last=True, settings=replace(SETTINGS, model_sha256="00"))


def test_batch_without_folder_of_results(folder: Path, song: Path) -> None:
    """Nothing is scanned, and the folder is not created, as it may be on a disk that is not mounted."""
    (folder / "out").rmdir()
    with pytest.raises(GenreEdgeError, match=f"^{folder}/out: No such file or directory$"):
        scan(folder, batch_of(song), is_last=True)
    assert not (folder / "out").exists()


def test_remote_file(tmp_path: Path, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row has the URL without credentials; no copy is left, also not of a process that was killed."""
    log = logging.getLogger("genre_edge")  # which the scanner changes, in a process of its own
    monkeypatch.setattr(log, "propagate", True)
    monkeypatch.setattr(log, "handlers", [*log.handlers])
    nas = register_nas()
    nas.files["nas"] = {"music/a.ogg": song.read_bytes()}
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "song.mp3").write_text("a part")
    scanner = UrlScanner(SETTINGS, str(tmp_path))
    file = RemoteFile("nas://nas/music/a.ogg", song.stat().st_size, 5, "nas://me:secret@nas/music", "music/a.ogg")
    scanned = scanner(file)
    assert not isinstance(scanned, Unreadable)
    row, _ = scanned
    assert (row.path, row.size, row.mtime_ns, row.error) == (file.path, file.size, 5, None) and row.genre
    assert not list(tmp_path.iterdir())
    assert scanner(replace(file, source="music/b.ogg")) == Unreadable("KeyError: 'music/b.ogg'")
    assert scanner(replace(file, size=5)) == Unreadable("the file has another size than when it was listed, 5 bytes")


def test_read_error(tmp_path: Path) -> None:
    """Only errors of the system are reasons to try again; a pipe is none."""
    (tmp_path / "a.mp3").write_text("no audio")
    os.mkfifo(tmp_path / "pipe.mp3")
    (tmp_path / "loop.mp3").symlink_to("loop.mp3")
    assert task._read_error(str(tmp_path / "a.mp3")) is None
    assert task._read_error(str(tmp_path / "pipe.mp3")) is None
    assert task._read_error(str(tmp_path / "none.mp3")) == "No such file or directory"
    assert task._read_error(str(tmp_path / "a.mp3" / "b.mp3")) == "Not a directory"
    assert task._read_error(str(tmp_path / "loop.mp3")) == "Too many levels of symbolic links"
    assert task._read_error("/proc/self/mem") == "Input/output error"
