"""Shared fixtures: the shipped song and the command line."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genre_edge import cli as command_line
from genre_edge.audio.ffmpeg import process
from genre_edge.system.signals import TERMINATION_SIGNALS

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
SONG = ROOT / "demo" / "song.ogg"
TIMEOUT_S = 300  # for a process on a loaded machine

# A shell starts background jobs with SIGINT ignored, and nohup ignores SIGHUP; child processes would inherit both.
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
    samples: np.ndarray
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
    """Run `genre-edge ARGUMENTS` in a new process; `input` is bytes for standard input."""

    def run(*arguments: object, input: bytes = b"", **options: object) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-m", "genre_edge", *map(_argument, arguments)],
            input=input,
            capture_output=True,
            timeout=TIMEOUT_S,
            **options,  # type: ignore[call-overload]
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return run


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run `genre-edge ARGUMENTS` in this process: faster than `cli`, with empty standard input."""

    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        handlers = {number: signal.getsignal(number) for number in TERMINATION_SIGNALS}
        monkeypatch.setattr(sys, "argv", ["genre-edge", *map(os.fsdecode, map(_argument, arguments))])
        with Path(os.devnull).open() as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            try:
                code = command_line._run()
            except SystemExit as end:
                code = end.code  # type: ignore[assignment]
            finally:
                for number, handler in handlers.items():
                    signal.signal(number, handler)
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(sys.argv, code, out, err)

    return run


def _argument(argument: object) -> "str | bytes":
    return os.fspath(argument) if isinstance(argument, (str, Path, bytes)) else str(argument)


@pytest.fixture
def reset_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow ffmpeg processes again after a test that calls `kill_child_processes`."""
    monkeypatch.setattr(process, "_shutting_down", False)
