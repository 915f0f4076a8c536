"""A small library of songs for the commands that scan one."""

import shutil
from pathlib import Path

import pytest
import soundfile

from tests.helpers.audio import music
from tests.helpers.library import SECONDS


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight short songs in two albums."""
    folder = tmp_path_factory.mktemp("songs")
    for i in range(8):
        album = folder / f"album {i % 2}"
        album.mkdir(exist_ok=True)
        name = album / f"{i}.{('wav', 'flac', 'ogg', 'mp3')[i % 4]}"
        soundfile.write(name, music(SECONDS, 22050, seed=i), 22050)
    return folder


@pytest.fixture
def library(songs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(songs, tmp_path / "music"))
