"""The live view on a real terminal, which is left as it was; JSON lines elsewhere."""

import fcntl
import io
import logging
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from genre_edge.cli.terminal.screen import LogKeeper, can_move, on_screen
from genre_edge.model.bundle import MODELS, Bundle
from tests.helpers.live import RadioServer, ffmpeg_pids, wav_response
from tests.helpers.station import eventually
from tests.helpers.view import RATE, console, row, view

ALT_ON, ALT_OFF, HIDE, SHOW, HOME = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25l", b"\x1b[?25h", b"\x1b[H"


class Terminal:
    """`genre-edge stream` with its output on a pseudo-terminal and its sound from a pipe."""

    def __init__(self, *arguments: str, columns: int = 40, rows: int = 15, **environment: str) -> None:
        self._main, self._other = pty.openpty()
        fcntl.ioctl(self._other, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self._other)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "genre_edge", "stream", "-", "--raw", "f32le:22050:1", *arguments],
            stdin=subprocess.PIPE,
            stdout=self._other,
            stderr=self._other,
            env={k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
            | {"TERM": "xterm-256color"}
            | environment,
        )
        self.output = b""

    def hear(self, samples: np.ndarray) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(samples.astype("<f4").tobytes())
        self.process.stdin.flush()

    def read_until(self, wanted: Callable[[], bool], limit_s: float = 60) -> None:
        end_s = time.monotonic() + limit_s
        while not wanted():
            assert time.monotonic() < end_s, self.output
            if select.select([self._main], [], [], 0.2)[0]:
                self.output += os.read(self._main, 65536)
            elif self.process.poll() is not None and not select.select([self._main], [], [], 0)[0]:
                assert wanted(), self.output
                return

    def play(self, samples: np.ndarray) -> None:
        """As a radio does: sample by sample, in a thread."""

        def feed() -> None:
            with suppress(OSError, ValueError):  # the listener has gone
                for i in range(0, len(samples), RATE // 10):
                    self.hear(samples[i : i + RATE // 10])
                    time.sleep(0.1)

        threading.Thread(target=feed, daemon=True).start()

    def screen(self) -> list[str]:
        """The last whole picture; each one begins at home and fills the screen."""
        pictures = self.output.split(HOME)[1:-1] or [b"\n" * 14]
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", pictures[-1].decode()).splitlines()

    def stopped(self) -> bool:
        """Whether it stands still, as after Ctrl-Z."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def end(self, taken: int = 1) -> int:
        """Wait, read the rest, and see that the terminal is as it was; its screen was `taken` so often."""
        self.read_until(lambda: self.process.poll() is not None and not select.select([self._main], [], [], 0.1)[0])
        assert termios.tcgetattr(self._other) == self.before
        assert self.output.count(ALT_ON) == self.output.count(ALT_OFF) == taken
        assert self.output.rindex(ALT_OFF) > self.output.rindex(ALT_ON)
        assert self.output.rindex(SHOW) > self.output.rindex(HIDE)
        assert b"Traceback" not in self.output
        return self.process.wait(10)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self._main)
        os.close(self._other)


Start = Callable[..., Terminal]


@pytest.fixture
def start() -> Iterator[Start]:
    """Terminals that end with the test."""
    begun: list[Terminal] = []

    def begin(*arguments: str, **options: object) -> Terminal:
        begun.append(Terminal(*arguments, **options))  # type: ignore[arg-type]
        return begun[-1]

    yield begin
    for terminal in begun:
        terminal.close()


def after(terminal: Terminal) -> str:
    """What is left on the terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.output.split(ALT_OFF)[1].decode()).replace("\r", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_song_on_a_terminal_until_a_signal(start: Start, song_samples: np.ndarray, number: signal.Signals) -> None:
    terminal = start()
    terminal.hear(song_samples[: 12 * RATE])
    terminal.play(song_samples[12 * RATE :])
    terminal.read_until(lambda: any("0:00:13" in line for line in terminal.screen()))
    shown = terminal.screen()
    assert len(shown) == 15
    assert shown[0].split() == ["[edge", f"{Bundle.load(MODELS / 'edge').version}]", "standard", "input"]
    assert re.match(r"classical \d\d% \(last \d+ s\)", shown[1])
    assert row(shown, "classical").startswith("> ") and row(shown, "classical").count("█") > 10
    assert re.search(r"-\d+ dB", row(shown, "level"))
    assert "dropped 0" in shown[13] and re.search(r"lag \d+ ms  CPU \d+\.\d%", shown[14])
    terminal.process.send_signal(number)
    assert terminal.end() == 0
    assert re.fullmatch(r"0:00:\d\d  classical \d\d% \(last \d+ s\)\n", after(terminal))


def test_the_terminal_is_restored_at_whatever_moment_the_signals_come(start: Start, song_samples: np.ndarray) -> None:
    """Two of them, a moment apart, as from an impatient hand."""
    rng = np.random.default_rng(6)
    for _ in range(4):
        terminal = start("--interval", "0.1")
        terminal.hear(song_samples[: 2 * RATE])
        terminal.read_until(lambda: ALT_ON in terminal.output)  # noqa: B023
        time.sleep(rng.uniform(0, 0.3))
        terminal.process.send_signal(signal.SIGINT)
        time.sleep(rng.uniform(0, 0.02))
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() in (0, 130, -signal.SIGTERM)


def can_be_stopped() -> bool:
    """Linux lets nobody stop by SIGTSTP in a process group that no shell could wake again (an orphaned one)."""
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        sleeper.send_signal(signal.SIGTSTP)
        for _ in range(50):
            if Path(f"/proc/{sleeper.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T":
                return True
            time.sleep(0.02)
        return False
    finally:
        sleeper.kill()
        sleeper.wait()


def test_ctrl_z_lends_the_screen_to_the_shell(start: Start, song_samples: np.ndarray) -> None:
    if not can_be_stopped():
        pytest.skip("no job control here: the process group is orphaned")
    terminal = start()
    terminal.play(song_samples)
    terminal.read_until(lambda: terminal.output.count(HOME) > 2)
    for times in (1, 2):
        terminal.process.send_signal(signal.SIGTSTP)
        eventually(terminal.stopped)
        terminal.read_until(lambda: terminal.output.count(ALT_OFF) == times)  # noqa: B023
        assert terminal.output.rindex(ALT_OFF) > terminal.output.rindex(ALT_ON)
        assert terminal.output.rindex(SHOW) > terminal.output.rindex(HIDE)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.read_until(lambda: terminal.output.count(ALT_ON) == times + 1)  # noqa: B023
        taken = len(terminal.output)
        terminal.read_until(lambda: terminal.output[taken:].count(HOME) > 2)  # noqa: B023
    terminal.process.send_signal(signal.SIGTSTP)
    eventually(terminal.stopped)
    for number in (signal.SIGTERM, signal.SIGCONT):  # ended while it stands still
        terminal.process.send_signal(number)
    assert terminal.end(taken=3) == 0


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")
def test_a_window_that_is_closed_ends_it_and_its_ffmpeg() -> None:
    def answer(caller: socket.socket) -> None:
        wav_response(10)(caller)
        caller.recv(1)

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(1, termios.TIOCSCTTY, 0)

    radio, (window, inner) = RadioServer(answer), pty.openpty()
    command = [sys.executable, "-m", "genre_edge", "stream", radio.url]
    process = subprocess.Popen(
        command,
        stdin=inner,
        stdout=inner,
        stderr=subprocess.PIPE,
        preexec_fn=take_terminal,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(inner)
    try:
        output = b""
        while output.count(HOME) < 3:
            output += os.read(window, 65536)
        (child,) = ffmpeg_pids(process.pid)
        os.close(window)
        said = process.communicate(timeout=10)[1]
        assert process.returncode in (0, 1) and said.count(b"\n") <= 1  # 1: it had a last word, and nowhere to say it
    finally:
        process.kill()
        process.wait()
        radio.close()
    eventually(lambda: not Path(f"/proc/{child}").exists())


def test_the_end_of_the_sound_leaves_the_last_answer(start: Start, song_samples: np.ndarray) -> None:
    terminal = start(columns=100, rows=30)
    terminal.hear(song_samples)
    assert terminal.process.stdin is not None
    terminal.process.stdin.close()
    assert terminal.end() == 0
    assert re.fullmatch(r"0:00:3\d  classical 9\d% \(last \d+ s\)\n", after(terminal))


def test_an_error_is_told_after_the_screen_is_given_back(start: Start, song_samples: np.ndarray) -> None:
    terminal = start()
    terminal.hear(song_samples[: 5 * RATE])
    terminal.hear(np.array([np.nan]))
    assert terminal.process.stdin is not None
    terminal.process.stdin.close()
    assert terminal.end() == 1
    assert after(terminal).splitlines()[-1] == f"genre-edge: -: sample {5 * RATE} has an invalid value (nan)"


def test_what_is_logged_meanwhile_follows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    log, keeper = logging.getLogger("genre_edge"), LogKeeper()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with on_screen(view(), console(), keeper):
        for i in range(100):
            log.warning("line %d", i)
        assert not caplog.records
    assert [record.getMessage() for record in caplog.records] == [f"line {i}" for i in range(50, 100)]
    caplog.clear()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    with on_screen(view(), console(), LogKeeper()):
        log.warning("at once")
        assert len(caplog.records) == 1
    assert len(caplog.records) == 1 and log.propagate and keeper not in log.handlers


# -- which of the two ------------------------------------------------------------------------------------------------


def test_json_lines_on_a_terminal_if_wanted(start: Start, song_samples: np.ndarray) -> None:
    for arguments, environment in ((("--format", "jsonl"), {}), ((), {"TERM": "dumb"})):
        terminal = start(*arguments, **environment)
        terminal.hear(song_samples[: 7 * RATE])
        assert terminal.process.stdin is not None
        terminal.process.stdin.close()
        terminal.read_until(lambda: terminal.process.poll() is not None)  # noqa: B023
        assert terminal.output.startswith(b'{"schema_version": 1') and b"\x1b" not in terminal.output


def test_a_live_view_needs_a_terminal(cli: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    done = cli("stream", "-", "--format", "live")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "genre-edge: --format live needs a terminal on standard output, one whose cursor can be moved\n"
    )
    assert not can_move(Console(file=io.StringIO(), _environ={}))
    assert not can_move(console(_environ={"TERM": "dumb"}))


def test_a_pipe_gets_the_same_lines_with_and_without_being_asked(
    cli: Callable[..., "subprocess.CompletedProcess[str]"], song_wav: Path
) -> None:
    def lines(*arguments: str) -> list[str]:
        done = cli("stream", "-", *arguments, input=song_wav.read_bytes())
        return [re.sub(r', "lag_ms": [\d.]+', "", line) for line in done.stdout.splitlines()]

    assert lines() == lines("--format", "jsonl")
    assert len(lines()) >= 4
