"""`write_atomically`: complete files, kept modes, errors."""

import errno
import os
import re
import stat
import threading
from pathlib import Path

import pytest

from genre_edge.system.atomic_write import write_atomically
from tests.conftest import TIMEOUT_S


def test_write_new_file(tmp_path: Path) -> None:
    """A new file gets the mode of the umask, and no temporary file remains."""
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "new", b"content")
    finally:
        os.umask(before)
    assert (tmp_path / "new").read_bytes() == b"content"
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_write_keeps_mode_and_link(tmp_path: Path) -> None:
    """An existing file keeps its mode, and a symbolic link is followed."""
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "real").chmod(0o600)
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o600


def test_write_to_named_pipe(tmp_path: Path) -> None:
    """A named pipe is written to, not replaced."""
    os.mkfifo(tmp_path / "pipe")
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_atomically(tmp_path / "pipe", b"content")
    reader.join(TIMEOUT_S)
    assert received == [b"content"]
    assert (tmp_path / "pipe").is_fifo()


def test_write_failure_keeps_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed write the old content remains, without a temporary file."""
    (tmp_path / "file").write_bytes(b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_write_error_names_path(tmp_path: Path) -> None:
    """An error names the caller's file, not the temporary one."""
    with pytest.raises(OSError, match="No such file or directory") as caught:
        write_atomically(tmp_path / "none" / "file", b"")
    assert caught.value.filename == str(tmp_path / "none" / "file")


def test_write_failing_rename_names_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the temporary file cannot be renamed, as onto a mount point, the error names the caller's file only."""

    def rename(source: Path, target: Path) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy", str(source), None, str(target))

    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", rename)
    with pytest.raises(OSError, match="Device or resource busy") as caught:
        write_atomically(tmp_path / "a", b"new")
    assert (caught.value.filename, caught.value.filename2) == (str(tmp_path / "a"), None)
    assert [path.name for path in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_bytes() == b"old"


def test_write_failing_disk_names_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's error for a descriptor has no name; the user gets that of the file."""

    def fsync(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match=re.escape(f"Input/output error: '{tmp_path / 'a'}'")):
        write_atomically(tmp_path / "a", b"new")
    assert not [*tmp_path.iterdir()]
