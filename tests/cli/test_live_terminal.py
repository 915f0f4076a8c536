"""The live view on a pseudo-terminal, which is restored afterwards, and the choice between it and JSON lines."""

import fcntl
import io
import logging
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from genre_edge.cli.terminal.screen import RecentLogHandler, alternate_screen, has_movable_cursor
from genre_edge.model.bundle import MODELS, Bundle
from tests.conftest import TIMEOUT_S, Cli
from tests.helpers.live import RadioServer, ffmpeg_pids, wav_response
from tests.helpers.station import eventually
from tests.helpers.terminal import ALT_OFF, ALT_ON, HIDE, HOME, SHOW, Terminal, is_suspended
from tests.helpers.view import RATE, console, row, view

Start = Callable[..., Terminal]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start processes that end with the test."""
    terminals: list[Terminal] = []

    def run(*arguments: str, **options: object) -> Terminal:
        terminals.append(Terminal(*arguments, **options))  # type: ignore[arg-type]
        return terminals[-1]

    yield run
    for terminal in terminals:
        terminal.close()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_live_view_of_song(start: Start, song_samples: np.ndarray, number: signal.Signals) -> None:
    """The view follows the song until a signal; the last verdict stays on the terminal."""
    terminal = start()
    terminal.write(song_samples[: 12 * RATE])
    terminal.play(song_samples[12 * RATE :])
    terminal.read_until(lambda: any(re.match(r"0:00:1[3-9]", line) for line in terminal.screen()))
    lines = terminal.screen()
    assert len(lines) == 15
    assert lines[0].split() == ["[edge", f"{Bundle.load(MODELS / 'edge').version}]", "standard", "input"]
    assert re.match(r"classical \d\d% \(last \d+ s\)", lines[1])
    assert row(lines, "classical").startswith("> ") and row(lines, "classical").count("█") > 10
    assert re.search(r"-\d+ dB", row(lines, "level"))
    assert "dropped 0" in lines[13] and re.search(r"lag \d+ ms  CPU \d+\.\d%", lines[14])
    terminal.process.send_signal(number)
    assert terminal.end() == 0
    assert re.fullmatch(r"0:00:\d\d  classical \d\d% \(last \d+ s\)\n", terminal.after_screen())


@pytest.mark.slow
def test_terminal_restored_after_signals(start: Start, song_samples: np.ndarray) -> None:
    """Two signals in quick succession, at any moment, leave the terminal as it was."""
    rng = np.random.default_rng(6)
    for _ in range(4):
        terminal = start("--interval", "0.1")
        terminal.write(song_samples[: 2 * RATE])
        terminal.read_until(lambda: ALT_ON in terminal.output)  # noqa: B023
        time.sleep(rng.uniform(0, 0.3))
        terminal.process.send_signal(signal.SIGINT)
        time.sleep(rng.uniform(0, 0.02))
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() in (0, 130, -signal.SIGTERM)


def has_job_control() -> bool:
    """Return True if SIGTSTP suspends a child process: Linux ignores it in an orphaned process group."""
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        sleeper.send_signal(signal.SIGTSTP)
        for _ in range(50):
            if is_suspended(sleeper.pid):
                return True
            time.sleep(0.02)
        return False
    finally:
        sleeper.kill()
        sleeper.wait()


@pytest.mark.slow
def test_terminal_restored_while_suspended(start: Start, song_samples: np.ndarray) -> None:
    """Ctrl-Z restores the terminal until the process continues."""
    if not has_job_control():
        pytest.skip("no job control: the process group is orphaned")
    terminal = start()
    terminal.play(song_samples)
    terminal.read_until(lambda: terminal.output.count(HOME) > 2)
    for n_suspensions in (1, 2):
        terminal.process.send_signal(signal.SIGTSTP)
        eventually(lambda: is_suspended(terminal.process.pid))
        terminal.read_until(lambda: terminal.output.count(ALT_OFF) == n_suspensions)  # noqa: B023
        assert terminal.output.rindex(ALT_OFF) > terminal.output.rindex(ALT_ON)
        assert terminal.output.rindex(SHOW) > terminal.output.rindex(HIDE)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.read_until(lambda: terminal.output.count(ALT_ON) == n_suspensions + 1)  # noqa: B023
        n_read = len(terminal.output)
        terminal.read_until(lambda: terminal.output[n_read:].count(HOME) > 2)  # noqa: B023
    terminal.process.send_signal(signal.SIGTSTP)
    eventually(lambda: is_suspended(terminal.process.pid))
    for number in (signal.SIGTERM, signal.SIGCONT):  # terminated while it is suspended
        terminal.process.send_signal(number)
    assert terminal.end(n_screens=3) == 0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")
def test_closed_terminal_ends_stream() -> None:
    """Closing the terminal window (SIGHUP) ends the process and its ffmpeg."""

    def answer(caller: socket.socket) -> None:
        wav_response(10)(caller)
        caller.recv(1)

    def set_controlling_terminal() -> None:
        os.setsid()
        fcntl.ioctl(1, termios.TIOCSCTTY, 0)

    radio, (window, inner) = RadioServer(answer), pty.openpty()
    command = [sys.executable, "-m", "genre_edge", "stream", radio.url]
    process = subprocess.Popen(
        command,
        stdin=inner,
        stdout=inner,
        stderr=subprocess.PIPE,
        preexec_fn=set_controlling_terminal,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(inner)
    try:
        output = b""
        while output.count(HOME) < 3:
            output += os.read(window, 65536)
        (child,) = ffmpeg_pids(process.pid)
        os.close(window)
        errors = process.communicate(timeout=TIMEOUT_S)[1]
        # Exit code 1: the last verdict could not be printed, as the terminal is closed.
        assert process.returncode in (0, 1) and errors.count(b"\n") <= 1
    finally:
        process.kill()
        process.wait()
        radio.close()
    eventually(lambda: not Path(f"/proc/{child}").exists())


def test_end_of_audio_prints_last_verdict(start: Start, song_samples: np.ndarray) -> None:
    """At the end of the audio, the terminal is restored and the last verdict printed."""
    terminal = start(columns=100, rows=30)
    terminal.write_last(song_samples)
    assert terminal.end() == 0
    assert re.fullmatch(r"0:00:3\d  classical [89]\d% \(last \d+ s\)\n", terminal.after_screen())


@pytest.mark.slow
def test_error_after_live_view(start: Start, song_samples: np.ndarray) -> None:
    """An error is printed after the terminal is restored."""
    terminal = start()
    terminal.write(song_samples[: 5 * RATE])
    terminal.write_last(np.full(2 * RATE, np.nan))
    assert terminal.end() == 1
    assert terminal.after_screen().splitlines()[-1] == f"genre-edge: -: sample {5 * RATE} has an invalid value (nan)"


def test_log_printed_after_live_view(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """On a terminal, recent log records are printed after the view; otherwise at once."""
    log, log_handler = logging.getLogger("genre_edge"), RecentLogHandler()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with alternate_screen(view(), console(), log_handler):
        for i in range(100):
            log.warning("line %d", i)
        assert not caplog.records
    assert [record.getMessage() for record in caplog.records] == [f"line {i}" for i in range(50, 100)]
    caplog.clear()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    with alternate_screen(view(), console(), RecentLogHandler()):
        log.warning("at once")
        assert len(caplog.records) == 1
    assert len(caplog.records) == 1 and log.propagate and log_handler not in log.handlers


# -- Live view or JSON lines -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_json_lines_on_terminal(start: Start, song_samples: np.ndarray) -> None:
    """`--format jsonl` and a dumb terminal get JSON lines."""
    for arguments, environment in ((("--format", "jsonl"), {}), ((), {"TERM": "dumb"})):
        terminal = start(*arguments, **environment)
        terminal.write(song_samples[: 7 * RATE])
        assert terminal.process.stdin is not None
        terminal.process.stdin.close()
        terminal.read_until(lambda: terminal.process.poll() is not None)  # noqa: B023
        assert terminal.output.startswith(b'{"schema_version": 2') and b"\x1b" not in terminal.output


def test_live_view_without_terminal(invoke: Cli) -> None:
    """`--format live` without a suitable terminal is wrong usage."""
    done = invoke("stream", "-", "--format", "live")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "genre-edge: --format live needs a terminal with a movable cursor on standard output\n"
    assert not has_movable_cursor(Console(file=io.StringIO(), _environ={}))
    assert not has_movable_cursor(console(_environ={"TERM": "dumb"}))


@pytest.mark.slow
def test_json_lines_in_pipe(cli: Cli, song_wav: Path) -> None:
    """JSON lines are the default in a pipe."""

    def lines(*arguments: str) -> list[str]:
        done = cli("stream", "-", *arguments, input=song_wav.read_bytes())
        return [re.sub(r', "lag_ms": [\d.]+', "", line) for line in done.stdout.splitlines()]

    default = lines()
    assert default == lines("--format", "jsonl")
    assert len(default) >= 4
