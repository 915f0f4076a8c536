"""open_regular: files only, at once."""

import errno
import os
import socket
from pathlib import Path

import pytest

from genre_edge.audio.files import open_descriptor
from genre_edge.errors import AudioError
from genre_edge.system.regular_file import open_regular


def test_open_regular(tmp_path: Path) -> None:
    """A file is opened, also through a link."""
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"content"


def test_open_regular_refuses_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipes, sockets, devices and folders are refused, and no descriptor stays open."""
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    os.mkfifo("fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        n_files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        for name in ("fifo", "socket", "/dev/zero", "/dev/null"):
            with pytest.raises(OSError, match="not a regular file"):
                open_regular(Path(name))
        with pytest.raises(IsADirectoryError):
            open_regular(tmp_path)
        with pytest.raises(FileNotFoundError):
            open_regular(tmp_path / "missing")
        assert len(os.listdir("/proc/self/fd")) == n_files  # noqa: PTH208


@pytest.mark.parametrize("number", [errno.ENXIO, errno.EOPNOTSUPP], ids=["Linux", "macOS"])
def test_open_socket(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Systems have different errors for opening a socket; the message is the same."""

    def fail(path: Path, flags: int) -> int:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("song.wav")
        monkeypatch.setattr(os, "open", fail)
        with pytest.raises(OSError, match="not a regular file"):
            open_regular(Path("song.wav"))
        with pytest.raises(AudioError, match=r"^song\.wav: not a regular file but a socket; "):
            open_descriptor(Path("song.wav"))
