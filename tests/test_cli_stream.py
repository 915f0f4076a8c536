"""`genre-edge stream`: the same path as classify, a line every few seconds, and a clean end."""

import json
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from conftest import Cli

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
    for number in (signal.SIGINT, signal.SIGTERM):
        process = _listening(song_samples)
        time.sleep(0.3)
        process.send_signal(number)
        process.wait(timeout=10)
        assert process.stdout is not None and process.stderr is not None
        # Not communicate(): it would miss what readline() has read ahead.
        lines(process.stdout.read().decode())  # every line is whole
        assert (process.returncode, process.stderr.read()) == (0, b"")
        process.communicate()


def test_a_microphone_without_sounddevice_is_told(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise ImportError\n")
    done = cli("stream", env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin"})
    assert (done.returncode, done.stderr) == (
        1,
        "genre-edge: a microphone needs sounddevice: pip install 'genre-edge[live]'\n",
    )
