"""sync: files reach the disk itself."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from genre_edge.system.atomic_write import write_atomically
from genre_edge.system.sync import sync

F_FULLFSYNC = 51  # of macOS


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the synced files and folders."""
    names: list[str] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        names.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)  # noqa: PTH115
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    return names


def test_sync_without_full_sync(synced: list[str], tmp_path: Path) -> None:
    """Where fsync(2) reaches the disk, it is called, for the file and its folder."""
    write_atomically(tmp_path / "file", b"content")
    assert len(synced) == 2 and synced[0].endswith(".tmp") and synced[1] == tmp_path.name


@pytest.mark.parametrize("fails", [False, True])
def test_sync_on_macos(fails: bool, synced: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS F_FULLFSYNC takes the place of fsync(2), except on a file system that does not have it."""
    commands: list[int] = []

    def control(descriptor: int, command: int) -> int:
        commands.append(command)
        if fails:
            raise OSError(errno.ENOTSUP, "not supported")
        return 0

    monkeypatch.setattr(fcntl, "F_FULLFSYNC", F_FULLFSYNC, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", control)
    with (tmp_path / "file").open("wb") as file:
        sync(file.fileno())
    assert commands == [F_FULLFSYNC] and synced == (["file"] if fails else [])
