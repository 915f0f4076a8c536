"""Expansion of paths, directories and glob patterns."""

import logging
import os
import socket
from pathlib import Path

import pytest

from genre_edge.audio.paths import STDIN, expand, expand_all, explain_unreadable
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


def test_directory_skipped_files(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One warning for each directory counts the files that may be audio; covers, texts and hidden files are no loss."""
    for name in ("x.mid", "y.MID", "album/side a", "album/disc/z.ofr", "album/b. 2nd of the evening"):
        (tree / name).touch()
    for name in (
        "cover.jpg",
        "a.cue",
        "a.m3u",
        "a.log",
        "album/booklet.pdf",
        "album/.z.ofr",
        "album/a.nfo",
        "Thumbs.db",
    ):
        (tree / name).touch()
    with caplog.at_level(logging.WARNING):
        found = expanded("album")
        assert found == ["album/1.flac", "album/2.ogg", "album/disc/3.opus"]
        assert sorted(map(os.path.normpath, expanded("."))) == ALL_AUDIO
    note = "give their names to classify them"
    assert [record.getMessage() for record in caplog.records] == [
        f"album: skipping 3 files without a known audio suffix (.ofr, ...); {note}",
        f".: skipping 5 files without a known audio suffix (.mid, .ofr, ...); {note}",
    ]


def test_glob_skipped_files(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A pattern with `**` reports skipped files, too; directories are none."""
    (tree / "album" / "a.mid").touch()
    assert expanded("album/**") == ["album/1.flac", "album/2.ogg", "album/disc/3.opus"]
    assert [record.getMessage() for record in caplog.records] == [
        "album/**: skipping 1 file without a known audio suffix (.mid); give their names to classify them"
    ]


def test_directory_ordinary_album(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A directory with covers and texts beside the music gives no warning."""
    for name in ("cover.JPG", "a.cue", "a.m3u8", "a.log", "notes.txt", ".DS_Store", "lyrics.lrc", "a.sfv"):
        (tree / "album" / name).touch()
    expanded("album")
    assert not caplog.records


def test_directory_with_unknown_kinds_only(tree: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The error for a directory without audio counts the skipped files, in the same line."""
    (tree / "midi").mkdir()
    (tree / "midi" / "a.mid").touch()
    (item,) = expand("midi")
    assert isinstance(item, AudioError) and not caplog.records
    assert str(item) == (
        "midi: no audio files in this directory; skipping 1 file without a known audio suffix (.mid); "
        "give their names to classify them"
    )


def test_same_file_by_several_names(tree: Path) -> None:
    """A file with several names (links, other spellings, other directories) is yielded once, by its first name."""
    (tree / "c.wav").symlink_to("b.wav")
    os.link(tree / "b.wav", tree / "d.wav")
    (tree / "mirror").symlink_to("album")
    names = ["c.wav", "b.wav", "./b.wav", str(tree / "b.wav"), "d.wav", "*.wav", "album/1.flac", "mirror", "album"]
    assert list(expand_all(names)) == ["c.wav", "album/1.flac", "mirror/2.ogg", "mirror/disc/3.opus"]


def test_same_inode_of_different_files(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file system gives all files the same inode, files of different size or time are kept apart."""
    stat, sizes = os.stat, {"a.MP3": 1, "b.wav": 2}
    same = {name: os.stat_result((0o100644, 7, 7, 1, 0, 0, size, 0, 0, 0)) for name, size in sizes.items()}
    monkeypatch.setattr(os, "stat", lambda path, **options: same.get(path) or stat(path, **options))
    assert list(expand_all(["a.MP3", "b.wav", "a.MP3"])) == ["a.MP3", "b.wav"]


def test_different_files_with_equal_content(tree: Path) -> None:
    """Copies, missing files, standard input and pipes are not merged, but equal names are."""
    os.mkfifo(tree / "pipe.wav")
    names = ["a.MP3", "b.wav", STDIN, "pipe.wav", "missing.wav", "./missing.wav", "missing.wav", STDIN]
    assert list(expand_all(names)) == names[:-2]


@pytest.mark.parametrize("url", ["http://h/a.mp3", "HTTPS://h/live?x=[1]", "rtsp://u:secret@h/a*", "icecast://h/a"])
def test_url_is_no_file(tree: Path, url: str) -> None:
    """A URL is an error that names the command for it, without credentials, and is no glob pattern."""
    (item,) = expand(url)
    assert isinstance(item, AudioError) and "secret" not in str(item)
    assert str(item).endswith(": a URL, not a file; for a live stream, run: genre-edge stream URL")


def test_url_of_unknown_scheme(tree: Path) -> None:
    """A URL that `stream` cannot read either has another hint; an existing path that looks like a URL is a path."""
    (item,) = expand("s3://bucket/a.mp3")
    assert str(item) == "s3://bucket/a.mp3: a URL, not a file; download the file first"
    (tree / "http:" / "h").mkdir(parents=True)
    (tree / "http:" / "h" / "a.mp3").touch()
    assert expanded("http://h/a.mp3") == ["http://h/a.mp3"]


def test_explain_unreadable(tree: Path) -> None:
    """Pipes, sockets and devices have a message with the way out; names are quoted for the shell."""
    os.mkfifo(tree / "a pipe.wav")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.wav")
        reasons = {name: explain_unreadable(name) for name in ("a pipe.wav", "socket.wav", "/dev/null", ".", "missing")}
    standard_input = "pass its data as standard input (WAV, or --raw):"
    assert reasons == {
        "a pipe.wav": f"not a regular file but a pipe; {standard_input} genre-edge classify - < 'a pipe.wav'",
        "socket.wav": f"not a regular file but a socket; {standard_input} COMMAND | genre-edge classify -",
        "/dev/null": "not a regular file but a device; for a sound card, run: genre-edge stream",
        ".": "not a regular file",
        "missing": "not a regular file",
    }


def test_explain_process_substitution() -> None:
    """The shell's `<(COMMAND)` is a pipe whose path is of no use in a message."""
    read_fd, write_fd = os.pipe()
    reason = explain_unreadable(f"/dev/fd/{read_fd}")
    os.close(read_fd)
    os.close(write_fd)
    assert reason.endswith("pass its data as standard input (WAV, or --raw): genre-edge classify - < <(COMMAND)")
