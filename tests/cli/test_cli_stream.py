"""`genre-edge stream`: verdicts equal to those of `classify`, JSON lines at intervals, and a clean end."""

import json
import os
import re
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from genre_edge.audio.opening import is_file_path
from genre_edge.system.signals import TERMINATION_SIGNALS
from tests.conftest import TIMEOUT_S, Cli

RAW = ("--raw", "f32le:22050:1")


def parse_lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.slow
def test_stream_long_interval_equals_classify(cli: Cli, song_samples: np.ndarray) -> None:
    """An interval longer than the audio gives the verdict of `classify`."""
    data = song_samples.astype("<f4").tobytes()
    (whole,) = json.loads(cli("classify", "-", *RAW, "--format", "json", input=data).stdout)
    (line,) = parse_lines(cli("stream", "-", *RAW, "--interval", 3600, input=data).stdout)
    lag_ms = line.pop("lag_ms")
    assert lag_ms >= 0
    assert line == whole


def test_stream_interval(cli: Cli, song_samples: np.ndarray) -> None:
    """There is one line for each interval."""
    done = cli("stream", "-", *RAW, "--interval", 5, "--top", 1, input=song_samples.astype("<f4").tobytes())
    verdicts = parse_lines(done.stdout)
    assert done.returncode == 0
    assert len(verdicts) >= 4
    assert all(len(verdict["genres"]) <= 1 for verdict in verdicts)
    assert all(before["start_s"] < after["start_s"] for before, after in pairwise(verdicts))
    assert all(verdict["end_s"] - verdict["start_s"] >= 5 for verdict in verdicts[:-1])


def stream_in_pieces(data: bytes, size: int, pause_s: float, *arguments: str) -> list[dict]:
    """Return the verdicts of `stream` for bytes that are written in pieces."""
    command = [sys.executable, "-m", "genre_edge", "stream", "-", *RAW, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None and process.stdout is not None
        for i in range(0, len(data), size):
            process.stdin.write(data[i : i + size])
            time.sleep(pause_s)
        process.stdin.close()
        return parse_lines(process.stdout.read().decode())


@pytest.fixture(scope="module")
def segments(cli: Cli, song_samples: np.ndarray) -> list[dict]:
    """The segments of the song, as `classify` lists them."""
    data = song_samples.astype("<f4").tobytes()
    (whole,) = json.loads(cli("classify", "-", *RAW, "--segments", "--format", "json", input=data).stdout)
    return whole["segments"]


@pytest.mark.slow
@pytest.mark.parametrize(("size", "pause_s"), [(1 << 30, 0), (4001, 0), (99_999, 0.05)])
def test_stream_window_0_equals_segments(
    song_samples: np.ndarray, segments: list[dict], size: int, pause_s: float
) -> None:
    """Without smoothing, the verdicts are the segments of `classify`, at any speed of the pipe."""
    verdicts = stream_in_pieces(song_samples.astype("<f4").tobytes(), size, pause_s, "--window", "0")
    assert len(verdicts) > 10
    assert [{key: line[key] for key in segments[0]} for line in verdicts] == segments


@pytest.mark.slow
def test_stream_window_is_mean_of_patches(cli: Cli, song_samples: np.ndarray, segments: list[dict]) -> None:
    """A smoothed verdict is the mean of the patches in its window."""
    data, patches = song_samples.astype("<f4").tobytes(), segments
    for line in parse_lines(cli("stream", "-", *RAW, "--window", 10, input=data).stdout):
        inside = [p for p in patches if line["end_s"] - 10.001 <= p["start_s"] and p["end_s"] <= line["end_s"]]
        assert line["start_s"] == inside[0]["start_s"]
        for share in line["genres"]:
            of_patches = [g["probability"] for p in inside for g in p["genres"] if g["genre"] == share["genre"]]
            assert share["probability"] == pytest.approx(np.mean(of_patches), abs=2e-4)


@pytest.mark.slow
def test_stream_wav(cli: Cli, song_wav: Path) -> None:
    """A WAV on standard input is streamed."""
    assert len(parse_lines(cli("stream", "-", input=song_wav.read_bytes()).stdout)) >= 4


def test_stream_empty_pipe(cli: Cli) -> None:
    """Standard input without audio is one error."""
    done = cli("stream", "-", *RAW)
    assert (done.returncode, done.stderr) == (1, "genre-edge: -: holds no audio\n")


def _start_stream(song_samples: np.ndarray) -> "subprocess.Popen[bytes]":
    """Start a process that has printed its first line and waits for more audio."""
    command = [sys.executable, "-m", "genre_edge", "stream", "-", *RAW, "--interval", "1"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(song_samples[: 12 * 22050].astype("<f4").tobytes())
    process.stdin.flush()
    json.loads(process.stdout.readline())
    return process


@pytest.mark.slow
def test_stream_ends_at_signal(song_samples: np.ndarray) -> None:
    """Verdicts are printed while the pipe is open, and each signal ends the process with exit code 0."""
    for number in TERMINATION_SIGNALS:
        process = _start_stream(song_samples)
        time.sleep(0.3)
        process.send_signal(number)
        process.wait(timeout=TIMEOUT_S)
        assert process.stdout is not None and process.stderr is not None
        # Not communicate(): it would miss the output that readline() has buffered.
        parse_lines(process.stdout.read().decode())  # raises if a line is incomplete
        assert (process.returncode, process.stderr.read()) == (0, b"")
        process.communicate()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
def test_stream_signals_reach_main_thread_only(song_samples: np.ndarray) -> None:
    """All other threads block the signals: one that a thread received would not interrupt the main thread."""
    process = _start_stream(song_samples)
    for thread in Path(f"/proc/{process.pid}/task").iterdir():
        blocked = int(re.findall(r"SigBlk:\s*(\w+)", (thread / "status").read_text())[0], 16)
        ours = sum(1 << number - 1 for number in TERMINATION_SIGNALS)
        assert blocked & ours == (0 if thread.name == str(process.pid) else ours)
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_stream_microphone_without_sounddevice(cli: Cli, tmp_path: Path) -> None:
    """Without sounddevice, the error says what to install."""
    (tmp_path / "sounddevice.py").write_text("raise ImportError\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = cli("stream", env={"PYTHONPATH": path, "PATH": "/usr/bin"})
    assert (done.returncode, done.stderr) == (
        1,
        "genre-edge: a microphone needs sounddevice; run: pip install 'genre-edge[live]'\n",
    )


def test_stream_file(invoke: Cli, song: Path, song_wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is streamed to its end, with the verdict of `classify`."""
    monkeypatch.chdir(song.parent)
    done = invoke("stream", song.name, "--interval", 5, "--top", 1)
    assert (done.returncode, done.stderr) == (0, "")
    verdicts = parse_lines(done.stdout)
    assert len(verdicts) >= 4 and {verdict["source"] for verdict in verdicts} == {song.name}
    (whole,) = parse_lines(invoke("stream", song_wav, "--interval", 3600).stdout)
    assert whole.pop("lag_ms") >= 0
    assert whole == json.loads(invoke("classify", song_wav, "--format", "jsonl").stdout)


@pytest.mark.parametrize("command", ["stream", "serve"])
@pytest.mark.parametrize("name", ["missing.ogg", "folder/missing", "/nowhere/to/be found"])
def test_live_commands_missing_file(invoke: Cli, command: str, name: str) -> None:
    """A missing file is an error at once: it is not opened again like a live source."""
    done = invoke(command, name, *(("--port", 0) if command == "serve" else ()))
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
def test_is_file_path(source: str, is_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths and audio file names are files; other names are devices or URLs."""
    for name in ("file", "microphone", "2"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert is_file_path(source) == is_file
