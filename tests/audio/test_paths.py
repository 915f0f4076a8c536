"""Expansion of paths, directories and glob patterns."""

import os
from pathlib import Path

import pytest

from genre_edge.audio.paths import expand
from genre_edge.errors import AudioError


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a tree of empty files, and change to its root."""
    for name in (
        "b.wav",
        "a.MP3",
        "notes.txt",
        ".hidden.wav",
        "._b.wav",
        "album/1.flac",
        "album/2.ogg",
        "album/disc/3.opus",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


ALL_AUDIO = ["a.MP3", "album/1.flac", "album/2.ogg", "album/disc/3.opus", "b.wav"]


def expanded(argument: str) -> list[str]:
    return [str(item) for item in expand(argument)]


def test_directory_is_sorted(tree: Path) -> None:
    """A directory is expanded to its audio files, recursively and sorted by name."""
    assert expanded("album") == ["album/1.flac", "album/2.ogg", "album/disc/3.opus"]
    assert sorted(os.path.normpath(name) for name in expanded(".")) == ALL_AUDIO


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**", ALL_AUDIO),
        ("**/*.flac", ["album/1.flac"]),
        ("*.wav", ["b.wav"]),
        ("al*", ["album/1.flac", "album/2.ogg", "album/disc/3.opus"]),
        ("[ab].*", ["a.MP3", "b.wav"]),
        ("*.aac", ["*.aac: no file matches the pattern"]),
        ("", ["'': No such file or directory"]),
        ("nothing.wav", ["nothing.wav"]),  # opening it gives the error
    ],
)
def test_glob_pattern(tree: Path, pattern: str, expected: list[str]) -> None:
    """A pattern is expanded to each matching audio file once; one without a match is an error."""
    assert expanded(pattern) == expected


def test_existing_file_is_no_pattern(tree: Path) -> None:
    """An existing file whose name contains wildcards is not a pattern."""
    (tree / "[live] *.wav").touch()
    assert expanded("[live] *.wav") == ["[live] *.wav"]


def test_links_are_followed_once(tree: Path) -> None:
    """Linked folders are followed, each once, and cycles end."""
    (tree / "music").mkdir()
    (tree / "music" / "linked").symlink_to(tree / "album")
    (tree / "music" / "linked2").symlink_to(tree / "album")
    (tree / "album" / "up").symlink_to(tree / "music")
    assert expanded("music") == ["music/linked/1.flac", "music/linked/2.ogg", "music/linked/disc/3.opus"]


def test_directory_without_audio(tree: Path) -> None:
    """A directory without audio files is an error."""
    (tree / "empty").mkdir()
    (item,) = expand("empty")
    assert isinstance(item, AudioError) and str(item) == "empty: no audio files in this directory"
