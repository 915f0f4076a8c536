"""What paths, directories and patterns mean, and standard streams that are not as usual."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from genre_edge.audio.paths import expand
from genre_edge.errors import AudioError
from tests.conftest import Cli


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Names only: nothing here is opened."""
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


EVERYTHING = ["a.MP3", "album/1.flac", "album/2.ogg", "album/disc/3.opus", "b.wav"]


def found(argument: str) -> list[str]:
    return [str(item) for item in expand(argument)]


def test_a_directory_in_order(tree: Path) -> None:
    assert found("album") == ["album/1.flac", "album/2.ogg", "album/disc/3.opus"]
    assert sorted(os.path.normpath(name) for name in found(".")) == EVERYTHING


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**", EVERYTHING),
        ("**/*.flac", ["album/1.flac"]),
        ("*.wav", ["b.wav"]),
        ("al*", ["album/1.flac", "album/2.ogg", "album/disc/3.opus"]),
        ("[ab].*", ["a.MP3", "b.wav"]),
        ("*.aac", ["*.aac: no file matches the pattern"]),
        ("", ["'': No such file or directory"]),
        ("nothing.wav", ["nothing.wav"]),  # opening it says why
    ],
)
def test_a_pattern_gives_each_file_once(tree: Path, pattern: str, expected: list[str]) -> None:
    assert found(pattern) == expected


def test_a_name_that_looks_like_a_pattern_is_a_name(tree: Path) -> None:
    (tree / "[live] *.wav").touch()
    assert found("[live] *.wav") == ["[live] *.wav"]


def test_linked_folders_are_followed_and_circles_end(tree: Path) -> None:
    (tree / "music").mkdir()
    (tree / "music" / "linked").symlink_to(tree / "album")
    (tree / "music" / "linked2").symlink_to(tree / "album")
    (tree / "album" / "up").symlink_to(tree / "music")
    assert found("music") == ["music/linked/1.flac", "music/linked/2.ogg", "music/linked/disc/3.opus"]


def test_a_directory_without_audio(tree: Path) -> None:
    (tree / "empty").mkdir()
    (item,) = expand("empty")
    assert isinstance(item, AudioError) and str(item) == "empty: no audio files in this directory"


def test_a_link_into_a_closed_folder_does_not_stop_the_batch(cli: Cli, song: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("nothing is closed to root; what opens it is tested in test_audio_files.py")
    (tmp_path / "closed").mkdir()
    (tmp_path / "link.wav").symlink_to(tmp_path / "closed" / "x.wav")
    (tmp_path / "closed").chmod(0)
    done = cli("classify", tmp_path / "link.wav", song, "--format", "json")
    assert len(json.loads(done.stdout)) == 1 and "Permission denied" in done.stderr


def test_many_channels_at_a_high_rate_agree_from_a_file_and_a_pipe(cli: Cli, song_samples, tmp_path: Path) -> None:
    # Where blocks end relative to frames differs here, and once gave numpy's sums another order.
    samples = (song_samples[: 13 * 22050] * 32767).astype("<i2").repeat(4)[:, None].repeat(5, axis=1)
    soundfile.write(tmp_path / "x.wav", samples, 96000, subtype="PCM_16")
    words = ("--format", "json", "--segments")
    (file,) = json.loads(cli("classify", tmp_path / "x.wav", *words).stdout)
    (pipe,) = json.loads(cli("classify", "-", "--raw", "s16le:96000:5", *words, input=samples.tobytes()).stdout)
    assert pipe | {"source": file["source"]} == file


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams(song: Path, closed: str) -> None:
    command = f'exec "$0" -m genre_edge classify "$1" {closed}'
    done = subprocess.run(["bash", "-c", command, sys.executable, str(song)], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ""
    assert (str(song) in done.stdout) == (">&-" not in closed.replace("2>&-", ""))


@pytest.mark.parametrize(("words", "code"), [(("classify", "nofile.wav"), 1), (("stream", "--tries", "0"), 2)])
def test_a_failure_has_its_code_where_standard_error_is_closed(words: tuple[str, ...], code: int) -> None:
    done = subprocess.run(["bash", "-c", 'exec "$0" -m genre_edge "$@" 2>&-', sys.executable, *words])
    assert done.returncode == code


def test_a_terminal_that_lacks_the_letters(song: Path, tmp_path: Path) -> None:
    names = [tmp_path / "naïve ♫.ogg", tmp_path / "plain.ogg"]
    for name in names:
        name.write_bytes(song.read_bytes())
    for format_ in ("table", "csv", "json"):
        done = subprocess.run(
            [sys.executable, "-m", "genre_edge", "classify", *map(str, names), "--format", format_],
            capture_output=True,
            env=os.environ | {"PYTHONIOENCODING": "latin-1"},
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"plain.ogg" in done.stdout


def test_a_standard_input_that_does_not_block(song_wav: Path) -> None:
    read, write = os.pipe()
    os.set_blocking(read, False)
    command = [sys.executable, "-m", "genre_edge", "classify", "-", "--format", "json"]
    with subprocess.Popen(command, stdin=read, stdout=subprocess.PIPE) as process:
        os.close(read)
        with os.fdopen(write, "wb") as pipe:
            pipe.write(song_wav.read_bytes())
        assert process.stdout is not None
        assert json.loads(process.stdout.read())[0]["end_s"] > 30


def test_a_damaged_mp3_gives_no_lines_of_its_decoder(cli: Cli, song_samples, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.mp3", song_samples[: 5 * 22050], 22050)
    content = bytearray((tmp_path / "x.mp3").read_bytes())
    for at in range(3000, len(content), 37):
        content[at] ^= 0x55
    (tmp_path / "x.mp3").write_bytes(content)
    done = cli("classify", tmp_path / "x.mp3")
    assert all(line.startswith("genre-edge: ") for line in done.stderr.splitlines())
