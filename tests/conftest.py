"""Fixtures that several files use: the shipped song, and the program as a user runs it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genre_edge.audio import ffmpeg

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
SONG = ROOT / "demo" / "song.ogg"

# A shell lets what it starts in the background ignore Ctrl-C, nohup the end of a terminal; children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def song() -> Path:
    """The shipped song."""
    return SONG


@pytest.fixture(scope="session")
def song_samples() -> np.ndarray:
    """The shipped song's samples, mono float32 at 22050 Hz."""
    samples, rate = soundfile.read(SONG, dtype="float32")
    assert rate == 22050
    return samples


@pytest.fixture(scope="session")
def song_wav(song_samples: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped song as 16-bit wav."""
    path = tmp_path_factory.mktemp("song") / "song.wav"
    soundfile.write(path, song_samples, 22050, subtype="PCM_16")
    return path


@pytest.fixture(scope="session")
def cli() -> Cli:
    """Run `genre-edge ARGUMENTS` in a process of its own; `input` is bytes on standard input."""

    def run(*arguments: object, input: bytes = b"", **options: object) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-m", "genre_edge", *map(os.fspath, map(_word, arguments))],
            input=input,
            capture_output=True,
            timeout=120,
            **options,  # type: ignore[call-overload]
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return run


def _word(argument: object) -> "str | Path | bytes":
    return argument if isinstance(argument, (str, Path, bytes)) else str(argument)


@pytest.fixture
def not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """`kill_children`, the last that a program does, keeps its lock for ever: let that be another one."""
    monkeypatch.setattr(ffmpeg, "_starting", threading.RLock())
