"""open_regular: files only, at once."""

import os
import socket
from pathlib import Path

import pytest

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
