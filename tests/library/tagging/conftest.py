"""A small library with one file in each format."""

from pathlib import Path

import pytest

from tests.helpers.tagging import FORMATS, result, write_audio, write_database


@pytest.fixture(scope="session")
def audio_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Bytes of an untagged file in each format."""
    folder = tmp_path_factory.mktemp("formats")
    return {suffix: write_audio(folder / f"song.{suffix}").read_bytes() for suffix in FORMATS}


@pytest.fixture
def music(tmp_path: Path, audio_files: dict[str, bytes]) -> Path:
    """A folder with an untagged file in each format."""
    folder = tmp_path / "music"
    folder.mkdir()
    for suffix, content in audio_files.items():
        (folder / f"song.{suffix}").write_bytes(content)
    return folder


@pytest.fixture
def database(tmp_path: Path, music: Path) -> Path:
    """A database with rock as the genre of each file of `music`."""
    return write_database(tmp_path / "library.db", map(result, sorted(music.iterdir())))
