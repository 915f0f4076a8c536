"""Files behind fsspec URLs: found in order, read, written; errors of each file system are one line."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from genre_edge.errors import AudioError, GenreEdgeError
from genre_edge.library.cluster.urls import Folder, download, find
from genre_edge.library.discovery import Filter, FolderError, FoundFile

fsspec = pytest.importorskip("fsspec", reason="fsspec is missing: it reads URLs")

ALL = Filter()


@pytest.fixture
def memory() -> Iterator[object]:
    """A file system in memory with a small library."""
    fs = fsspec.filesystem("memory")
    for name in ("b/2.mp3", "b/1.flac", "b/cover.jpg", "a.ogg", "c/d/e/deep.wav"):
        fs.pipe_file(f"/music/{name}", b"x" * len(name))
    yield fs
    fs.rm("/music", recursive=True)


def test_find(memory: object) -> None:
    """Audio files in a constant order, with sizes; filters hold."""
    found = list(find(["memory://music"], ALL))
    assert [item.path for item in found if isinstance(item, FoundFile)] == [
        f"memory:///music/{name}" for name in ("a.ogg", "b/1.flac", "b/2.mp3", "c/d/e/deep.wav")
    ]
    assert [item.size for item in found if isinstance(item, FoundFile)] == [5, 8, 7, 14]
    assert list(find(["memory://music/b", "memory://music/", "memory://music"], ALL)) == found  # each file once
    (only,) = find(["memory://music"], Filter(include=["*.mp3"]))
    assert isinstance(only, FoundFile) and only.path.endswith("2.mp3")


@pytest.mark.parametrize("url", ["memory://nowhere", "memory://music/c/d/e/deep.wav/x", "nosuch://a", "s3a b://"])
def test_find_error(url: str, memory: object) -> None:
    """A URL that cannot be listed is one error that names it; local folders are still searched."""
    (error,) = find([url], ALL)
    assert isinstance(error, (FolderError, GenreEdgeError)) and url in str(error) and "\n" not in str(error)


def test_folder_without_audio() -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/pictures/a.jpg", b"x")
    (error,) = find(["memory://pictures"], ALL)
    assert str(error) == "memory://pictures: no audio files"


def test_download(memory: object, tmp_path: Path) -> None:
    copy = download("memory://music/b/1.flac", tmp_path)
    assert copy.suffix == ".flac" and copy.read_bytes() == b"x" * 8
    with pytest.raises(AudioError, match=r"^memory://music/none.flac: "):
        download("memory://music/none.flac", tmp_path)


@pytest.mark.parametrize("location", ["memory://results/a", "local"])
def test_folder(location: str, tmp_path: Path) -> None:
    """Files appear under their names, and replace earlier ones."""
    folder = Folder(location if "://" in location else str(tmp_path / location))
    assert folder.names() == set()
    folder.write("one", b"1")
    folder.write("two", b"2")
    folder.write("one", b"3")
    assert folder.names() == {"one", "two"}


def test_folder_error(tmp_path: Path) -> None:
    """A place that cannot be written is named."""
    (tmp_path / "file").touch()
    folder = Folder(str(tmp_path / "file" / "out"))
    with pytest.raises(GenreEdgeError, match=f"^{tmp_path}/file/out/name: Not a directory"):
        folder.write("name", b"")


def test_local_paths_are_searched_as_by_a_scan(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.mp3")).write_bytes(b"x")
    (file,) = find([str(tmp_path)], ALL)
    assert isinstance(file, FoundFile) and os.fsencode(file.path).endswith(b"\xff.mp3")
