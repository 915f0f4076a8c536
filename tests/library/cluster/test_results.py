"""The folder of the results: files are replaced as a whole, and errors are one line without passwords."""

import os
from pathlib import Path

import pytest

from genre_edge.errors import GenreEdgeError
from genre_edge.library.cluster.results import ResultFolder
from tests.library.cluster.nas import register_nas

pytest.importorskip("fsspec", reason="fsspec is missing: it reads URLs")


@pytest.mark.parametrize("location", ["memory://results/a", "local", "file://local"])
def test_folder(location: str, tmp_path: Path) -> None:
    """Files appear under their names, replace earlier ones, and are removed."""
    folder = ResultFolder(location.replace("local", str(tmp_path / "local")))
    assert folder.names() == set()
    folder.create()
    folder.check()
    folder.write("one", b"1")
    folder.write("two", b"2")
    folder.write("one", b"3")
    assert folder.names() == {"one", "two"} and folder.is_visible("one")
    folder.remove("two")
    folder.remove("two")
    assert folder.names() == {"one"}


def test_folder_is_not_created_by_workers(tmp_path: Path) -> None:
    """A folder that is missing, such as on a disk that is not mounted, is an error; nothing is written elsewhere."""
    folder = ResultFolder(str(tmp_path / "nas" / "out"))
    for call in (folder.check, lambda: folder.write("name", b"")):
        with pytest.raises(GenreEdgeError, match=f"^{tmp_path}/nas/out.*: No such file or directory$"):
            call()
    assert not (tmp_path / "nas").exists() and not folder.is_visible("name")


def test_folder_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path means the current directory of the program that gives it, not that of a worker."""
    monkeypatch.chdir(tmp_path)
    assert ResultFolder("out").location == str(tmp_path / "out")


def test_folder_error(tmp_path: Path) -> None:
    """A place that cannot be written is named, once."""
    (tmp_path / "file").touch()
    folder = ResultFolder(str(tmp_path / "file" / "out"))
    for call in (folder.create, folder.check, lambda: folder.write("name", b"")):
        with pytest.raises(GenreEdgeError) as raised:
            call()
        assert str(raised.value).startswith(f"{tmp_path}/file/out") and str(raised.value).count(str(tmp_path)) == 1


def test_folder_error_hides_credentials() -> None:
    with pytest.raises(GenreEdgeError) as raised:
        ResultFolder("nosuch://me:secret@nas/out")
    assert "secret" not in str(raised.value)
    nas = register_nas()
    nas.unlistable.add("out")
    with pytest.raises(GenreEdgeError, match=f"^nas://nas/out: {os.strerror(5)}$"):
        ResultFolder("nas://me:secret@nas/out").names()
