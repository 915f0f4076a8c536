"""`genre-edge stream`: the same path as classify, a line every few seconds, and a clean end."""

import json
import re
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from genre_edge.audio.opening import is_file_name
from genre_edge.system.signals import TERMINATION_SIGNALS
from tests.conftest import Cli

RAW = ("--raw", "f32le:22050:1")


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_one_long_interval_is_classify(cli: Cli, song_samples: np.ndarray) -> None:
    data = song_samples.astype("<f4").tobytes()
    (whole,) = json.loads(cli("classify", "-", *RAW, "--format", "json", input=data).stdout)
    (line,) = lines(cli("stream", "-", *RAW, "--interval", 3600, input=data).stdout)
    lag_ms = line.pop("lag_ms")
    assert lag_ms >= 0
    assert line == whole


def test_a_line_every_interval(cli: Cli, song_samples: np.ndarray) -> None:
    done = cli("stream", "-", *RAW, "--interval", 5, "--top", 1, input=song_samples.astype("<f4").tobytes())
    found = lines(done.stdout)
    assert done.returncode == 0
    assert len(found) >= 4
    assert all(len(verdict["genres"]) <= 1 for verdict in found)
    assert all(before["start_s"] < after["start_s"] for before, after in pairwise(found))
    assert all(verdict["end_s"] - verdict["start_s"] >= 5 for verdict in found[:-1])


def piped(data: bytes, size: int, pause_s: float, *arguments: str) -> list[dict]:
    """What `stream` says of bytes that come in pieces."""
    command = [sys.executable, "-m", "genre_edge", "stream", "-", *RAW, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None and process.stdout is not None
        for i in range(0, len(data), size):
            process.stdin.write(data[i : i + size])
            time.sleep(pause_s)
        process.stdin.close()
        return lines(process.stdout.read().decode())


@pytest.mark.parametrize(("size", "pause_s"), [(1 << 30, 0), (4001, 0), (99_999, 0.05)])
def test_without_smoothing_it_says_what_classify_says_of_the_segments_at_any_speed(
    cli: Cli, song_samples: np.ndarray, size: int, pause_s: float
) -> None:
    data = song_samples.astype("<f4").tobytes()
    (whole,) = json.loads(cli("classify", "-", *RAW, "--segments", "--format", "json", input=data).stdout)
    found = piped(data, size, pause_s, "--window", "0")
    assert len(found) > 15
    assert [{key: line[key] for key in whole["segments"][0]} for line in found] == whole["segments"]


def test_a_smooth_verdict_is_the_mean_of_the_segments_in_its_window(cli: Cli, song_samples: np.ndarray) -> None:
    data = song_samples.astype("<f4").tobytes()
    patches = lines(cli("stream", "-", *RAW, "--window", 0, input=data).stdout)
    for line in lines(cli("stream", "-", *RAW, "--window", 10, input=data).stdout):
        inside = [p for p in patches if line["end_s"] - 10.001 <= p["start_s"] and p["end_s"] <= line["end_s"]]
        assert line["start_s"] == inside[0]["start_s"]
        for share in line["genres"]:
            of_patches = [g["probability"] for p in inside for g in p["genres"] if g["genre"] == share["genre"]]
            assert share["probability"] == pytest.approx(np.mean(of_patches), abs=2e-4)


def test_a_wav_on_standard_input(cli: Cli, song_wav: Path) -> None:
    assert len(lines(cli("stream", "-", input=song_wav.read_bytes()).stdout)) >= 4


def test_a_pipe_without_audio(cli: Cli) -> None:
    done = cli("stream", "-", *RAW)
    assert (done.returncode, done.stderr) == (1, "genre-edge: -: holds no audio\n")


def _listening(song_samples: np.ndarray) -> "subprocess.Popen[bytes]":
    """A process that has printed its first line and waits for more sound."""
    command = [sys.executable, "-m", "genre_edge", "stream", "-", *RAW, "--interval", "1"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(song_samples[: 12 * 22050].astype("<f4").tobytes())
    process.stdin.flush()
    json.loads(process.stdout.readline())
    return process


def test_verdicts_come_while_the_pipe_is_open_and_signals_end_it(song_samples: np.ndarray) -> None:
    for number in TERMINATION_SIGNALS:
        process = _listening(song_samples)
        time.sleep(0.3)
        process.send_signal(number)
        process.wait(timeout=10)
        assert process.stdout is not None and process.stderr is not None
        # Not communicate(): it would miss what readline() has read ahead.
        lines(process.stdout.read().decode())  # every line is whole
        assert (process.returncode, process.stderr.read()) == (0, b"")
        process.communicate()


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are looked at in Linux's /proc")
def test_only_the_main_thread_takes_signals_which_could_be_lost_otherwise(song_samples: np.ndarray) -> None:
    process = _listening(song_samples)
    for thread in Path(f"/proc/{process.pid}/task").iterdir():
        blocked = int(re.findall(r"SigBlk:\s*(\w+)", (thread / "status").read_text())[0], 16)
        ours = sum(1 << number - 1 for number in TERMINATION_SIGNALS)
        assert blocked & ours == (0 if thread.name == str(process.pid) else ours)
    process.kill()
    process.communicate()


def test_a_microphone_without_sounddevice_is_told(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise ImportError\n")
    done = cli("stream", env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin"})
    assert (done.returncode, done.stderr) == (
        1,
        "genre-edge: a microphone needs sounddevice: in the folder of genre-edge, pip install '.[live]'\n",
    )


def test_a_file_is_a_stream_that_ends(cli: Cli, song: Path, song_wav: Path) -> None:
    done = cli("stream", song.name, "--interval", 5, "--top", 1, cwd=song.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(lines(done.stdout)) >= 4 and {line["source"] for line in lines(done.stdout)} == {song.name}
    (whole,) = lines(cli("stream", song_wav, "--interval", 3600).stdout)
    assert whole.pop("lag_ms") >= 0
    assert whole == json.loads(cli("classify", song_wav, "--format", "jsonl").stdout)


@pytest.mark.parametrize("command", ["stream", "serve"])
@pytest.mark.parametrize("name", ["missing.ogg", "folder/missing", "/nowhere/to/be found"])
def test_a_file_that_is_not_there_is_told_and_not_waited_for(cli: Cli, command: str, name: str) -> None:
    done = cli(command, name, *(("--port", 0) if command == "serve" else ()))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"genre-edge: {name}: No such file or directory\n"


@pytest.mark.parametrize(
    ("source", "is_file"),
    [
        ("song.ogg", True),
        ("SONG.M4A", True),
        ("a/b", True),
        ("file", True),
        ("microphone", False),
        ("2", False),
        ("USB Audio", False),
        ("folder", False),
        ("http://radio/live.mp3", False),
        ("file:///song.ogg", False),
        ("x" * 5000, False),
        ("\0", False),
    ],
)
def test_what_is_a_file(source: str, is_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("file", "microphone", "2"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert is_file_name(source) == is_file
