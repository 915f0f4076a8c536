"""copy_attributes: what a file has beside its content."""

import ctypes
import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from genre_edge.system.file_attributes import copy_attributes


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Two files with different modes."""
    source, target = tmp_path / "source", tmp_path / "target"
    for path, mode in ((source, 0o640), (target, 0o600)):
        path.touch()
        path.chmod(mode)
    return source, target


def use_macos(monkeypatch: pytest.MonkeyPatch, library: object) -> None:
    """Remove Python's functions for extended attributes, and replace the C library."""
    monkeypatch.delattr(os, "listxattr")
    monkeypatch.setattr(shutil, "_copyxattr", lambda *arguments, **options: None)  # as shutil has it on macOS
    monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno: library)


def test_copy_attributes_on_macos(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS, copyfile(3) copies extended attributes and access control lists, and Python the rest."""
    calls: list[Any] = []
    use_macos(monkeypatch, SimpleNamespace(copyfile=lambda *arguments: calls.append(arguments) or 0))
    copy_attributes(*files)
    assert calls == [(*map(os.fsencode, files), None, 0b101)]  # COPYFILE_ACL | COPYFILE_XATTR
    assert files[1].stat().st_mode & 0o777 == 0o640


def test_copy_attributes_fails_on_macos(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure is an error that names the file: the attributes must not be lost."""

    def fail(*arguments: object) -> int:
        ctypes.set_errno(errno.ENOSPC)
        return -1

    use_macos(monkeypatch, SimpleNamespace(copyfile=fail))
    with pytest.raises(OSError) as caught:
        copy_attributes(*files)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(files[0]))


def test_copy_attributes_without_xattr(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that has neither still copies the mode."""
    use_macos(monkeypatch, SimpleNamespace())
    copy_attributes(*files)
    assert files[1].stat().st_mode & 0o777 == 0o640
