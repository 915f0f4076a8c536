"""`genre-edge classify` with unusual standard streams, terminals and inputs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from tests.conftest import Cli


def test_unreadable_link_does_not_end_batch(cli: Cli, song: Path, tmp_path: Path) -> None:
    """A link into a folder without permission is one error; the other files are classified."""
    if os.geteuid() == 0:
        pytest.skip("root can read everything; tests/audio/test_files.py tests this without root's rights")
    (tmp_path / "closed").mkdir()
    (tmp_path / "link.wav").symlink_to(tmp_path / "closed" / "x.wav")
    (tmp_path / "closed").chmod(0)
    done = cli("classify", tmp_path / "link.wav", song, "--format", "json")
    assert len(json.loads(done.stdout)) == 1 and "Permission denied" in done.stderr


@pytest.mark.slow
def test_file_equals_pipe_with_many_channels(cli: Cli, song_samples, tmp_path: Path) -> None:
    """A file and a pipe give the same verdict with five channels at 96 kHz."""
    # Blocks of a file and of a pipe have different lengths; the order of numpy's sums must not depend on them.
    samples = (song_samples[: 13 * 22050] * 32767).astype("<i2").repeat(4)[:, None].repeat(5, axis=1)
    soundfile.write(tmp_path / "x.wav", samples, 96000, subtype="PCM_16")
    options = ("--format", "json", "--segments")
    (file,) = json.loads(cli("classify", tmp_path / "x.wav", *options).stdout)
    (pipe,) = json.loads(cli("classify", "-", "--raw", "s16le:96000:5", *options, input=samples.tobytes()).stdout)
    assert pipe | {"source": file["source"]} == file


@pytest.mark.parametrize(
    "closed", ["<&- >&- 2>&-", *(pytest.param(one, marks=pytest.mark.slow) for one in ("<&-", ">&-", "2>&-"))]
)
def test_closed_standard_streams(song: Path, closed: str) -> None:
    """Closed standard streams do not make `classify` fail."""
    command = f'exec "$0" -m genre_edge classify "$1" {closed}'
    done = subprocess.run(["bash", "-c", command, sys.executable, str(song)], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ""
    assert (str(song) in done.stdout) == (">&-" not in closed.replace("2>&-", ""))


@pytest.mark.slow
@pytest.mark.parametrize(("arguments", "code"), [(("classify", "nofile.wav"), 1), (("stream", "--tries", "0"), 2)])
def test_exit_code_with_closed_stderr(arguments: tuple[str, ...], code: int) -> None:
    """A failure has its exit code although standard error is closed."""
    done = subprocess.run(["bash", "-c", 'exec "$0" -m genre_edge "$@" 2>&-', sys.executable, *arguments])
    assert done.returncode == code


@pytest.mark.slow
def test_terminal_without_unicode(song: Path, tmp_path: Path) -> None:
    """A terminal encoding without the characters of a file name causes no error."""
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


def test_non_blocking_stdin(song_wav: Path) -> None:
    """A non-blocking standard input is read to its end."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    command = [sys.executable, "-m", "genre_edge", "classify", "-", "--format", "json"]
    with subprocess.Popen(command, stdin=read, stdout=subprocess.PIPE) as process:
        os.close(read)
        with os.fdopen(write, "wb") as pipe:
            pipe.write(song_wav.read_bytes())
        assert process.stdout is not None
        assert json.loads(process.stdout.read())[0]["end_s"] > 30


def test_library_output_is_not_in_results() -> None:
    """What a C library prints on standard output, as libsndfile does for some damaged files, is discarded."""
    program = """
import os, sys
from genre_edge.cli import standard_streams
print("before")
standard_streams.silence_libraries()
os.write(1, b"from C\\n")
print("after", "\\udcff")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=os.environ | {"LC_ALL": "C.UTF-8"})
    assert (done.returncode, done.stdout.splitlines()) == (0, [b"before", b"after \xff"])


def test_decoder_messages_are_hidden(cli: Cli, song_samples, tmp_path: Path) -> None:
    """The mp3 decoder's own messages do not appear on standard error."""
    soundfile.write(tmp_path / "x.mp3", song_samples[: 5 * 22050], 22050)
    content = bytearray((tmp_path / "x.mp3").read_bytes())
    for at in range(3000, len(content), 37):
        content[at] ^= 0x55
    (tmp_path / "x.mp3").write_bytes(content)
    done = cli("classify", tmp_path / "x.mp3")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2)
    assert all(line.startswith("genre-edge: ") for line in done.stderr.splitlines())
