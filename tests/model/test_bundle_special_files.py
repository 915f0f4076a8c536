"""Bundles whose parts are pipes, sockets, devices or folders: one error at once."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from genre_edge.errors import ModelError
from genre_edge.model.prediction import Model
from tests.helpers.bundles import TINY


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize("name", ["bundle.json", "model.tflite"])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "not a regular file"),
        (make_socket, "not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "not a regular file"),
        (Path.mkdir, "Is a directory"),
    ],
)
def test_special_file_in_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[Path], None], reason: str
) -> None:
    """A part that is no regular file is refused, without waiting for a writer."""
    shutil.copytree(TINY, tmp_path / "bundle")
    monkeypatch.chdir(tmp_path / "bundle")  # a socket's path is short
    Path(name).unlink()
    make(Path(name))
    with pytest.raises(ModelError) as caught:
        Model(tmp_path / "bundle")
    assert str(caught.value) == f"{tmp_path / 'bundle' / name}: {reason}"
