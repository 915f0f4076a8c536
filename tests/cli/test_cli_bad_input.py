"""Bad input: one error line that names the file and the reason, the exit code, and all other files classified."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import Cli

RATE = 22050


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, song_samples: np.ndarray) -> Path:
    """A folder with damaged, empty, short and unusual files, beside two ordinary ones."""
    path = tmp_path_factory.mktemp("bad input")
    excerpt = song_samples[: 8 * RATE]
    soundfile.write(path / "good.wav", excerpt, RATE)
    soundfile.write(path / "whole.mp3", excerpt, RATE)
    (path / "truncated.mp3").write_bytes((path / "whole.mp3").read_bytes()[:20000])
    (path / "empty.wav").touch()
    (path / "text.wav").write_text("this is not audio\n" * 100)
    soundfile.write(path / "header only.wav", np.zeros(0, dtype=np.float32), RATE)
    (path / "broken link.wav").symlink_to(path / "nowhere.wav")
    soundfile.write(path / "768k.wav", np.tile(excerpt, 5), 768_000, subtype="PCM_16")
    soundfile.write(path / "eight.wav", np.repeat(excerpt[:, None], 8, axis=1), RATE)
    soundfile.write(path / "short.wav", excerpt[: RATE // 10], RATE)
    soundfile.write(path / "silence.wav", np.zeros(5 * RATE, dtype=np.float32), RATE)
    soundfile.write(path / "nan.wav", np.full(5 * RATE, np.nan, dtype=np.float32), RATE, subtype="FLOAT")
    (path / "forbidden.wav").write_bytes((path / "good.wav").read_bytes())
    return path


FAILURES = {
    "empty.wav": "the file is empty",
    "text.wav": "not an audio file that can be read",
    "header only.wav": "holds no audio",
    "broken link.wav": "broken link",
    "nan.wav": "sample 0 has an invalid value (nan)",
    "missing.wav": "No such file or directory",
}
WITHOUT_GENRE = {"short.wav": "too_short", "silence.wav": "silence"}
CLASSIFIED = ("good.wav", "whole.mp3", "truncated.mp3", "768k.wav", "eight.wav")


@pytest.mark.parametrize(("name", "reason"), FAILURES.items())
def test_classify_unreadable_file(invoke: Cli, folder: Path, name: str, reason: str) -> None:
    """The error line has the name of the file and the reason."""
    done = invoke("classify", folder / name, "--format", "json")
    assert done.returncode == 1
    assert done.stderr == f"genre-edge: {folder / name}: {reason}\n"
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize(("name", "reason"), WITHOUT_GENRE.items())
def test_classify_file_without_genre(invoke: Cli, folder: Path, name: str, reason: str) -> None:
    """A short or silent file has a verdict without genre, which is no error."""
    done = invoke("classify", folder / name, "--format", "json")
    (verdict,) = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (verdict["genre"], verdict["confidence"], verdict["reason"]) == (None, None, reason)


@pytest.mark.parametrize("name", CLASSIFIED)
def test_classify_unusual_file(invoke: Cli, folder: Path, name: str) -> None:
    """A truncated MP3, 768 kHz and eight channels are classified."""
    done = invoke("classify", folder / name, "--format", "json")
    (verdict,) = json.loads(done.stdout)
    assert done.returncode == 0
    assert len(verdict["genres"]) == 10


@pytest.mark.parametrize("jobs", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_classify_batch_with_bad_files(cli: Cli, folder: Path, jobs: int) -> None:
    """Bad files do not stop the batch."""
    names = [*FAILURES, *WITHOUT_GENRE, *CLASSIFIED]
    done = cli("classify", *(folder / name for name in names), "--format", "jsonl", "--jobs", jobs)
    sources = [Path(json.loads(line)["source"]).name for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert sources == [*WITHOUT_GENRE, *CLASSIFIED]
    for name, reason in FAILURES.items():
        assert done.stderr.count(f"{folder / name}: {reason}\n") == 1


def test_classify_truncated_mp3(invoke: Cli, folder: Path) -> None:
    """A truncated MP3 is classified up to its end."""
    done = invoke("classify", folder / "whole.mp3", folder / "truncated.mp3", "--format", "json")
    whole, truncated = json.loads(done.stdout)
    assert 1 < truncated["end_s"] < whole["end_s"]


def test_classify_file_without_permission(invoke: Cli, folder: Path) -> None:
    """A file without read permission is one error."""
    path = folder / "forbidden.wav"
    path.chmod(0)
    if os.geteuid() == 0:
        pytest.skip("root may read every file; tests/audio/test_files.py drops its privileges for this")
    done = invoke("classify", path)
    assert (done.returncode, done.stderr) == (1, f"genre-edge: {path}: Permission denied\n")


def test_classify_no_matching_files(invoke: Cli, tmp_path: Path) -> None:
    """A directory without audio and a pattern without a match are errors."""
    (tmp_path / "notes.txt").write_text("no music here")
    done = invoke("classify", tmp_path, tmp_path / "*.flac")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"genre-edge: {tmp_path}: no audio files in this directory",
        f"genre-edge: {tmp_path}/*.flac: no file matches the pattern",
    ]


def test_classify_m4a_without_ffmpeg(cli: Cli, tmp_path: Path) -> None:
    """Without ffmpeg, an m4a file is one error that names ffmpeg."""
    (tmp_path / "song.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    done = cli("classify", tmp_path / "song.m4a", env={"PATH": str(tmp_path)})
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "song.m4a: needs ffmpeg, which is not installed" in done.stderr


def test_classify_special_files(cli: Cli, folder: Path, tmp_path: Path) -> None:
    """Pipes, process substitution, devices and URLs are errors with the way out; other files are classified."""
    os.mkfifo(tmp_path / "fifo.m4a")
    read_fd, write_fd = os.pipe()
    url = "https://name:secret@radio.example/live.mp3?key=secret"
    special = [tmp_path / "fifo.m4a", f"/dev/fd/{read_fd}", "/dev/null", url]
    done = cli("classify", *special, folder / "good.wav", "--format", "jsonl", pass_fds=[read_fd])
    os.close(read_fd)
    os.close(write_fd)
    assert done.returncode == 1
    assert [json.loads(line)["source"] for line in done.stdout.splitlines()] == [str(folder / "good.wav")]
    standard_input = (
        "not a regular file but a pipe; pass its data as standard input (WAV, or --raw): genre-edge classify - <"
    )
    assert done.stderr.splitlines() == [
        f"genre-edge: {tmp_path}/fifo.m4a: {standard_input} {tmp_path}/fifo.m4a",
        f"genre-edge: /dev/fd/{read_fd}: {standard_input} <(COMMAND)",
        "genre-edge: /dev/null: not a regular file but a device; for a sound card, run: genre-edge stream",
        "genre-edge: https://radio.example/live.mp3: a URL, not a file; for a live stream, run: genre-edge stream URL",
    ]


def test_classify_directory_with_unknown_kinds(cli: Cli, folder: Path, tmp_path: Path) -> None:
    """Files that may be audio are counted in one line, without an error; a file with two names is classified once."""
    music = tmp_path / "music"
    music.mkdir()
    os.link(folder / "good.wav", music / "b.wav")
    (music / "a.wav").symlink_to("b.wav")
    for name in ("x.mid", "y.mid", "cover.jpg", "z.txt"):
        (music / name).touch()
    done = cli("classify", music, music / "b.wav", "--format", "jsonl")
    (verdict,) = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, verdict["source"]) == (0, str(music / "a.wav"))
    skipped = "skipping 2 files without a known audio suffix (.mid); give their names to classify them"
    assert done.stderr == f"genre-edge: {music}: {skipped}\n"


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_classify_names_not_utf8(invoke: Cli, folder: Path, tmp_path: Path, format: str) -> None:
    """Names that are not UTF-8 stay distinct."""
    names = [b"caf\xe8.wav", b"caf\xe9.wav", b"caf\\xe9.wav"]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes((folder / "short.wav").read_bytes())
    done = invoke("classify", tmp_path, "--format", format)
    rows = (
        [json.loads(line) for line in done.stdout.splitlines()]
        if format == "jsonl"
        else [*csv.DictReader(done.stdout.splitlines())]
    )
    assert {Path(row["source"]).name for row in rows} == {"caf\\xe8.wav", "caf\\xe9.wav", "caf\\x5cxe9.wav"}


OTHER_DATA = [b"RIFF", b"RIFF\0\0\0\0WAVE", b"ID3 something else entirely"]


@pytest.mark.parametrize("data", [b"", *(pytest.param(data, marks=pytest.mark.slow) for data in OTHER_DATA)])
def test_classify_standard_input_not_wav(cli: Cli, data: bytes) -> None:
    """Standard input that is not a WAV is one error."""
    done = cli("classify", "-", input=data)
    assert done.returncode == 1
    assert done.stderr.startswith("genre-edge: -: ") and done.stderr.count("\n") == 1


def test_error_file_name_control_characters(invoke: Cli, tmp_path: Path) -> None:
    """Control characters in a file name do not reach the terminal."""
    path = tmp_path / "control\x1b[31m\nname.wav"
    path.write_text("no audio")
    done = invoke("classify", path)
    assert "\x1b" not in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_warning_file_name_control_characters(cli: Cli, folder: Path, tmp_path: Path) -> None:
    """Control characters in a file name do not reach the terminal through the log."""
    path = tmp_path / "control\x1b[31m\nname.wav"
    path.write_bytes((folder / "good.wav").read_bytes()[:-RATE])
    done = cli("classify", path)
    assert done.returncode == 0 and "name.wav: the file is truncated; decoded 7.5 of 8.0 s" in done.stderr
    assert "\x1b" not in done.stderr and done.stderr.count("\n") == 1
