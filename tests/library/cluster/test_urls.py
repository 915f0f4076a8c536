"""Audio files behind fsspec URLs: found in order, copied; names are never parsed, and errors are one line each."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genre_edge.errors import AudioError, GenreEdgeError
from genre_edge.library.cluster import urls
from genre_edge.library.cluster.urls import RemoteFile, download, find
from genre_edge.library.discovery import Filter, FolderError, FoundFile
from tests.library.cluster.nas import NasFileSystem, register_nas

fsspec = pytest.importorskip("fsspec", reason="fsspec is missing: it reads URLs")

ALL = Filter()


@pytest.fixture
def memory() -> Iterator[Any]:
    """A file system in memory with a small library."""
    fs = fsspec.filesystem("memory")
    for name in ("b/2.mp3", "b/1.flac", "b/cover.jpg", "a.ogg", "c/d/e/deep.wav"):
        fs.pipe_file(f"/music/{name}", b"x" * len(name))
    yield fs
    fs.rm("/music", recursive=True)


@pytest.fixture
def nas() -> type[NasFileSystem]:
    """A file system with hosts, of which nas has a small library."""
    kind = register_nas()
    kind.files["nas"] = {"music/a.mp3": b"aa", "music/b/1.mp3": b"b", "music/c/2.mp3": b"c"}
    return kind


def remote(*items: object) -> list[RemoteFile]:
    return [item for item in items if isinstance(item, RemoteFile)]


def test_find(memory: Any) -> None:
    """Audio files in a constant order, with sizes; filters hold."""
    found = list(find(["memory://music"], ALL))
    assert [file.path for file in remote(*found)] == [
        f"memory://music/{name}" for name in ("a.ogg", "b/1.flac", "b/2.mp3", "c/d/e/deep.wav")
    ]
    assert [file.size for file in remote(*found)] == [5, 8, 7, 14]
    (only,) = find(["memory://music"], Filter(include=["*.mp3"]))
    assert isinstance(only, FoundFile) and only.path.endswith("2.mp3")
    (file,) = find(["memory://music/a.ogg"], ALL)
    assert isinstance(file, FoundFile) and file.path == "memory://music/a.ogg"


def test_find_each_file_once(memory: Any) -> None:
    """A URL below another one, or the same with a slash, adds nothing."""
    paths = [file.path for file in remote(*find(["memory://music/b", "memory://music/", "memory://music"], ALL))]
    assert paths == [file.path for file in remote(*find(["memory://music"], ALL))]


@pytest.mark.parametrize("url", ["memory://nowhere", "memory://music/c/d/e/deep.wav/x", "nosuch://a", "s3a b://"])
def test_find_error(url: str, memory: Any) -> None:
    """A URL that cannot be listed is one error that names it; local folders are still searched."""
    (error,) = find([url], ALL)
    assert isinstance(error, (FolderError, GenreEdgeError)) and url in str(error) and "\n" not in str(error)


def test_find_hides_credentials(nas: type[NasFileSystem]) -> None:
    """Neither the messages nor the paths of a URL have its password; the URL is there once."""
    assert [file.path for file in remote(*find(["nas://me:secret@nas/music"], ALL))] == [
        "nas://nas/music/a.mp3",
        "nas://nas/music/b/1.mp3",
        "nas://nas/music/c/2.mp3",
    ]
    for url in ("nas://me:secret@nas/nowhere", "nosuch://me:secret@nas/music", "nas://me:secret@nas/music/x"):
        (error,) = find([url], ALL)
        assert "secret" not in str(error) and str(error).count("://") == 1


def test_find_folder_that_cannot_be_listed(nas: type[NasFileSystem]) -> None:
    """It is an error that names it; the other folders are searched."""
    nas.unlistable.add("music/b")
    found = list(find(["nas://nas/music"], ALL))
    assert [file.path for file in remote(*found)] == ["nas://nas/music/a.mp3", "nas://nas/music/c/2.mp3"]
    (error,) = (item for item in found if isinstance(item, FolderError))
    assert str(error) == "nas://nas/music/b: Input/output error"


def test_find_folder_without_audio() -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/pictures/a.jpg", b"x")
    (error,) = find(["memory://pictures"], ALL)
    assert str(error) == "memory://pictures: no audio files"


def test_find_local_paths_as_a_scan(tmp_path: Path) -> None:
    """Also behind file://: links to devices are not copied, and names need not be UTF-8."""
    (tmp_path / os.fsdecode(b"\xff.mp3")).write_bytes(b"x")
    for root in (str(tmp_path), f"file://{tmp_path}"):
        (file,) = find([root], ALL)
        assert type(file) is FoundFile and os.fsencode(file.path).endswith(b"\xff.mp3")


def test_download(nas: type[NasFileSystem], tmp_path: Path) -> None:
    """A file is read from its host, with the URL's user and password."""
    nas.files["other"] = {"music/a.mp3": b"other"}
    for host, content in (("nas", b"aa"), ("other", b"other")):
        file = remote(*find([f"nas://me:secret@{host}/music"], ALL))[0]
        copy = download(file, tmp_path)
        assert copy.suffix == ".mp3" and copy.read_bytes() == content
    assert nas.users == {"me"}


@pytest.mark.parametrize("name", ["song.mp3::live.mp3", "a?versionId=3.mp3", "c#.mp3", "100%20.mp3"])
def test_download_odd_name(name: str, memory: Any, tmp_path: Path) -> None:
    """A name with characters that mean something in URLs is a name."""
    memory.pipe_file("/music/b/song.mp3", b"another")
    memory.pipe_file(f"/music/b/{name}", b"this")
    (file,) = (file for file in remote(*find(["memory://music/b"], ALL)) if file.path.endswith(f"/{name}"))
    assert download(file, tmp_path).read_bytes() == b"this"


def test_download_error(memory: Any, tmp_path: Path) -> None:
    """A missing file has a reason in words."""
    file = RemoteFile("memory://music/none.mp3", 5, 0, "memory://music", "/music/none.mp3")
    with pytest.raises(AudioError, match=r"^memory://music/none.mp3: No such file or directory$"):
        download(file, tmp_path)


@pytest.mark.parametrize(("size", "n_read"), [(4, 5), (10, 9), (0, 5)])
def test_download_size(size: int, n_read: int, memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading ends soon after the listed size, or after a limit if none is listed; a short file is an error, too."""
    monkeypatch.setattr(urls, "_CHUNK", 1)
    monkeypatch.setattr(urls, "_MAX_BYTES", 4)
    memory.pipe_file("/music/nine.mp3", b"123456789")
    file = RemoteFile("memory://music/nine.mp3", size, 0, "memory://music", "/music/nine.mp3")
    with pytest.raises(AudioError, match=r"another size than when it was listed"):
        download(file, tmp_path)
    assert (tmp_path / "song.mp3").stat().st_size == n_read
